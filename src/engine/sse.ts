/**
 * Server-sent events as bytes: where events end and where their data stands. Lines end with LF or CRLF. (The standard
 * also allows a lone CR; no engine sends it and a CR at the end of a chunk would have to be held back, so it counts as
 * an ordinary byte here.) Source: WHATWG HTML, 9.2.6 "Interpreting an event stream".
 */

const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const COLON = 0x3a

/** Finds the ends of events in a stream that is fed chunk by chunk, wherever the chunks are cut. */
export interface EventBoundary {
  /** Just after the last blank line that ends in this chunk; 0 when none does. */
  lastEnd(chunk: Uint8Array): number
}

export function createEventBoundary(): EventBoundary {
  // The two bytes before the chunk. A stream starts as if a line had just ended: a blank line there is one.
  let last = LF
  let lastButOne = 0
  return {
    lastEnd(chunk) {
      const size = chunk.length
      let end = 0
      for (let i = size - 1; i >= 0; i--) {
        if (chunk[i] !== LF) continue
        const before = i > 0 ? chunk[i - 1] : last
        if (before === LF || (before === CR && (i > 1 ? chunk[i - 2] : i === 1 ? last : lastButOne) === LF)) {
          end = i + 1
          break
        }
      }
      if (size > 0) {
        lastButOne = size > 1 ? (chunk[size - 2] as number) : last
        last = chunk[size - 1] as number
      }
      return end
    },
  }
}

/** Just after the blank line that ends the event starting at `from`; the length when it is unfinished. */
export function eventEnd(bytes: Uint8Array, from: number): number {
  for (let line = from; ; ) {
    const lf = bytes.indexOf(LF, line)
    if (lf < 0) return bytes.length
    if (lf === line || (lf === line + 1 && bytes[line] === CR)) return lf + 1
    line = lf + 1
  }
}

/** The data of an event, its lines joined by LF as the standard says. */
export interface EventData {
  readonly bytes: Uint8Array
  /** Where a byte of the data stands in the stream. */
  source(at: number): number
}

/** The data of the event at `from..to`; `undefined` when it has none. One line, the usual case, is not copied. */
export function eventData(bytes: Uint8Array, from: number, to: number): EventData | undefined {
  const lines: { readonly start: number; readonly end: number }[] = []
  for (let line = from; line < to; ) {
    const lf = bytes.indexOf(LF, line)
    const next = lf < 0 || lf >= to ? to : lf + 1
    let end = lf < 0 || lf >= to ? to : lf
    if (end > line && bytes[end - 1] === CR) end--
    if (isData(bytes, line, end)) lines.push({ start: line + (bytes[line + 5] === SPACE ? 6 : 5), end })
    line = next
  }
  const first = lines[0]
  if (first === undefined) return undefined
  if (lines.length === 1)
    return { bytes: bytes.subarray(first.start, Math.max(first.start, first.end)), source: (at) => first.start + at }
  return {
    bytes: Buffer.concat(
      lines.flatMap(({ start, end }, i) => [Buffer.from(i === 0 ? '' : '\n'), bytes.subarray(start, end)]),
    ),
    source(at) {
      let rest = at
      for (const { start, end } of lines) {
        if (rest <= end - start) return start + rest
        rest -= end - start + 1
      }
      return to
    },
  }
}

/** Whether the lines of a stream so far end with `[DONE]`, OpenAI's last word. */
export function endsWithDone(bytes: Uint8Array): boolean {
  let end = bytes.length
  while (end > 0 && (bytes[end - 1] === LF || bytes[end - 1] === CR)) end--
  if (bytes[end - 1] !== 0x5d || end < DONE.length) return false
  for (let i = 0; i < DONE.length; i++) if (bytes[end - DONE.length + i] !== DONE.charCodeAt(i)) return false
  const before = bytes[end - DONE.length - 1]
  return before === SPACE || before === COLON
}

const DONE = '[DONE]'

/** Whether the line at `start..end` begins with `data:`. */
function isData(bytes: Uint8Array, start: number, end: number): boolean {
  return (
    end - start >= 5 &&
    bytes[start] === 0x64 &&
    bytes[start + 1] === 0x61 &&
    bytes[start + 2] === 0x74 &&
    bytes[start + 3] === 0x61 &&
    bytes[start + 4] === COLON
  )
}
