/** An input file line by line, in bounded memory: where each line lies and what it holds. */
import { batchError } from './errors.ts'
import type { StoredBytes } from './vault.ts'

export interface InputLine {
  /** From 1. */
  readonly number: number
  /** Where its bytes begin in the file. */
  readonly at: number
  /** Without line feed and carriage return; only lent. */
  readonly bytes: Buffer
}

/** Small: what lies in one is checked without a turn of the event loop for anybody else. */
const CHUNK_BYTES = 64 * 1024
const [LINE_FEED, CARRIAGE_RETURN] = [0x0a, 0x0d]
/** As some editors begin their files. */
const BYTE_ORDER_MARK = Buffer.of(0xef, 0xbb, 0xbf)

/** Lines that hold nothing but blanks are counted and left out. Throws `request.bad-line` for one above `maxLineBytes`. */
export async function* inputLines(file: StoredBytes, maxLineBytes: number): AsyncGenerator<InputLine> {
  let held: Buffer = Buffer.alloc(0)
  let heldAt = 0
  let number = 0
  for (let isOver = false; !isOver; ) {
    const chunk = await file.at(heldAt + held.length, CHUNK_BYTES)
    isOver = chunk.length < CHUNK_BYTES
    const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    let start = heldAt === 0 && bytes.subarray(0, 3).equals(BYTE_ORDER_MARK) ? 3 : 0
    // What was held has no line feed: searching it again for every chunk would take a long line's length squared.
    let from = Math.max(start, held.length)
    for (;;) {
      const end = bytes.indexOf(LINE_FEED, from)
      if (end < 0 && !isOver) break
      const stop = end < 0 ? bytes.length : end
      if (end >= 0 || stop > start) {
        number++
        const line = withoutReturn(bytes.subarray(start, stop))
        if (line.length > maxLineBytes) throw tooLong(number, maxLineBytes)
        if (!isBlank(line)) yield { number, at: heldAt + start, bytes: line }
      }
      start = stop + 1
      from = start
      if (end < 0) return
    }
    held = bytes.subarray(start)
    heldAt += start
    if (held.length > maxLineBytes + 1) throw tooLong(number + 1, maxLineBytes)
  }
}

const withoutReturn = (line: Buffer): Buffer =>
  line.length > 0 && line[line.length - 1] === CARRIAGE_RETURN ? line.subarray(0, -1) : line

const isBlank = (line: Buffer): boolean => line.every((byte) => byte === 0x20 || byte === 0x09)

const tooLong = (line: number, maxLineBytes: number): Error =>
  batchError('request.bad-line', `The line is above ${maxLineBytes} bytes.`, { line })
