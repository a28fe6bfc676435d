/**
 * `Idempotency-Key`: a repeated POST gets the first one's answer, from memory, and is charged once. The first goes on when its
 * caller leaves, so that whoever lost the connection can ask again. Failures are not kept: asking again is then worth it.
 * Answers stay in memory only, bounded in number, bytes and time; of requests only a hash is kept.
 */
import { createHash } from 'node:crypto'
import {
  type Inference,
  type InferenceRequest,
  type InferenceSink,
  NO_STORY,
  type RunningInference,
} from '../roles/client/index.ts'
import { copyBytes, type Clock, type CocoonError, toHex } from '../util/index.ts'
import { apiError } from './errors.ts'
import { formFingerprint, TRANSCRIPTION_PATH } from './transcription.ts'

export interface AnswerMemory {
  /**
   * @param scope who asks: keys of one caller mean nothing to another
   * @param fingerprint see `fingerprintOf`
   * @returns an inference for one run. Throws `request.idempotency-key` for a key that is malformed, or was used with another body,
   * or whose answer could not be kept
   */
  inferenceFor(
    key: string,
    scope: string,
    fingerprint: Uint8Array,
  ): { readonly inference: Inference; readonly isRepeated: boolean }
}

/** What the repetition of a request has in common with it. */
export function fingerprintOf({
  path,
  headers,
  body,
}: Pick<InferenceRequest, 'path' | 'headers' | 'body'>): Uint8Array {
  if (path !== TRANSCRIPTION_PATH) return body
  return formFingerprint(body, headers.find(([name]) => name === 'content-type')?.[1] ?? '')
}

export interface AnswerMemoryLimits {
  readonly maxAnswers: number
  readonly maxBytes: number
  readonly ttlMs: number
}

/** As long as a caller's retries last; as much memory as a node has to spare. */
export const ANSWER_MEMORY: AnswerMemoryLimits = { maxAnswers: 10_000, maxBytes: 64 << 20, ttlMs: 10 * 60_000 }

/** Printable ASCII. */
const KEY = /^[\x21-\x7e]{1,255}$/

/** What the header must be, wherever one is taken. Throws `request.idempotency-key`. */
export function parseIdempotencyKey(header: string | readonly string[]): string {
  if (typeof header === 'string' && KEY.test(header)) return header
  throw apiError('request.idempotency-key', { message: 'Idempotency-Key must be 1 to 255 printable characters.' })
}

type Event =
  | { readonly is: 'head'; readonly head: Parameters<InferenceSink['head']>[0] }
  | { readonly is: 'part'; readonly bytes: Uint8Array }
  | { readonly is: 'end'; readonly info: Parameters<InferenceSink['end']>[0] }

interface Kept {
  readonly bodyHash: string
  readonly sinceMs: number
  events: Event[]
  bytes: number
  /** Ends with `end`. */
  state: 'running' | 'ended' | 'too-large'
  /** Once it has failed it is forgotten, but for those who came a moment before. */
  failure: { readonly error: CocoonError; readonly info: Parameters<InferenceSink['fail']>[1] } | null
  readonly listeners: Set<InferenceSink>
}

