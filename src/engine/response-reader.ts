/**
 * Answers of HTTP/1.1 read from a connection's bytes, cut anywhere. Strict, since what follows an answer on a kept
 * connection depends on where it ends: two framings, a folded header, a lone line feed or a size with anything but digits
 * is `engine.bad-answer`. No error repeats what came. Source: RFC 9112, sections 2.2, 4, 5, 6.3 and 7.1.
 */
import { engineError } from './errors.ts'
import { MAX_HEAD_BYTES, type ReceivedHead } from './http-client.ts'

export interface ResponseEvents {
  head(head: ReceivedHead): void
  /** Called at most once a push, with all that it brought; lies in the pushed memory, which is overwritten for it. */
  body(bytes: Buffer): void
  /** The answer is complete. `reusable`: the connection may carry another one. */
  end(reusable: boolean): void
}

/** How the end of a body is known. */
type Framing = { readonly by: 'length'; readonly bytes: number } | { readonly by: 'chunks' } | { readonly by: 'close' }

export interface ParsedHead extends ReceivedHead {
  readonly framing: Framing
  readonly keepAlive: boolean
}

/** Digits of a chunk's size: 4 GiB, four times the largest answer that is read. */
const MAX_SIZE_DIGITS = 8
/** What may stand behind a size; nobody uses it. */
const MAX_EXTENSION_BYTES = 256
/** Headers after a chunked body, which are read over. */
const MAX_TRAILER_BYTES = 8 * 1024

const [LF, CR, SEMICOLON, SPACE, TAB] = [0x0a, 0x0d, 0x3b, 0x20, 0x09]

/** Where in a chunked body the next byte stands. */
type ChunkPlace =
  | 'size'
  | 'extension'
  | 'size-lf'
  | 'data'
  | 'data-cr'
  | 'data-lf'
  | 'trailer'
  | 'trailer-line'
  | 'trailer-lf'
  | 'last-lf'

/** Reads one answer after the other; `begin` before each. After it has thrown it must not be fed again. */
export class ResponseReader {
  readonly #parseHead: (text: string) => ParsedHead
  #events: ResponseEvents | null = null
  #at: 'head' | 'length' | 'chunks' | 'close' | 'over' = 'over'
  /** The beginning of a head that came in pieces. */
  #held = Buffer.alloc(0)
  /** Bytes of interim heads before this one: they count as one. */
  #interimBytes = 0
  #keepAlive = false
  /** Of the body by length, or of the chunk. */
  #left = 0
  #place: ChunkPlace = 'size'
  /** Digits, extension or trailer bytes so far. */
  #count = 0

  /** @param parse `parseHead`, or one that remembers */
  constructor(parse: (text: string) => ParsedHead = parseHead) {
    this.#parseHead = parse
  }

  begin(events: ResponseEvents): void {
    this.#events = events
    this.#at = 'head'
    this.#interimBytes = 0
  }

  /** Nobody wants the rest; what still comes is read as a breach. */
  stop(): void {
    this.#events = null
    this.#at = 'over'
  }

