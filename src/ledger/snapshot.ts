/**
 * Totals that outlive a restart: one small file, replaced as a whole at every commit. What happened since the last commit is
 * lost with a killed process; peers hold a newer total then, and the handshake's comparison tells.
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import { CocoonError } from '../util/index.ts'

const count = z.string().regex(/^\d+$/).transform(BigInt)
const totals = { owner: z.string(), max: count, db: count, chain: count }

const Snapshot = z.strictObject({
  format: z.literal(1),
  clients: z.array(z.strictObject({ ...totals, balanceNano: count, stakeNano: count, scTokensUsed: count })),
  workers: z.array(z.strictObject(totals)),
})
export type LedgerSnapshot = z.output<typeof Snapshot>

/** Where a ledger keeps its snapshot. */
export interface SnapshotStore {
  load(): LedgerSnapshot | null
  /** Resolves when the snapshot is on the disk. */
  save(snapshot: LedgerSnapshot): Promise<void>
}

export const noSnapshots: SnapshotStore = { load: () => null, save: async () => undefined }

/** Throws `config.ledger-file` for a file that is there but is not ours: starting from zero would forget what is owed. */
export function createSnapshotFile(path: string): SnapshotStore {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  return {
    load() {
      let text: string
      try {
        text = readFileSync(path, 'utf8')
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
        throw broken(path, error)
      }
      try {
        return Snapshot.parse(JSON.parse(text))
      } catch (error) {
        throw broken(path, error)
      }
    },
    async save(snapshot) {
      const text = JSON.stringify(snapshot, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value))
      const file = await open(`${path}.new`, 'w', 0o600)
      try {
        await file.writeFile(text)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(`${path}.new`, path)
    },
  }
}

const broken = (path: string, cause: unknown): CocoonError =>
  new CocoonError('config.ledger-file', { message: `${path} is not a ledger of this proxy; restore it from a backup, or move it away to start from zero` }, { cause })

