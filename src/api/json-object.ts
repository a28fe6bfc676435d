/**
 * The top level of a JSON object as stretches of bytes, so that fields can be taken out or added while every other byte
 * stays the caller's: parsing and writing anew would round long integers. Not the scanner of engines' answers (`src/engine`), which
 * looks for a few names in many small documents: here all members are wanted, the depth is bounded because nobody has judged the
 * bytes yet, and strings of megabytes, images among them, are passed by a native search.
 */
const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_ARRAY = 0x5b
const BACKSLASH = 0x5c
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

export interface Member {
  readonly key: string
  /** The whole member, `"key": value`. */
  readonly bytes: Uint8Array
}

/**
 * Members of the object in `bytes`, or `too-deep`. Linear, no recursion: safe before any parser has seen the bytes. Of
 * bytes that are not a valid JSON object the result means nothing; let `JSON.parse` judge that.
 */
export function scanObject(bytes: Buffer, maxDepth: number): readonly Member[] | 'too-deep' {
  const members: Member[] = []
  let depth = 0
  let keyStart = -1
  let keyEnd = -1
  const close = (at: number): void => {
    if (keyStart >= 0) members.push({ key: keyOf(bytes, keyStart, keyEnd), bytes: bytes.subarray(keyStart, at) })
    keyStart = -1
  }
  for (let at = 0; at < bytes.length; at++) {
    switch (bytes[at]) {
      case QUOTE: {
        const end = stringEnd(bytes, at)
        if (depth === 1 && keyStart < 0) {
          keyStart = at
          keyEnd = end
        }
        at = end - 1
        break
      }
      case OPEN_OBJECT:
      case OPEN_ARRAY:
        if (++depth > maxDepth) return 'too-deep'
        break
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        if (depth === 1) close(at)
        depth--
        break
      case COMMA:
        if (depth === 1) close(at)
        break
      default:
    }
  }
  return members
}

/** The value of a member, without the key and the blanks around it. */
export function valueBytes({ bytes }: Member): Uint8Array {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let from = buffer.indexOf(COLON, stringEnd(buffer, 0)) + 1
  let to = buffer.length
  while (from < to && isBlank(buffer[from])) from++
  while (to > from && isBlank(buffer[to - 1])) to--
  return buffer.subarray(from, to)
}

const isBlank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d

/** An object of these members and, after them, `added` (`"a":1`). */
export function writeObject(members: readonly Uint8Array[], added: readonly string[] = []): Buffer {
  const parts: Uint8Array[] = []
  for (const member of [...members, ...added.map((text) => Buffer.from(text))])
    parts.push(Buffer.of(parts.length === 0 ? OPEN_OBJECT : COMMA), member)
  return Buffer.concat([...(parts.length === 0 ? [Buffer.of(OPEN_OBJECT)] : parts), Buffer.of(CLOSE_OBJECT)])
}

/** Just after the string that opens at `start`; the length when it does not end. Long strings cost one native search. */
function stringEnd(bytes: Buffer, start: number): number {
  for (let quote = bytes.indexOf(QUOTE, start + 1); quote >= 0; quote = bytes.indexOf(QUOTE, quote + 1)) {
    let before = quote - 1
    while (before > start && bytes[before] === BACKSLASH) before--
    if ((quote - before) % 2 === 1) return quote + 1
  }
  return bytes.length
}

function keyOf(bytes: Buffer, start: number, end: number): string {
  const quoted = bytes.toString('utf8', start, end)
  if (!quoted.includes('\\')) return quoted.slice(1, -1)
  try {
    return String(JSON.parse(quoted))
  } catch {
    return quoted
  }
}
