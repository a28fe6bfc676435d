import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ClientPosition, plan, type PlanView, type WorkerPosition } from './plan.ts'

const TON = 1_000_000_000n
const client = (over: Partial<ClientPosition> = {}): ClientPosition => ({
  owner: '0:c',
  state: 'normal',
  tokens: 0n,
  balanceNano: 100n * TON,
  signable: 0n,
  used: 0n,
  running: 0,
  ...over,
})
const worker = (over: Partial<WorkerPosition> = {}): WorkerPosition => ({
  owner: '0:w',
  state: 'normal',
  tokens: 0n,
  balanceNano: 0n,
  signable: 0n,
  earned: 0n,
  ...over,
})
const viewWith = (over: Partial<PlanView> = {}): PlanView => ({
  proxy: { state: 'normal', balanceNano: 0n, potNano: 100n * TON, unlockTs: 0 },
  clients: [],
  workers: [],
  terms: {
    pricePerToken: 20n,
    workerFeePerToken: 18n,
    chargeAtNano: TON,
    payoutAtNano: 10n * TON,
    withdrawAtNano: 10n * TON,
  },
  isDraining: false,
  nowS: 1_000,
  ...over,
})
/** Tokens that cost so many TON. */
const worth = (ton: bigint): bigint => (ton * TON) / 20n

describe('a charge', () => {
  test('is sent from the threshold on, for everything that may be signed', () => {
    const below = client({ signable: worth(1n) - 1n, used: worth(5n) })
    expect(plan(viewWith({ clients: [below] }))).toEqual([])
    const due = client({ signable: worth(1n), used: worth(5n) })
    expect(plan(viewWith({ clients: [due] }))).toEqual([{ do: 'charge', owner: '0:c', tokens: worth(1n) }])
  })

  test.each([
    [
      'is not sent where the contract has no money left',
      client({ signable: worth(5n), used: worth(5n), balanceNano: 0n }),
    ],
    ['is not sent to a closed contract', client({ signable: worth(5n), used: worth(5n), state: 'closed' })],
    ['is not sent to a contract that is not there', client({ signable: worth(5n), used: worth(5n), state: 'absent' })],
  ])('%s', (_, position) => {
    expect(plan(viewWith({ clients: [position] }))).toEqual([])
  })

  test('below the threshold is sent when a due payout needs the money, the largest first', () => {
    const small = client({ owner: '0:a', signable: worth(1n) / 2n, used: worth(1n) })
    const smaller = client({ owner: '0:b', signable: worth(1n) / 4n, used: worth(1n) })
    const owed = worker({ signable: TON, earned: TON })
    const proxy = { state: 'normal', balanceNano: 0n, potNano: 20n * TON - TON / 4n, unlockTs: 0 } as const
    expect(plan(viewWith({ clients: [smaller, small], workers: [owed], proxy }))).toEqual([
      { do: 'charge', owner: '0:a', tokens: small.signable },
    ])
  })
})

describe('a payout', () => {
  const due = (10n * TON) / 18n + 1n
  test('is sent from the threshold on', () => {
    expect(plan(viewWith({ workers: [worker({ signable: due - 2n, earned: due })] }))).toEqual([])
    expect(plan(viewWith({ workers: [worker({ signable: due, earned: due })] }))).toEqual([
      { do: 'pay', owner: '0:w', tokens: due },
    ])
  })

  test('waits for a pot that holds the operator’s part as well', () => {
    const proxy = { state: 'normal', balanceNano: 0n, potNano: due * 20n - 1n, unlockTs: 0 } as const
    expect(plan(viewWith({ proxy, workers: [worker({ signable: due, earned: due })] }))).toEqual([])
  })
})

describe('a client that closes', () => {
  test('is granted its rest once nothing runs and all of it may be signed', () => {
    const closing = client({ state: 'closing', signable: 5n, used: 5n })
    expect(plan(viewWith({ clients: [closing] }))).toEqual([{ do: 'grant', owner: '0:c', tokens: 5n }])
    expect(plan(viewWith({ clients: [{ ...closing, running: 1 }] }))).toEqual([])
    expect(plan(viewWith({ clients: [{ ...closing, used: 6n }] }))).toEqual([])
  })
})

describe('a contract that is wound up', () => {
  const paid = { owner: '0:w', signable: 7n, earned: 7n }
  test('is closed first, then everybody gets what is theirs, then it ends', () => {
    const draining = (over: Partial<PlanView>) => plan(viewWith({ isDraining: true, ...over }))
    const open = { clients: [client({ signable: 7n, used: 7n })], workers: [worker(paid)] }
    expect(draining(open)).toEqual([
      { do: 'close' },
      { do: 'grant', owner: '0:c', tokens: 7n },
      { do: 'pay', owner: '0:w', tokens: 7n },
    ])
    const closing = { state: 'closing', balanceNano: 0n, potNano: TON, unlockTs: 900 } as const
    const refunded = [client({ state: 'closed', tokens: 7n, signable: 7n, used: 7n })]
    expect(draining({ proxy: closing, clients: refunded, workers: [worker(paid)] })).toEqual([
      { do: 'pay-last', owner: '0:w', tokens: 7n },
    ])
    const done = [worker({ ...paid, tokens: 7n, state: 'closed' })]
    expect(draining({ proxy: closing, clients: refunded, workers: done })).toEqual([{ do: 'complete' }])
    expect(draining({ proxy: { ...closing, unlockTs: 1_000 }, clients: refunded, workers: done })).toEqual([])
  })
})

test('whatever the positions: no order is above what may be signed, below what was done, or more than the pot', () => {
  const total = fc.bigInt({ min: 0n, max: 2n * TON })
  const state = fc.constantFrom('absent', 'normal', 'closing', 'closed' as const)
  const position = fc
    .record({ a: total, b: total, c: total, state, balanceNano: total, running: fc.nat(1) })
    .map(({ a, b, c, ...rest }) => {
      const [tokens, signable, used] = [a, b, c].toSorted((x, y) => (x < y ? -1 : 1)) as [bigint, bigint, bigint]
      return { ...rest, tokens, signable, used, earned: used }
    })
  fc.assert(
    fc.property(
      fc.array(position, { maxLength: 4 }),
      fc.array(position, { maxLength: 4 }),
      total,
      fc.boolean(),
      (cs, ws, potNano, isDraining) => {
        const clients = cs.map((c, i) => ({ ...c, owner: `0:c${i}` }) as ClientPosition)
        const workers = ws.map((w, i) => ({ ...w, owner: `0:w${i}` }) as WorkerPosition)
        const view = viewWith({
          clients,
          workers,
          isDraining,
          proxy: { state: 'normal', balanceNano: 0n, potNano, unlockTs: 0 },
        })
        let fromPot = 0n
        for (const order of plan(view)) {
          if (!('owner' in order)) continue
          const isClient = order.do === 'charge' || order.do === 'grant'
          const at = (isClient ? clients : workers).find((p) => p.owner === order.owner) as ClientPosition
          expect(order.tokens).toBeLessThanOrEqual(at.signable)
          expect(order.tokens).toBeGreaterThanOrEqual(at.tokens)
          expect(at.state).not.toBe('closed')
          if (!isClient) fromPot += (order.tokens - at.tokens) * 20n
        }
        expect(fromPot).toBeLessThanOrEqual(potNano)
      },
    ),
  )
})