export function createAnswerMemory(clock: Clock, inference: Inference, limits = ANSWER_MEMORY): AnswerMemory {
  /** The oldest first. */
  const keptById = new Map<string, Kept>()
  let totalBytes = 0

  function forget(id: string): void {
    const kept = keptById.get(id)
    if (kept === undefined) return
    keptById.delete(id)
    totalBytes -= kept.bytes
  }

  /** Those that run are left alone: their callers may still come back. */
  function makeRoom(): void {
    const now = clock.now()
    for (const [id, { state, sinceMs }] of keptById) {
      const isOld = now - sinceMs > limits.ttlMs
      if (!isOld && keptById.size <= limits.maxAnswers && totalBytes <= limits.maxBytes) return
      if (state !== 'running') forget(id)
    }
  }

  function tellAll(kept: Kept, tell: (sink: InferenceSink) => void): void {
    for (const sink of kept.listeners) tell(sink)
  }

  function record(id: string, kept: Kept): InferenceSink {
    const add = (event: Event, bytes: number): void => {
      if (kept.state !== 'running') return
      if (kept.bytes + bytes > limits.maxBytes / 4) {
        totalBytes -= kept.bytes
        Object.assign(kept, { state: 'too-large', events: [], bytes: 0 })
        return
      }
      kept.events.push(event)
      kept.bytes += bytes
      totalBytes += bytes
    }
    return {
      head(head) {
        add({ is: 'head', head }, HEAD_BYTES)
        tellAll(kept, (sink) => sink.head(head))
      },
      part(bytes) {
        // The bytes are only lent.
        add({ is: 'part', bytes: copyBytes(bytes) }, bytes.length)
        tellAll(kept, (sink) => sink.part(bytes))
      },
      end(info) {
        add({ is: 'end', info }, 0)
        if (kept.state === 'running') kept.state = 'ended'
        tellAll(kept, (sink) => sink.end(info))
        kept.listeners.clear()
        makeRoom()
      },
      fail(error, info) {
        forget(id)
        kept.failure = { error, info }
        tellAll(kept, (sink) => sink.fail(error, info))
        kept.listeners.clear()
      },
    }
  }

  /** What came before, then what comes. */
  function follow(kept: Kept, sink: InferenceSink): RunningInference {
    let isGone = false
    // Never inside the caller's call.
    queueMicrotask(() => {
      for (const event of kept.events) {
        if (isGone) return
        if (event.is === 'head') sink.head(event.head)
        else if (event.is === 'part') sink.part(event.bytes)
        else sink.end(event.info)
      }
      if (isGone) return
      if (kept.failure !== null) sink.fail(kept.failure.error, kept.failure.info)
      else if (kept.state === 'running') kept.listeners.add(sink)
      else if (kept.state === 'too-large') sink.fail(tooLarge())
    })
    return {
      cancel() {
        isGone = true
        kept.listeners.delete(sink)
      },
      // The first was charged.
      charge: () => Promise.resolve('nothing'),
      story: () => NO_STORY,
    }
  }

  const only = (run: Inference['run']): Inference => ({
    run,
    models: (signal) => inference.models(signal),
    quote: (request) => inference.quote(request),
  })

  return {
    inferenceFor(key, scope, fingerprint) {
      parseIdempotencyKey(key)
      makeRoom()
      const id = toHex(new Uint8Array(createHash('sha256').update(`${scope.length} ${scope} ${key}`).digest()))
      const bodyHash = createHash('sha256').update(fingerprint).digest('hex')
      const kept = keptById.get(id)
      if (kept !== undefined) {
        if (kept.bodyHash !== bodyHash)
          throw apiError('request.idempotency-key', {
            message: 'This Idempotency-Key was used with another body: take a new key for a new request.',
          })
        if (kept.state === 'too-large') throw tooLarge()
        return { isRepeated: true, inference: only((_request, sink) => follow(kept, sink)) }
      }
      const run = (request: InferenceRequest, sink: InferenceSink): RunningInference => {
        const first: Kept = {
          bodyHash,
          sinceMs: clock.now(),
          events: [],
          bytes: 0,
          state: 'running',
          failure: null,
          listeners: new Set([sink]),
        }
        keptById.set(id, first)
        try {
          const running = inference.run(request, record(id, first))
          return {
            cancel: () => void first.listeners.delete(sink),
            charge: () => running.charge(),
            story: () => running.story(),
          }
        } catch (error) {
          forget(id)
          throw error
        }
      }
      return { isRepeated: false, inference: only(run) }
    },
  }
}

const tooLarge = (): CocoonError =>
  apiError('request.idempotency-key', {
    message: 'The first answer under this Idempotency-Key was too large to keep: take a new key to ask again.',
  })

/** About what a head and its headers take. */
const HEAD_BYTES = 2048
