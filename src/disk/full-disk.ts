/** Writes that must not be forgotten, on a disk that may be full: made again until there is room, and said once. */
import type { Clock, CocoonError, ErrorCode, Log } from '../util/index.ts'

export interface FullDisk {
  /** Does the work again and again while the disk is full. Rejects with what else goes wrong. */
  waitOut<T>(work: () => Promise<T>): Promise<T>
  /** Why the last write failed; null when it went well. */
  trouble(): CocoonError | null
}

/** A full disk is looked at again after this. */
const RETRY_MS = 2_000

/**
 * @param options.full the code of an error that says: full, and nothing of this was written
 * @param options.says for the log: what cannot be written
 */
export function createFullDisk(
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  { full, says }: { readonly full: ErrorCode; readonly says: string },
): FullDisk {
  let trouble: CocoonError | null = null
  return {
    async waitOut(work) {
      for (;;)
        try {
          const done = await work()
          trouble = null
          return done
        } catch (error) {
          const why = error as CocoonError
          if (trouble?.code !== why.code) log.error(says, { code: why.code, message: why.message })
          trouble = why
          if (why.code !== full) throw why
          await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve))
        }
    },
    trouble: () => trouble,
  }
}
