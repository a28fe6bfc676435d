/** The rules every ledger keeps, run against each implementation. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type ClientFunds, type Hold, type Ledger, NO_TOKENS } from './index.ts'

const funds: ClientFunds = { balanceNano: 1_000n, stakeNano: 600n, scTokensUsed: 0n }

/** @param create a fresh ledger at this price */
export function ledgerSuite(create: (options: { pricePerToken: bigint }) => Ledger): void {
  test('what is available is the smaller of payment and stake, less holds and use', async () => {
    const ledger = create({ pricePerToken: 2n })
    expect(ledger.openClient('0:c', funds).available).toBe(300n)
    const hold = ledger.reserve('0:c', 100n) as Hold
    expect(ledger.client('0:c')?.available).toBe(200n)
    ledger.openWorker('0:w')
    await ledger.settle(hold, '0:w', { ...NO_TOKENS, prompt: 30n, total: 30n })
    expect(ledger.client('0:c')?.available).toBe(270n)
    expect(ledger.worker('0:w')?.totals.max).toBe(30n)
  })

  test('a hold above what is available is refused and says what there is', () => {
    const ledger = create({ pricePerToken: 1n })
    ledger.openClient('0:c', funds)
    expect(ledger.reserve('0:c', 601n)).toMatchObject({ short: { available: 600n } })
    expect(ledger.client('0:c')).toMatchObject({ reserved: 0n, running: 0 })
  })

  test('price zero buys tokens without end in sight', () => {
    expect(create({ pricePerToken: 0n }).openClient('0:c', funds).available).toBe(1_000_000_000_000n)
  })

  test('a hold ends once', async () => {
    const ledger = create({ pricePerToken: 1n })
    ledger.openClient('0:c', funds)
    const hold = ledger.reserve('0:c', 5n) as Hold
    ledger.release(hold)
    expect(() => ledger.release(hold)).toThrowError(expect.objectContaining({ code: 'bug.hold-ended-twice' }))
    ledger.openWorker('0:w')
    await expect(ledger.settle(hold, '0:w', NO_TOKENS)).rejects.toMatchObject({ code: 'bug.hold-ended-twice' })
  })

  test('more than the hold is never charged', async () => {
    const ledger = create({ pricePerToken: 1n })
    ledger.openClient('0:c', funds)
    ledger.openWorker('0:w')
    const hold = ledger.reserve('0:c', 5n) as Hold
    await expect(ledger.settle(hold, '0:w', { ...NO_TOKENS, prompt: 6n, total: 6n })).rejects.toMatchObject({
      code: 'bug.settle-outside-hold',
    })
  })

  test('committed totals follow one commit behind and never pass the metered one', async () => {
    const ledger = create({ pricePerToken: 1n })
    ledger.openClient('0:c', funds)
    ledger.openWorker('0:w')
    await ledger.settle(ledger.reserve('0:c', 5n) as Hold, '0:w', { ...NO_TOKENS, prompt: 5n, total: 5n })
    expect(ledger.worker('0:w')?.totals).toEqual({ max: 5n, db: 0n, chain: 0n })
    await ledger.commit()
    expect(ledger.worker('0:w')?.totals).toEqual({ max: 5n, db: 5n, chain: 0n })
    await ledger.commit()
    expect(ledger.worker('0:w')?.totals).toEqual({ max: 5n, db: 5n, chain: 5n })
  })

  test('whatever is reserved, settled and released: workers earned what clients used, and nobody overspends', async () => {
    const step = fc.record({
      client: fc.nat(2),
      worker: fc.nat(2),
      want: fc.nat(400),
      use: fc.double({ min: 0, max: 1, noNaN: true }),
      end: fc.constantFrom('settle', 'release', 'hold'),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const ledger = create({ pricePerToken: 1n })
        const names = ['0:a', '0:b', '0:c']
        for (const name of names) ledger.openClient(name, funds)
        for (const name of names) ledger.openWorker(name)
        for (const s of steps) {
          const hold = ledger.reserve(names[s.client] as string, BigInt(s.want))
          if ('short' in hold) continue
          const used = BigInt(Math.floor(s.want * s.use))
          if (s.end === 'settle')
            await ledger.settle(hold, names[s.worker] as string, { ...NO_TOKENS, completion: used, total: used })
          if (s.end === 'release') ledger.release(hold)
        }
        const sum = (accounts: readonly { totals: { max: bigint } }[]): bigint =>
          accounts.reduce((n, a) => n + a.totals.max, 0n)
        expect(sum(ledger.clients())).toBe(sum(ledger.workers()))
        for (const client of ledger.clients()) expect(client.available).toBeGreaterThanOrEqual(0n)
      }),
      { numRuns: 60 },
    )
  })
}
