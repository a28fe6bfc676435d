/**
 * A form as it arrives, for values that are too large to hold: each part's bytes are handed on in pieces. As strict as `parseForm`,
 * which it agrees with however the bytes are cut. Browser-safe. Source: RFC 7578 and RFC 2046, 5.1.
 */
import { concatBytes, utf8 } from './bytes.ts'
import { CocoonError } from './errors.ts'
import { boundaryOf, type FormPart, indexOf, MAX_PART_HEADER_BYTES, MAX_PARTS, parsePartHead } from './form-data.ts'

/** Where one part goes. */
export interface PartSink {
  /** The next bytes, only lent. */
  write(bytes: Uint8Array): Promise<void> | void
  end(): Promise<void> | void
}

const END_OF_HEADERS = utf8('\r\n\r\n')
const [CR, LF, DASH] = [0x0d, 0x0a, 0x2d]

const bad = (message: string): CocoonError => new CocoonError('request.bad-form', { message })

/**
 * @param source its pieces are not to change afterwards
 * @param open called at the head of each part; what it throws ends the reading
 * Throws `request.bad-form` for anything but complete parts with names.
 */
export async function readFormStream(
  source: AsyncIterable<Uint8Array>,
  contentType: string,
  open: (head: Omit<FormPart, 'value'>) => PartSink | Promise<PartSink>,
): Promise<void> {
  const delimiter = utf8(`\r\n--${boundaryOf(contentType)}`)
  // The first delimiter has no line in front of it; as if it had.
  let held: Uint8Array = Uint8Array.of(CR, LF)
  let sink: PartSink | null = null
  let parts = 0
  let isOver = false

  /** Handles one thing that stands at the beginning of what is held; false when more bytes are needed. */
  async function step(): Promise<boolean> {
    if (sink !== null || parts === 0) return value()
    const end = indexOf(held, END_OF_HEADERS, 0)
    if (end < 0 && held.length <= MAX_PART_HEADER_BYTES + END_OF_HEADERS.length) return false
    if (end < 0 || end > MAX_PART_HEADER_BYTES) throw bad('a part has no headers, or too long ones.')
    sink = await open(parsePartHead(held.subarray(0, end)))
    held = held.subarray(end + END_OF_HEADERS.length)
    return true
  }

  /** Up to the next delimiter, and what stands right behind it. */
  async function value(): Promise<boolean> {
    const end = indexOf(held, delimiter, 0)
    if (end < 0) {
      // The last bytes may be the beginning of a delimiter.
      const certain = held.length - delimiter.length + 1
      if (certain <= 0) return false
      if (sink === null) throw bad('it does not begin with its boundary.')
      await sink.write(held.subarray(0, certain))
      held = held.subarray(certain)
      return false
    }
    const behind = end + delimiter.length
    if (held.length < behind + 2) return false
    if (sink === null && end > 0) throw bad('it does not begin with its boundary.')
    if (end > 0) await sink?.write(held.subarray(0, end))
    await sink?.end()
    sink = null
    if (held[behind] === DASH && held[behind + 1] === DASH) {
      isOver = true
      return false
    }
    if (held[behind] !== CR || held[behind + 1] !== LF) throw bad('something stands behind a boundary.')
    if (++parts > MAX_PARTS) throw bad(`it has more than ${MAX_PARTS} parts.`)
    held = held.subarray(behind + 2)
    return true
  }

  for await (const bytes of source) {
    // What follows the last boundary says nothing.
    if (isOver) continue
    held = held.length === 0 ? bytes : concatBytes(held, bytes)
    while (!isOver && (await step())) {}
  }
  if (!isOver) throw bad('it ends before its last boundary.')
}
