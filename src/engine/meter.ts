/**
 * Usage metering of an answer's body while it passes through. Pure and incremental: fed chunks cut anywhere, it gives
 * back the bytes that may go out and keeps the rest until the event or document they belong to is complete.
 */
import { engineError } from './errors.ts'
import { applyEdits, createDocumentScanner, type Edit, INVALID, MORE, skipSpace } from './json-scan.ts'
import { createEventBoundary, endsWithDone, eventData, eventEnd } from './sse.ts'
import type { RawUsage, UsageCost } from './types.ts'
import { createUsageReader, type UsageReader } from './usage.ts'

/** One event holds a token or a tool call; the largest seen carry log probabilities of a whole answer, well under 1 MiB. */
export const MAX_EVENT_BYTES = 4 * 1024 * 1024
/** One document may be a batch of embeddings: 1000 vectors of 3072 numbers are about 30 MiB. */
export const MAX_DOCUMENT_BYTES = 32 * 1024 * 1024

export interface MeterOptions {
  /** The answer's `content-type`, if it has one. */
  readonly contentType: string | undefined
  /** Whether the request had `stream: true`. JSON answers to other requests always keep their usage. */
  readonly streamed: boolean
  /** Whether the caller asked for usage in its stream. When not, what `include_usage` added is taken out again. */
  readonly callerWantsUsage: boolean
  /** Price of a usage, for the cost fields. */
  readonly cost: (usage: RawUsage) => UsageCost
}

export interface Meter {
  /** What may go out now; often the chunk itself, perhaps nothing. Throws `engine.event-too-large`, `engine.too-large`. */
  push(chunk: Uint8Array): Uint8Array
  /** The rest, verbatim apart from cost fields. `cutOff`: the body ended inside a JSON document. */
  end(): { readonly bytes: Uint8Array; readonly cutOff: boolean }
  /** The largest counts seen so far, each on its own. */
  readonly usage: RawUsage
  /** Whether the engine reported usage at all. */
  readonly usageSeen: boolean
  /** Whether an event stream came to its `data: [DONE]`. */
  readonly done: boolean
}

export function createMeter(options: MeterOptions): Meter {
  const format = formatOf(options.contentType)
  const reader = createUsageReader({
    hide: !options.callerWantsUsage && (options.streamed || format === 'events'),
    cost: options.cost,
  })
  let body: BodyMeter
  if (format === 'events') body = meterEvents(reader)
  else if (format === 'json') body = meterDocuments(reader)
  else if (format === 'opaque') body = opaque
  else body = meterUnknown(reader)
  return {
    push: (chunk) => (chunk.length === 0 ? NOTHING : body.push(chunk)),
    end: () => body.end(),
    get usage() {
      return reader.usage
    },
    get usageSeen() {
      return reader.seen
    },
    get done() {
      return body.done === true
    },
  }
}

type BodyMeter = Pick<Meter, 'push' | 'end'> & { readonly done?: boolean }

const NOTHING = new Uint8Array(0)
/** Without the opening quote: the search looks for the first byte, and quotes are what JSON is full of. */
const KEY = Buffer.from('usage"')
const OPEN_OBJECT = 0x7b

type Format = 'events' | 'json' | 'opaque' | 'unknown'

/** By media type. `unknown` (none given, or some text) is decided by the first byte of the body. */
export function formatOf(contentType: string | undefined): Format {
  const type = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
  if (type === 'text/event-stream') return 'events'
  if (/^application\/(json|x-ndjson|ndjson|jsonl|x-jsonlines|.*\+json)$/.test(type)) return 'json'
  return type === '' || type.startsWith('text/') ? 'unknown' : 'opaque'
}

const opaque: BodyMeter = { push: (chunk) => chunk, end: () => ({ bytes: NOTHING, cutOff: false }) }

/** JSON when the first byte that is not white space is a brace, otherwise opaque. */
function meterUnknown(reader: UsageReader): BodyMeter {
  let body: BodyMeter | undefined
  return {
    push(chunk) {
      if (body === undefined) {
        const first = chunk.find((c) => c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09)
        if (first === undefined) return chunk
        body = first === OPEN_OBJECT ? meterDocuments(reader) : opaque
      }
      return body.push(chunk)
    },
    end: () => (body ?? opaque).end(),
  }
}

