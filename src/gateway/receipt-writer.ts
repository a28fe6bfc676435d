/** Receipts on their way to the disk: nobody waits for one, those of a moment share a write, and none is lost while there is hope. */
import { createFullDisk } from '../disk/index.ts'
import type { GroupCommit } from '../ledger/index.ts'
import type { Clock, CocoonError, Log, Metrics, Timer } from '../util/index.ts'
import type { ApiKey, Receipt, Refused } from './accounts.ts'
import { createRefusals } from './refusals.ts'
import type { Change } from './store.ts'

export interface ReceiptWriter {
  record(receipt: Receipt): void
  refused(refused: Refused): void
  /** Tries until the disk takes it, or nothing can be written any more. Never rejects. */
  write(change: Change): Promise<void>
  /** Resolves when all that was recorded is on the disk, as far as it takes anything. */
  written(): Promise<void>
  /** Why no further request can be taken; null while all is well. */
  trouble(): CocoonError | null
}

/** At most so many receipts wait for a moment's end. */
export const RECEIPTS_A_GROUP = 1_000
const EVERY_MS = 100
/** More than this waiting for a disk that takes nothing: no further requests. */
const MAX_UNWRITTEN = 10_000

/** @param keyById of which keys a refused request may be */
export function createReceiptWriter(
  deps: { readonly clock: Clock; readonly log: Log; readonly metrics: Metrics },
  commit: Pick<GroupCommit<Change>, 'add' | 'idle'>,
  keyById: (id: string) => ApiKey | undefined,
): ReceiptWriter {
  const { clock } = deps
  const disk = createFullDisk(deps, { full: 'capacity.gateway-full', says: 'the gateway cannot write receipts' })
  const refusals = createRefusals(keyById)
  let fresh: Receipt[] = []
  let unwritten = 0
  let timer: Timer | null = null
  /** One at a time: behind a slow disk more of them are counted together. */
  let writingRefusals: Promise<void> | null = null
  deps.metrics.gauge(
    'gateway_unwritten_receipts',
    'Receipts that are not on the disk yet',
    () => unwritten + fresh.length,
  )

  function writeSoon(): void {
    timer ??= clock.after(EVERY_MS, writeFresh)
  }

  function writeFresh(): void {
    timer?.cancel()
    timer = null
    const receipts = fresh
    fresh = []
    for (const receipt of receipts) void write({ put: 'receipt', receipt })
    writeRefusals()
  }

  /** What a disk does not take is given up: refusals move no money, and are in the metrics as well. */
  function writeRefusals(): void {
    const change = writingRefusals === null ? refusals.take() : null
    if (change === null) return
    writingRefusals = commit
      .add(change)
      .catch(() => undefined)
      .then(() => {
        writingRefusals = null
        writeSoon()
      })
  }

  async function write(change: Change): Promise<void> {
    unwritten++
    try {
      await disk.waitOut(() => commit.add(change))
      unwritten--
    } catch {
      // Told by `trouble`. Only reading the file anew could tell what it holds; receipts stay countable in the log of the proxy.
    }
  }

  return {
    record(receipt) {
      fresh.push(receipt)
      if (fresh.length >= RECEIPTS_A_GROUP) writeFresh()
      else writeSoon()
    },
    refused(one) {
      refusals.add(one, clock.now())
      if (writingRefusals === null) writeSoon()
    },
    write,
    async written() {
      writeFresh()
      while (writingRefusals !== null) {
        await writingRefusals
        writeRefusals()
      }
      return commit.idle()
    },
    trouble() {
      const why = disk.trouble()
      return why?.code === 'capacity.gateway-failed' || unwritten > MAX_UNWRITTEN ? why : null
    },
  }
}
