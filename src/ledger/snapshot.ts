/** The totals file of earlier versions: one JSON object. Read once, to carry its totals over into a new ledger. */
import { existsSync, readFileSync } from 'node:fs'
import { z } from 'zod'
import type { KeptAccount } from './books.ts'
import { ledgerError } from './errors.ts'

const count = z.string().regex(/^\d+$/).transform(BigInt)
const totals = { owner: z.string(), max: count, db: count, chain: count }

const Snapshot = z.strictObject({
  format: z.literal(1),
  clients: z.array(z.strictObject({ ...totals, balanceNano: count, stakeNano: count, scTokensUsed: count })),
  workers: z.array(z.strictObject(totals)),
})

/** Null without a file. Throws `config.ledger-snapshot` for one that is no snapshot: starting from zero would forget what is owed. */
export function readSnapshot(path: string): readonly KeptAccount[] | null {
  if (!existsSync(path)) return null
  try {
    const { clients, workers } = Snapshot.parse(JSON.parse(readFileSync(path, 'utf8')))
    return [
      ...clients.map(({ owner, max: total, chain, balanceNano, stakeNano, scTokensUsed }) => {
        const funds = { balanceNano, stakeNano, scTokensUsed }
        return { role: 'client', owner, total, chain, funds } as const
      }),
      ...workers.map(({ owner, max: total, chain }) => ({ role: 'worker', owner, total, chain, funds: null }) as const),
    ]
  } catch (error) {
    const mend = 'restore it from a backup, or move it away to start from zero'
    throw ledgerError('config.ledger-snapshot', `${path} is not a totals file of this proxy: ${mend}`, error)
  }
}
