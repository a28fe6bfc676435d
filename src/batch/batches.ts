/**
 * Files and batches of a client node. What was accepted is on the disk before the caller hears of it; after a crash each batch goes
 * on where it was. The rules are in batch-state.ts, the lines in runner.ts; here they meet the disk and the clock.
 */
import { join } from 'node:path'
import type { Gateway } from '../gateway/index.ts'
import type { ChargeRecall, Inference } from '../roles/client/index.ts'
import {
  type Clock,
  type CocoonError,
  type Log,
  type Metrics,
  type Random,
  type Timer,
  toCocoonError,
  toHex,
} from '../util/index.ts'
import { advance, type BatchEvent, newBatch } from './batch-state.ts'
import type { LineDesk } from './desk.ts'
import { batchError } from './errors.ts'
import { createFiles, type Files, type Viewer } from './files.ts'
import type { Entry, WaitReason } from './lanes.ts'
import { settleLost } from './lost-attempts.ts'
import type { BatchOptions } from './options.ts'
import { closed } from './progress.ts'
import {
  type Batch,
  type BatchOrder,
  isOver,
  type NewLine,
  NO_PROGRESS,
  type Progress,
  type StoredFile,
} from './records.ts'
import { createRunner } from './runner.ts'
import type { Change } from './store.ts'
import { openStoreAccess } from './store-access.ts'
import { validateInput } from './validate.ts'
import { openVault } from './vault.ts'

export interface BatchesDeps {
  readonly clock: Clock
  /** Secure: who knows an id has nothing without a key, but ids are not to be guessed either. */
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
  readonly desk: LineDesk
  readonly gateway: Pick<Gateway, 'budgets' | 'written' | 'receipts' | 'record'>
  readonly inference: Pick<Inference, 'models'>
  /** Tells after a crash what lines were charged; null where nobody can be asked. */
  readonly recall: ChargeRecall | null
  /** Whether requests that somebody waits for lack room. */
  readonly isInteractiveWaiting: () => boolean
}

/** A batch as it is now. */
export interface BatchView {
  readonly batch: Batch
  readonly progress: Progress
  /** What holds it up, while it is in progress. */
  readonly waiting: WaitReason | null
}

export interface Batches {
  readonly files: Files
  /** Throws `request.no-file`, `request.idempotency-key`, `capacity.batch-…`. */
  create(viewer: Viewer, order: BatchOrder, windowMs: number): Promise<BatchView>
  /** Throws `request.no-batch`. */
  get(viewer: Viewer, id: string): BatchView
  /** The newest first. */
  list(viewer: Viewer): readonly BatchView[]
  /** Throws `request.no-batch`, `request.batch-over`. */
  cancel(viewer: Viewer, id: string): Promise<BatchView>
  /** Why nothing can be kept. */
  trouble(): CocoonError | null
  /** Sends no further lines; resolves with true when none is under way, with false after `deadlineMs`. */
  drain(deadlineMs: number): Promise<boolean>
  /** What is still under way is asked again after the next start. Drain first. */
  close(): Promise<void>
}

/** Windows and files end on time to this. */
const WATCH_MS = 1_000

