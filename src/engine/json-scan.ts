/**
 * Finding things in JSON bytes without parsing them. Both scanners are linear, take no memory per nesting level and look
 * at structure only (brackets, strings): what they accept need not be valid JSON, what is valid they read right. For engines' answers,
 * of which each chunk of a stream is one: a loop over short strings and a list of names cost less there than members made one by one.
 */

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_ARRAY = 0x5b
const BACKSLASH = 0x5c
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/** A member of an object; offsets into the scanned bytes. */
export interface Member {
  /** The opening quote of the name. */
  readonly keyStart: number
  readonly valueStart: number
  /** Just after the value. */
  readonly valueEnd: number
}

export interface ObjectScan {
  /** The opening and the closing brace. */
  readonly open: number
  readonly close: number
  /** In the order of the names asked for. Of several members of one name the last, which is what parsers keep. */
  readonly members: readonly (Member | undefined)[]
}

/** A stretch of bytes to replace by `text`. */
export interface Edit {
  readonly from: number
  readonly to: number
  readonly text: string
}

/**
 * Finds members of the object that `bytes` hold (white space around it allowed), at its top level only.
 * `undefined` when the bytes are not one complete object.
 */
export function findMembers(bytes: Uint8Array, names: readonly string[]): ObjectScan | undefined {
  const open = skipSpace(bytes, 0)
  if (bytes[open] !== OPEN_OBJECT) return undefined
  const members: (Member | undefined)[] = names.map(() => undefined)
  let at = skipSpace(bytes, open + 1)
  if (bytes[at] === CLOSE_OBJECT) return { open, close: at, members }
  for (;;) {
    const keyStart = at
    if (bytes[keyStart] !== QUOTE) return undefined
    const keyEnd = skipString(bytes, keyStart)
    if (keyEnd < 0) return undefined
    at = skipSpace(bytes, keyEnd)
    if (bytes[at] !== COLON) return undefined
    const valueStart = skipSpace(bytes, at + 1)
    const valueEnd = skipValue(bytes, valueStart)
    if (valueEnd < 0) return undefined
    for (let i = 0; i < names.length; i++)
      if (isKey(bytes, keyStart, keyEnd, names[i] as string)) members[i] = { keyStart, valueStart, valueEnd }
    at = skipSpace(bytes, valueEnd)
    if (bytes[at] === CLOSE_OBJECT) return { open, close: at, members }
    if (bytes[at] !== COMMA) return undefined
    at = skipSpace(bytes, at + 1)
  }
}

/** The top-level member `name` of the object in `bytes`; `undefined` when there is none or the bytes are no object. */
export function findMember(bytes: Uint8Array, name: string): Member | undefined {
  return findMembers(bytes, [name])?.members[0]
}

/** The edit that takes a member out together with the one comma that belongs to it. */
export function cutMember(bytes: Uint8Array, member: Member): Edit {
  const after = skipSpace(bytes, member.valueEnd)
  if (bytes[after] === COMMA) return { from: member.keyStart, to: skipSpace(bytes, after + 1), text: '' }
  let before = member.keyStart - 1
  while (before > 0 && isSpace(bytes[before])) before--
  return { from: bytes[before] === COMMA ? before : member.keyStart, to: member.valueEnd, text: '' }
}

/** The edit that adds members (`"a":1,"b":2`) at the end of an object that starts at `open` and closes at `close`. */
export function addMembers(bytes: Uint8Array, open: number, close: number, text: string): Edit {
  const empty = skipSpace(bytes, open + 1) === close
  return { from: close, to: close, text: empty ? text : `,${text}` }
}

/** The bytes with every edit done; edits are in order and do not overlap. Without edits the very same bytes. */
export function applyEdits(bytes: Uint8Array, edits: readonly Edit[]): Uint8Array {
  if (edits.length === 0) return bytes
  let size = bytes.length
  for (const { from, to, text } of edits) size += Buffer.byteLength(text) - (to - from)
  const out = Buffer.allocUnsafe(size)
  let read = 0
  let written = 0
  for (const { from, to, text } of edits) {
    out.set(bytes.subarray(read, from), written)
    written += from - read
    if (text !== '') written += out.write(text, written)
    read = to
  }
  out.set(bytes.subarray(read), written)
  return out
}

/** Nothing more of the document is in the bytes. */
export const MORE = -1
/** At this point no JSON value can stand. */
export const INVALID = -2

/** Finds where documents end in a stream of JSON values, with or without white space between them. */
export interface DocumentScanner {
  /** Goes on at `from`. Just after the end of the next document, `MORE` or (for good) `INVALID`. */
  scan(bytes: Uint8Array, from: number): number
  /** False inside a document. A number or literal ends only with what follows, so the last one stays unfinished. */
  readonly between: boolean
  /** Whether the unfinished document is complete if nothing follows: a number or literal. */
  readonly mayEnd: boolean
}

