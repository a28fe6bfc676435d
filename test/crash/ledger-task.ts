/** What ledger-process.ts is told to do, and what was true before its first start. */
export interface LedgerTask {
  /** `load` settles until it is killed; `script` goes once through everything that writes, then closes. */
  readonly do: 'load' | 'script'
  readonly path: string
  readonly seed: number
  readonly importFrom: string
  readonly keepEntries: number
  /** The process kills itself at this step of writing, counted from 1. */
  readonly dieAtStep?: number
}

export const CONTRACT = `0:${'ab'.repeat(32)}`
export const OWNERS = { client: ['0:c0', '0:c1', '0:c2'], worker: ['0:w0', '0:w1'] } as const

/** Totals of an earlier version, which the first start takes over. */
export const EARLIER_TOTAL = 1_000n
export const EARLIER = {
  format: 1,
  clients: [
    {
      owner: '0:c0',
      max: '1000',
      db: '1000',
      chain: '900',
      balanceNano: String(10n ** 17n),
      stakeNano: String(10n ** 17n),
      scTokensUsed: '0',
    },
  ],
  workers: [{ owner: '0:w0', max: '1000', db: '1000', chain: '1000' }],
}