/** @param options.folder of the store and the files. Throws `config.batch-…` */
export async function openBatches(
  deps: BatchesDeps,
  options: BatchOptions & { readonly folder: string },
): Promise<Batches> {
  const { clock, random, log, gateway } = deps
  const store = await openStoreAccess(deps, join(options.folder, 'batches.sqlite'))
  const { kept } = store
  const vault = openVault(join(options.folder, 'files'), new Set(kept.files.map(({ id }) => id)))
  const entries = new Map<string, Entry>()
  for (const batch of kept.batches)
    entries.set(batch.id, { batch, progress: batch.result ?? kept.progress.get(batch.id) ?? NO_PROGRESS })
  /** What brings a batch to where its lines run, by its id. */
  const starting = new Map<string, { readonly abort: AbortController; readonly over: Promise<void> }>()
  const files = createFiles(
    {
      clock,
      random,
      store,
      vault,
      userOf: (file) => [...entries.values()].find(({ batch }) => batch.inputFile === file && !isOver(batch))?.batch.id,
    },
    options,
  )
  const runner = createRunner(
    {
      ...deps,
      accounts: gateway,
      store,
      onAnswered: (entry) => void guarded(entry, endWith(entry, { is: 'answered' })),
      onStop: (batch, why) => stopFor(batch, why),
    },
    options,
  )
  let isClosed = false
  let watch: Timer | null = null

  /** The batch after the event, on the disk. */
  async function change(entry: Entry, event: BatchEvent, more: readonly Change[] = []): Promise<boolean> {
    const before = entry.batch
    const after = advance(before, event, clock.now())
    if (after === before) return false
    // At once: whoever comes a moment later must not decide by what was.
    entry.batch = after
    log.info('a batch changed', { batch: after.id, status: after.status })
    await store.keep([{ put: 'batch', batch: after }, ...more])
    return true
  }

  /** The event, and the files where it ends the batch. */
  async function endWith(entry: Entry, event: BatchEvent): Promise<void> {
    if (await change(entry, event)) await finalize(entry)
  }

  /** Goes on where the batch is. */
  function begin(entry: Entry): void {
    const { id, status } = entry.batch
    if (status !== 'validating' && status !== 'in_progress') {
      if (!isOver(entry.batch)) void guarded(entry, finalize(entry))
      return
    }
    const abort = new AbortController()
    const work = status === 'validating' ? validate(entry, abort.signal) : run(entry)
    const over = work
      .catch((error: unknown) => {
        if (!abort.signal.aborted) throw error
      })
      .finally(() => starting.delete(id))
    starting.set(id, { abort, over })
    void guarded(entry, over)
  }

  /** Nothing that a batch does on its own may end quietly. */
  async function guarded(entry: Entry, work: Promise<void>): Promise<void> {
    try {
      await work
    } catch (thrown) {
      const error = toCocoonError(thrown)
      if (isClosed) return
      log.error('a batch cannot go on', { batch: entry.batch.id, code: error.code, message: error.message })
      if (error.family === 'request') stopFor(entry.batch.id, error)
    }
  }

  async function validate(entry: Entry, signal: AbortSignal): Promise<void> {
    const { id, inputFile, endpoint } = entry.batch
    await store.keep([{ drop: 'lines', batch: id }])
    const input = await vault.read(inputFile)
    let total = 0
    const keep = async (lines: readonly NewLine[]): Promise<void> => {
      await store.keep([{ put: 'lines', batch: id, lines }])
      total += lines.length
    }
    const checking = validateInput(input, endpoint, deps.desk, options, keep, signal)
    const problems = await checking.finally(() => void input.close())
    if (problems.length > 0) {
      await change(entry, { is: 'invalid', problems }, [{ drop: 'lines', batch: id }])
      return
    }
    if (signal.aborted) return
    entry.progress = { ...NO_PROGRESS, total }
    if (await change(entry, { is: 'validated' })) await run(entry)
  }

  async function run(entry: Entry): Promise<void> {
    const { id, inputFile } = entry.batch
    await lost.over(id)
    if (isClosed || entry.batch.status !== 'in_progress') return
    const models = await store.models(id)
    runner.add(entry, await vault.read(inputFile), models)
  }

  /** Ends a batch whose lines nobody may or can answer any more. */
  function stopFor(id: string, { code, message }: CocoonError): void {
    const entry = entries.get(id)
    if (entry === undefined) return
    const problem = { code, message, param: null, line: null }
    void guarded(entry, endWith(entry, { is: 'stopped', problem, ending: { as: 'failed', code, message } }))
  }

  async function finalize(entry: Entry): Promise<void> {
    const { id } = entry.batch
    const start = starting.get(id)
    start?.abort.abort()
    await start?.over.catch(() => undefined)
    await runner.stop(id)
    await lost.over(id)
    if (isClosed) return
    const { project, keepOutputMs, ending, inProgressMs } = entry.batch
    const ids = { answers: files.newId(), failures: files.newId() }
    const paths = { answersPath: vault.pathOf(ids.answers), failuresPath: vault.pathOf(ids.failures) }
    const unanswered = ending ?? { code: 'bug.unanswered', message: 'This line was not answered.' }
    const wasRun = inProgressMs !== null
    const sizes = wasRun
      ? await store.outputs({ batch: id, ...paths, unanswered: { code: unanswered.code, message: unanswered.message } })
      : { answersBytes: null, failuresBytes: null }
    const now = clock.now()
    const fileOf = (file: string, bytes: number | null, name: string): StoredFile[] =>
      bytes === null
        ? []
        : [{ id: file, project, purpose: 'batch_output', name, bytes, createdMs: now, expiresMs: now + keepOutputMs }]
    const answers = fileOf(ids.answers, sizes.answersBytes, `${id}_output.jsonl`)
    const failures = fileOf(ids.failures, sizes.failuresBytes, `${id}_error.jsonl`)
    const result = wasRun ? closed(entry.progress) : NO_PROGRESS
    const written = {
      is: 'written',
      outputFile: answers[0]?.id ?? null,
      errorFile: failures[0]?.id ?? null,
      result,
    } as const
    const made = [...answers, ...failures]
    const over = advance(entry.batch, written, now)
    await store.keep([
      { put: 'batch', batch: over },
      ...made.map((file) => ({ put: 'file', file }) as const),
      { drop: 'lines', batch: id },
    ])
    // Whoever sees that it is over finds its files.
    for (const file of made) files.add(file)
    entry.progress = result
    entry.batch = over
    log.info('a batch is over', { batch: id, status: over.status, completed: result.completed, failed: result.failed })
  }

  /** Windows end, files and ended batches are forgotten. */
  async function look(): Promise<void> {
    const now = clock.now()
    for (const entry of entries.values()) {
      const { batch } = entry
      if (!isOver(batch)) {
        if (batch.expiresMs > now) continue
        void guarded(entry, endWith(entry, { is: 'expired' }))
      } else if ((batch.endedMs ?? 0) + options.keepFilesMs <= now) {
        await store.apply([{ drop: 'batch', id: batch.id }])
        entries.delete(batch.id)
      }
    }
    await files.expire()
  }

  function watchOn(): void {
    if (isClosed) return
    watch = clock.after(WATCH_MS, () => {
      look()
        .catch((error: unknown) => log.warn('batches cannot be tidied up', { message: String(error) }))
        .finally(watchOn)
    })
  }

  const view = (entry: Entry): BatchView => ({
    batch: entry.batch,
    progress: entry.progress,
    waiting: entry.batch.status === 'in_progress' ? runner.waitingFor(entry.batch.id) : null,
  })

  function entryOf(viewer: Viewer, id: string): Entry {
    const entry = entries.get(id)
    if (entry === undefined || (viewer !== null && entry.batch.project !== viewer))
      throw batchError('request.no-batch', `There is no batch '${id.slice(0, 80)}': see GET /v1/batches.`, {
        field: 'batch_id',
      })
    return entry
  }

  function repeated({ idempotency, caller }: BatchOrder): Entry | undefined {
    if (idempotency === null) return undefined
    const found = [...entries.values()].find(
      ({ batch }) => batch.caller === caller && batch.idempotency?.key === idempotency.key,
    )
    if (found !== undefined && found.batch.idempotency?.body !== idempotency.body)
      throw batchError(
        'request.idempotency-key',
        'This Idempotency-Key was used with another body: take a new key for a new batch.',
      )
    return found
  }

  const lost = await settleLost(kept.lost, entries, { ...deps, store, accounts: gateway })
  for (const entry of entries.values()) begin(entry)
  watchOn()

  return {
    files,
    async create(viewer, order, windowMs) {
      const before = repeated(order)
      if (before !== undefined) return view(before)
      files.get(viewer, order.inputFile)
      const entry = {
        batch: newBatch(`batch_${toHex(random.bytes(16))}`, order, clock.now(), windowMs),
        progress: NO_PROGRESS,
      }
      // Known before it is on the disk: two requests with one key make one batch, and nobody deletes its input meanwhile.
      entries.set(entry.batch.id, entry)
      try {
        await store.apply([{ put: 'batch', batch: entry.batch }])
      } catch (error) {
        entries.delete(entry.batch.id)
        throw error
      }
      begin(entry)
      return view(entry)
    },
    get: (viewer, id) => view(entryOf(viewer, id)),
    list: (viewer) =>
      [...entries.values()]
        .filter(({ batch }) => viewer === null || batch.project === viewer)
        .toSorted((a, b) => b.batch.createdMs - a.batch.createdMs || (a.batch.id < b.batch.id ? -1 : 1))
        .map(view),
    async cancel(viewer, id) {
      const entry = entryOf(viewer, id)
      if (isOver(entry.batch))
        throw batchError(
          'request.batch-over',
          `The batch is over (${entry.batch.status}): nothing is left to cancel.`,
          {
            field: 'batch_id',
          },
        )
      if (await change(entry, { is: 'cancelled' })) void guarded(entry, finalize(entry))
      return view(entry)
    },
    trouble: () => store.trouble(),
    drain(deadlineMs) {
      return new Promise((resolve) => {
        const timer = clock.after(deadlineMs, () => resolve(false))
        void runner.drain().then(() => {
          timer.cancel()
          resolve(true)
        })
      })
    },
    async close() {
      isClosed = true
      watch?.cancel()
      runner.abort()
      lost.abort()
      for (const { abort } of starting.values()) abort.abort()
      await Promise.all([...starting.values()].map(({ over }) => over.catch(() => undefined)))
      await store.close()
    },
  }
}