export function createDocumentScanner(): DocumentScanner {
  let state: 'between' | 'nested' | 'scalar' | 'invalid' = 'between'
  // Of a nested document (object, array or string):
  let depth = 0
  let inString = false
  let escaped = false

  function scanNested(bytes: Uint8Array, from: number): number {
    let level = depth
    let quoted = inString
    let skip = escaped
    for (let at = from; at < bytes.length; at++) {
      const c = bytes[at]
      if (quoted) {
        if (skip) skip = false
        else if (c === BACKSLASH) skip = true
        else if (c === QUOTE) quoted = false
        if (quoted || level > 0) continue
      } else if (c === QUOTE) {
        quoted = true
        continue
      } else if (c === OPEN_OBJECT || c === OPEN_ARRAY) {
        level++
        continue
      } else if (c === CLOSE_OBJECT || c === CLOSE_ARRAY) {
        if (--level > 0) continue
      } else continue
      state = 'between'
      depth = 0
      inString = false
      escaped = false
      return at + 1
    }
    depth = level
    inString = quoted
    escaped = skip
    return MORE
  }

  function scanScalar(bytes: Uint8Array, from: number): number {
    let at = from
    while (at < bytes.length && isScalarByte(bytes[at] as number)) at++
    if (at === bytes.length) return MORE
    if (!isSpace(bytes[at]) && !startsNested(bytes[at])) return invalid()
    state = 'between'
    return at
  }

  function invalid(): number {
    state = 'invalid'
    return INVALID
  }

  return {
    scan(bytes, from) {
      if (state === 'invalid') return INVALID
      let at = from
      if (state === 'between') {
        at = skipSpace(bytes, from)
        if (at === bytes.length) return MORE
        if (startsNested(bytes[at])) state = 'nested'
        else if (startsScalar(bytes[at] as number)) state = 'scalar'
        else return invalid()
      }
      return state === 'nested' ? scanNested(bytes, at) : scanScalar(bytes, at)
    },
    get between() {
      return state === 'between'
    },
    get mayEnd() {
      return state === 'scalar'
    },
  }
}

/** The first byte at or after `at` that is not JSON white space; the length when there is none. */
export function skipSpace(bytes: Uint8Array, at: number): number {
  let i = at
  while (i < bytes.length && isSpace(bytes[i])) i++
  return i
}

function isSpace(c: number | undefined): boolean {
  return c !== undefined && c <= 0x20 && (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09)
}

function startsNested(c: number | undefined): boolean {
  return c === OPEN_OBJECT || c === OPEN_ARRAY || c === QUOTE
}

/** `-`, a digit, and the first letters of `true`, `false` and `null`. */
function startsScalar(c: number): boolean {
  return c === 0x2d || (c >= 0x30 && c <= 0x39) || c === 0x74 || c === 0x66 || c === 0x6e
}

/** Letters, digits, `+`, `-` and `.`: a wrong word is still one word, and nothing is read from it. */
function isScalarByte(c: number): boolean {
  return (c >= 0x30 && c <= 0x39) || (c >= 0x61 && c <= 0x7a) || c === 0x2d || c === 0x2e || c === 0x2b || c === 0x45
}

/** Just after the string that opens at `at`; -1 when it does not end. */
function skipString(bytes: Uint8Array, at: number): number {
  for (let i = at + 1; i < bytes.length; i++) {
    const c = bytes[i]
    if (c === QUOTE) return i + 1
    if (c === BACKSLASH) i++
  }
  return -1
}

/** Just after the value that starts at `at`; -1 when there is none or it does not end. */
function skipValue(bytes: Uint8Array, at: number): number {
  const first = bytes[at]
  if (first === QUOTE) return skipString(bytes, at)
  if (first !== OPEN_OBJECT && first !== OPEN_ARRAY) {
    let i = at
    while (i < bytes.length && isScalarByte(bytes[i] as number)) i++
    return i === at ? -1 : i
  }
  let depth = 0
  for (let i = at; i < bytes.length; i++) {
    const c = bytes[i]
    if (c === QUOTE) {
      i = skipString(bytes, i) - 1
      if (i < 0) return -1
    } else if (c === OPEN_OBJECT || c === OPEN_ARRAY) depth++
    else if (c === CLOSE_OBJECT || c === CLOSE_ARRAY) {
      if (--depth === 0) return i + 1
    }
  }
  return -1
}

/** Whether the quoted name at `start..end` is `name` (ASCII), escapes undone. */
function isKey(bytes: Uint8Array, start: number, end: number, name: string): boolean {
  const length = end - start - 2
  let i = 0
  while (i < length && i < name.length && bytes[start + 1 + i] === name.charCodeAt(i)) i++
  if (i === length) return length === name.length
  if (bytes[start + 1 + i] !== BACKSLASH) return false
  try {
    return JSON.parse(Buffer.from(bytes.subarray(start, end)).toString()) === name
  } catch {
    return false
  }
}