/** Server-sent events. Whole events go out together and, when nothing in them is ours to change, as they lie in memory. */
function meterEvents(reader: UsageReader): BodyMeter {
  const boundary = createEventBoundary()
  const pending = createPending(MAX_EVENT_BYTES, () =>
    engineError('engine.event-too-large', { limitBytes: MAX_EVENT_BYTES }),
  )
  let done = false

  function meter(events: Buffer): Uint8Array {
    if (endsWithDone(events)) done = true
    let key = events.indexOf(KEY)
    if (key < 0) return events
    const edits: Edit[] = []
    let from = 0
    while (key >= 0) {
      let end = eventEnd(events, from)
      while (end <= key) {
        from = end
        end = eventEnd(events, from)
      }
      const data = eventData(events, from, end)
      const verdict = data === undefined ? 'keep' : reader.judge(data.bytes)
      if (verdict === 'drop') edits.push({ from, to: end, text: '' })
      else if (verdict !== 'keep' && data !== undefined)
        edits.push({ from: data.source(verdict.from), to: data.source(verdict.to), text: verdict.text })
      from = end
      key = from < events.length ? events.indexOf(KEY, from) : -1
    }
    return applyEdits(events, edits)
  }

  return {
    push(chunk) {
      const end = boundary.lastEnd(chunk)
      if (end === 0) {
        pending.add(chunk)
        return NOTHING
      }
      const complete = pending.takeWith(end === chunk.length ? chunk : chunk.subarray(0, end))
      if (end < chunk.length) pending.add(chunk.subarray(end))
      return meter(complete)
    },
    end: () => ({ bytes: pending.size === 0 ? NOTHING : meter(pending.takeWith(NOTHING)), cutOff: false }),
    get done() {
      return done
    },
  }
}

/** One JSON document or several in a row. What is no JSON passes through unread from there on. */
function meterDocuments(reader: UsageReader): BodyMeter {
  const scanner = createDocumentScanner()
  const pending = createPending(MAX_DOCUMENT_BYTES, () =>
    engineError('engine.too-large', { limitBytes: MAX_DOCUMENT_BYTES }),
  )

  /** Adds what becomes of the document at `start..to` to the edits of the bytes around it. */
  function judge(bytes: Buffer, start: number, to: number, edits: Edit[]): void {
    // White space before it may have gone out already; whether it had must not show.
    const from = skipSpace(bytes, start)
    const document = bytes.subarray(from, to)
    if (!document.includes(KEY)) return
    const verdict = reader.judge(document)
    if (verdict === 'drop') edits.push({ from, to, text: '' })
    else if (verdict !== 'keep') edits.push({ from: from + verdict.from, to: from + verdict.to, text: verdict.text })
  }

  return {
    push(chunk) {
      const edits: Edit[] = []
      const held = pending.size
      // Ends of documents in the chunk; whatever stands before the first of them belongs to the pending bytes.
      const ends: number[] = []
      let at = 0
      let next = scanner.scan(chunk, at)
      for (; next >= 0; next = scanner.scan(chunk, at)) {
        ends.push(next)
        at = next
      }
      // White space between documents and everything after the last JSON need not wait.
      if ((next === MORE && scanner.between) || next === INVALID) at = chunk.length
      else if (ends.length === 0) {
        pending.add(chunk)
        return NOTHING
      }
      const out = pending.takeWith(at === chunk.length ? chunk : chunk.subarray(0, at))
      let from = 0
      for (const end of ends) {
        judge(out, from, held + end, edits)
        from = held + end
      }
      if (at < chunk.length) pending.add(chunk.subarray(at))
      return applyEdits(out, edits)
    },
    end() {
      const bytes = pending.size === 0 ? NOTHING : pending.takeWith(NOTHING)
      return { bytes, cutOff: bytes.length > 0 && !scanner.mayEnd }
    },
  }
}

/** Bytes held back. Copied into a buffer that doubles: linear time, and no memory per chunk however small chunks are. */
interface Pending {
  readonly size: number
  /** Throws when the limit is passed. */
  add(bytes: Uint8Array): void
  /** All that is held plus these bytes; without anything held, these bytes themselves. */
  takeWith(bytes: Uint8Array): Buffer
}

function createPending(maxBytes: number, tooLarge: () => Error): Pending {
  let buffer = Buffer.alloc(0)
  let size = 0
  function add(bytes: Uint8Array): void {
    const needed = size + bytes.length
    if (needed > maxBytes) throw tooLarge()
    if (needed > buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, Math.min(2 * buffer.length, maxBytes), 1024))
      grown.set(buffer.subarray(0, size))
      buffer = grown
    }
    buffer.set(bytes, size)
    size = needed
  }
  return {
    get size() {
      return size
    },
    add,
    takeWith(bytes) {
      if (size === 0)
        return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      add(bytes)
      const taken = buffer.subarray(0, size)
      buffer = Buffer.alloc(0)
      size = 0
      return taken
    },
  }
}