  /** Throws `engine.bad-answer`, also for bytes that nothing was asked for. */
  push(bytes: Buffer): void {
    let at = 0
    if (this.#at === 'head') {
      at = this.#readHeads(bytes)
      if (at < 0) return
    }
    const events = this.#events
    switch (this.#at) {
      case 'length': {
        const end = Math.min(bytes.length, at + this.#left)
        this.#left -= end - at
        if (end > at) events?.body(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end))
        if (this.#left === 0) this.#end(end === bytes.length)
        return
      }
      case 'chunks':
        return this.#readChunks(bytes, at)
      case 'close':
        if (at < bytes.length) events?.body(at === 0 ? bytes : bytes.subarray(at))
        return
      case 'head':
      case 'over':
        if (at < bytes.length) throw bad('bytes that belong to no answer')
    }
  }

  /** No more bytes will come. Throws `engine.cut-off`. */
  close(): void {
    if (this.#at === 'close') return this.#end(false)
    if (this.#at !== 'over') throw engineError('engine.cut-off', { reason: 'closed' })
  }

  #end(reusable: boolean): void {
    const events = this.#events
    this.stop()
    events?.end(reusable && this.#keepAlive)
  }

  /** Just after the final head, or −1 when more must come. */
  #readHeads(bytes: Buffer): number {
    let from = 0
    for (;;) {
      const [text, next] = this.#takeHead(bytes, from)
      if (text === undefined) return -1
      const head = this.#parseHead(text)
      from = next
      if (head.status < 200) {
        if (head.status === 101) throw bad('switched protocols')
        this.#interimBytes += text.length
        continue
      }
      const { framing } = head
      this.#at = framing.by
      this.#left = framing.by === 'length' ? framing.bytes : 0
      this.#place = 'size'
      this.#count = 0
      this.#keepAlive = head.keepAlive
      this.#events?.head(head)
      return from
    }
  }

  /** The text of a head without the empty line, and where it ends. */
  #takeHead(bytes: Buffer, from: number): [text: string | undefined, next: number] {
    const held = this.#held.length
    // The end may lie across the seam.
    const all = held === 0 ? bytes : Buffer.concat([this.#held, bytes.subarray(from)])
    const start = held === 0 ? from : 0
    const end = all.indexOf('\r\n\r\n', Math.max(start, held - 3), 'latin1')
    const size = (end < 0 ? all.length : end) - start
    if (size + this.#interimBytes > MAX_HEAD_BYTES) throw bad('a head above the limit')
    if (end < 0) {
      this.#held = Buffer.from(all.subarray(start))
      return [undefined, -1]
    }
    if (held > 0) this.#held = Buffer.alloc(0)
    return [all.toString('latin1', start, end), held === 0 ? end + 4 : from + end + 4 - held]
  }

  /** The data moves together to the front, over the sizes between it: one piece leaves, however many chunks it came in. */
  #readChunks(bytes: Buffer, from: number): void {
    let at = from
    let start = -1
    let end = -1
    loop: while (at < bytes.length) {
      const c = bytes[at] as number
      switch (this.#place) {
        case 'data': {
          const next = Math.min(bytes.length, at + this.#left)
          if (start < 0) start = end = at
          if (end < at) bytes.copyWithin(end, at, next)
          end += next - at
          this.#left -= next - at
          at = next
          if (this.#left === 0) this.#place = 'data-cr'
          continue
        }
        case 'size': {
          const digit = hexDigit(c)
          if (digit >= 0) {
            if (++this.#count > MAX_SIZE_DIGITS) throw bad('a chunk above the limit')
            this.#left = this.#left * 16 + digit
          } else if (this.#count === 0) throw bad('a chunk without size')
          else if (c === CR) this.#place = 'size-lf'
          else if (c === SEMICOLON || c === SPACE || c === TAB) {
            this.#place = 'extension'
            this.#count = 0
          } else throw bad('a malformed chunk size')
          break
        }
        case 'extension':
          if (c === CR) this.#place = 'size-lf'
          else if (c === LF || ++this.#count > MAX_EXTENSION_BYTES) throw bad('a malformed chunk extension')
          break
        case 'size-lf':
          this.#expect(c, LF, this.#left === 0 ? 'trailer' : 'data')
          this.#count = 0
          break
        case 'data-cr':
          this.#expect(c, CR, 'data-lf')
          break
        case 'data-lf':
          this.#expect(c, LF, 'size')
          break
        case 'trailer':
          this.#place = c === CR ? 'last-lf' : 'trailer-line'
          if (c === LF) throw bad('a malformed trailer')
          break
        case 'trailer-line':
          if (c === CR) this.#place = 'trailer-lf'
          else if (c === LF || ++this.#count > MAX_TRAILER_BYTES) throw bad('a malformed trailer')
          break
        case 'trailer-lf':
          this.#expect(c, LF, 'trailer')
          if (++this.#count > MAX_TRAILER_BYTES) throw bad('a malformed trailer')
          break
        case 'last-lf':
          this.#expect(c, LF, 'size')
          this.#at = 'over'
          at++
          break loop
      }
      at++
    }
    if (start >= 0) this.#events?.body(bytes.subarray(start, end))
    if (this.#at === 'over') this.#end(at === bytes.length)
  }

  #expect(c: number, wanted: number, next: ChunkPlace): void {
    if (c !== wanted) throw bad('a malformed chunk')
    this.#place = next
  }
}

const bad = (reason: string): Error => engineError('engine.bad-answer', { reason })

function hexDigit(c: number): number {
  if (c >= 0x30 && c <= 0x39) return c - 0x30
  const lower = c | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?$/
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** A head without the empty line that ends it. Throws `engine.bad-answer`. */
export function parseHead(text: string): ParsedHead {
  const [first, ...lines] = text.split('\r\n')
  const line = STATUS_LINE.exec(first as string)
  if (line === null) throw bad('no status line')
  const status = Number(line[2])
  const headers = lines.map(parseHeader)
  const valuesOf = (wanted: string): string[] =>
    headers.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value)
  const isOld = line[1] === '0'
  const options = valuesOf('connection').join(',').toLowerCase().split(',')
  const keepAlive = !isOld && !options.some((option) => option.trim() === 'close')
  return { status, headers, keepAlive, framing: framingOf(status, isOld, valuesOf) }
}

function parseHeader(line: string): readonly [string, string] {
  const colon = line.indexOf(':')
  const name = line.slice(0, Math.max(0, colon))
  const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')
  // A folded line begins with white space, which is no name.
  if (!NAME.test(name) || !VALUE.test(value)) throw bad('a malformed header')
  return [name, value]
}

function framingOf(status: number, isOld: boolean, valuesOf: (name: string) => readonly string[]): Framing {
  const codings = valuesOf('transfer-encoding')
  const lengths = valuesOf('content-length')
  if (codings.length > 0) {
    if (isOld || lengths.length > 0 || codings.length > 1 || codings[0]?.toLowerCase() !== 'chunked')
      throw bad('an unknown or ambiguous framing')
    if (status !== 204 && status !== 304) return { by: 'chunks' }
  }
  if (lengths.length > 1) throw bad('an unknown or ambiguous framing')
  const length = lengths[0]
  if (length !== undefined && (!/^[0-9]{1,15}$/.test(length) || !Number.isSafeInteger(Number(length))))
    throw bad('a malformed content-length')
  if (status < 200 || status === 204 || status === 304) return { by: 'length', bytes: 0 }
  return length === undefined ? { by: 'close' } : { by: 'length', bytes: Number(length) }
}
