/** The rules every ledger keeps, run against each implementation. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type AdjustedTokens, type ClientFunds, type Hold, type Ledger, NO_TOKENS } from './index.ts'

const funds: ClientFunds = { balanceNano: 1_000n, stakeNano: 600n, scTokensUsed: 0n }

const prompt = (n: bigint): AdjustedTokens => ({ ...NO_TOKENS, prompt: n, total: n })

/** @param create a fresh ledger at this price */
export function ledgerSuite(
  create: (options: { pricePerToken: bigint }) => Ledger | Promise<Ledger>,
  { runs } = { runs: 60 },
): void {
  test('what is available is the smaller of payment and stake, less holds and use', async () => {
    const ledger = await create({ pricePerToken: 2n })
    expect(ledger.openClient('0:c', funds).available).toBe(300n)
    const hold = ledger.reserve('0:c', 100n) as Hold
    expect(ledger.client('0:c')?.available).toBe(200n)
    ledger.openWorker('0:w')
    await ledger.settle(hold, '0:w', { ...NO_TOKENS, prompt: 30n, total: 30n })
    expect(ledger.client('0:c')?.available).toBe(270n)
    expect(ledger.worker('0:w')?.totals.max).toBe(30n)
  })

  test('a hold above what is available is refused and says what there is', async () => {
    const ledger = await create({ pricePerToken: 1n })
    ledger.openClient('0:c', funds)
    expect(ledger.reserve('0:c', 601n)).toMatchObject({ short: { available: 600n } })
    expect(ledger.client('0:c')).toMatchObject({ reserved: 0n, running: 0 })
  })

  test('price zero buys tokens without end in sight', async () => {
    expect((await create({ pricePerToken: 0n })).openClient('0:c', funds).available).toBe(1_000_000_000_000n)
  })

  test('a hold ends once', async () => {
    const ledger = await create({ pricePerToken: 1n })
    ledger.openClient('0:c', funds)
    const hold = ledger.reserve('0:c', 5n) as Hold
    ledger.release(hold)
    expect(() => ledger.release(hold)).toThrowError(expect.objectContaining({ code: 'bug.hold-ended-twice' }))
    ledger.openWorker('0:w')
    await expect(ledger.settle(hold, '0:w', NO_TOKENS)).rejects.toMatchObject({ code: 'bug.hold-ended-twice' })
  })

  test('more than the hold is never charged', async () => {
    const ledger = await create({ pricePerToken: 1n })
    ledger.openClient('0:c', funds)
    ledger.openWorker('0:w')
    const hold = ledger.reserve('0:c', 5n) as Hold
    await expect(ledger.settle(hold, '0:w', { ...NO_TOKENS, prompt: 6n, total: 6n })).rejects.toMatchObject({
      code: 'bug.settle-outside-hold',
    })
  })

  test('a settlement counts when it is durable: until then its hold stands, and no total shows it', async () => {
    const ledger = await create({ pricePerToken: 1n })
    ledger.openClient('0:c', funds)
    ledger.openWorker('0:w')
    const settling = ledger.settle(ledger.reserve('0:c', 100n) as Hold, '0:w', prompt(40n))
    const now = ledger.client('0:c')
    expect([0n, 40n]).toContain(now?.totals.max)
    expect(now?.reserved).toBe(now?.totals.max === 0n ? 100n : 0n)
    const settled = await settling
    expect(settled.client).toMatchObject({ totals: { max: 40n, db: 40n }, reserved: 0n, running: 0, available: 560n })
    expect(settled.worker.totals).toMatchObject({ max: 40n, db: 40n })
  })

  test('committed totals move at a commit, and only up to what is written', async () => {
    const ledger = await create({ pricePerToken: 1n })
    ledger.openClient('0:c', funds)
    ledger.openWorker('0:w')
    await ledger.settle(ledger.reserve('0:c', 5n) as Hold, '0:w', prompt(5n))
    expect(ledger.worker('0:w')?.totals).toEqual({ max: 5n, db: 5n, chain: 0n })
    await ledger.commit()
    expect(ledger.worker('0:w')?.totals).toEqual({ max: 5n, db: 5n, chain: 5n })
    expect(ledger.client('0:c')?.totals).toEqual({ max: 5n, db: 5n, chain: 5n })
    await Promise.all([ledger.settle(ledger.reserve('0:c', 7n) as Hold, '0:w', prompt(7n)), ledger.commit()])
    const { db, chain } = ledger.worker('0:w')?.totals ?? { db: 0n, chain: 1n }
    expect(db).toBe(12n)
    expect(chain).toBeLessThanOrEqual(db)
    expect(ledger.trouble()).toBeNull()
  })

  test('a commit that says how far goes no further, never back, and never above what is written', async () => {
    const ledger = await create({ pricePerToken: 1n })
    ledger.openClient('0:c', funds)
    ledger.openWorker('0:w')
    await ledger.settle(ledger.reserve('0:c', 50n) as Hold, '0:w', prompt(50n))
    const upTo = (client: bigint, worker: bigint): Promise<void> =>
      ledger.commit({ clients: new Map([['0:c', client]]), workers: new Map([['0:w', worker]]) })
    await upTo(20n, 30n)
    expect([ledger.client('0:c')?.totals.chain, ledger.worker('0:w')?.totals.chain]).toEqual([20n, 30n])
    await upTo(10n, 70n)
    expect([ledger.client('0:c')?.totals.chain, ledger.worker('0:w')?.totals.chain]).toEqual([20n, 50n])
    await ledger.commit({ clients: new Map(), workers: new Map() })
    expect(ledger.client('0:c')?.totals).toEqual({ max: 50n, db: 50n, chain: 20n })
  })

  test('what a client’s contract says by now decides what is available', async () => {
    const ledger = await create({ pricePerToken: 1n })
    ledger.openClient('0:c', funds)
    ledger.openWorker('0:w')
    await ledger.settle(ledger.reserve('0:c', 500n) as Hold, '0:w', prompt(500n))
    expect(ledger.client('0:c')?.available).toBe(100n)
    ledger.fund('0:c', { balanceNano: 500n, stakeNano: 600n, scTokensUsed: 500n, isClosing: true })
    expect(ledger.client('0:c')).toMatchObject({ available: 500n, funds: { isClosing: true } })
    expect(() => ledger.fund('0:x', funds)).toThrowError(expect.objectContaining({ code: 'bug.unknown-client' }))
  })

  test('facts are kept until they are forgotten', async () => {
    const ledger = await create({ pricePerToken: 1n })
    await ledger.remember({ cursor: '5', session: 'a' })
    await ledger.remember({ cursor: '6', session: null })
    expect([ledger.fact('cursor'), ledger.fact('session')]).toEqual(['6', undefined])
  })

  test('a settlement for a worker that nobody opened leaves the hold as it was', async () => {
    const ledger = await create({ pricePerToken: 1n })
    ledger.openClient('0:c', funds)
    const hold = ledger.reserve('0:c', 5n) as Hold
    await expect(ledger.settle(hold, '0:w', NO_TOKENS)).rejects.toMatchObject({ code: 'bug.unknown-worker' })
    ledger.release(hold)
    expect(ledger.client('0:c')).toMatchObject({ reserved: 0n, running: 0 })
  })

  test('whatever is reserved, settled and released: workers earned what clients used, and nobody overspends', async () => {
    const step = fc.record({
      client: fc.nat(2),
      worker: fc.nat(2),
      want: fc.nat(400),
      use: fc.double({ min: 0, max: 1, noNaN: true }),
      end: fc.constantFrom('settle', 'settle and wait', 'release', 'hold', 'commit'),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const ledger = await create({ pricePerToken: 1n })
        const names = ['0:a', '0:b', '0:c']
        for (const name of names) ledger.openClient(name, funds)
        for (const name of names) ledger.openWorker(name)
        const settling: Promise<unknown>[] = []
        for (const s of steps) {
          const hold = ledger.reserve(names[s.client] as string, BigInt(s.want))
          if ('short' in hold) continue
          const used = BigInt(Math.floor(s.want * s.use))
          const worker = names[s.worker] as string
          if (s.end.startsWith('settle'))
            settling.push(ledger.settle(hold, worker, { ...NO_TOKENS, completion: used, total: used }))
          if (s.end === 'settle and wait') await settling.at(-1)
          if (s.end === 'release') ledger.release(hold)
          if (s.end === 'commit') settling.push(ledger.commit())
          for (const { available, totals } of ledger.clients()) {
            expect(available).toBeGreaterThanOrEqual(0n)
            expect(totals.chain).toBeLessThanOrEqual(totals.db)
            expect(totals.db).toBeLessThanOrEqual(totals.max)
          }
        }
        await Promise.all(settling)
        const sum = (accounts: readonly { totals: { max: bigint } }[]): bigint =>
          accounts.reduce((n, a) => n + a.totals.max, 0n)
        expect(sum(ledger.clients())).toBe(sum(ledger.workers()))
      }),
      { numRuns: runs },
    )
  })
}
