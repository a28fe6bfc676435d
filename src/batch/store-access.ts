/** This end of the store's thread: changes in groups, each durable when its promise resolves. */
import { createFullDisk, startStoreThread } from '../disk/index.ts'
import { createGroupCommit } from '../ledger/index.ts'
import { type Clock, type CocoonError, type Log } from '../util/index.ts'
import { batchError } from './errors.ts'
import type { OutputOrder, Outputs } from './outputs.ts'
import type { PendingLine } from './records.ts'
import type { Kept } from './select.ts'
import type { Change } from './store.ts'
import type { StoreAnswer, StoreJob, StoreOptions } from './store-thread.ts'

export interface StoreAccess {
  readonly kept: Kept
  /** Together or not at all. Rejects with `capacity.batch-full`, `capacity.batch-failed`. */
  apply(changes: readonly Change[]): Promise<void>
  /** As `apply`, but a full disk is waited out: for what must not be forgotten. */
  keep(changes: readonly Change[]): Promise<void>
  pending(batch: string, model: string, afterSeq: number, limit: number): Promise<readonly PendingLine[]>
  models(batch: string): Promise<readonly string[]>
  /** Waits out a full disk. */
  outputs(order: OutputOrder): Promise<Outputs>
  /** Why nothing can be kept. */
  trouble(): CocoonError | null
  close(): Promise<void>
}

const GROUP = { items: 1_000, groups: 2 }

/** Throws `config.batch-…`. */
export async function openStoreAccess(
  deps: { readonly clock: Clock; readonly log: Log },
  path: string,
): Promise<StoreAccess> {
  const workerData: StoreOptions = { path }
  const ended = (why: unknown): CocoonError =>
    batchError(
      'capacity.batch-failed',
      `The thread of the batches ended (${String(why)}): restart the client.`,
      {},
      why,
    )
  const thread = startStoreThread<Kept, StoreJob, StoreAnswer>({
    beside: import.meta.url,
    name: 'batches',
    workerData,
    ended,
  })
  const kept = await thread.opened
  const disk = createFullDisk(deps, { full: 'capacity.batch-full', says: 'batches cannot be written' })
  const commit = createGroupCommit<readonly Change[]>(GROUP, async (groups) => {
    await thread.do({ do: 'apply', changes: groups.flat() })
  })

  return {
    kept,
    apply: (changes) => commit.add(changes),
    keep: (changes) => disk.waitOut(() => commit.add(changes)),
    pending: async (batch, model, afterSeq, limit) =>
      (await thread.do({ do: 'pending', batch, model, afterSeq, limit })).pending ?? [],
    models: async (batch) => (await thread.do({ do: 'models', batch })).models ?? [],
    outputs: (order) => disk.waitOut(async () => (await thread.do({ do: 'outputs', order })).outputs as Outputs),
    trouble: disk.trouble,
    async close() {
      await commit.idle()
      await thread.close()
    },
  }
}
