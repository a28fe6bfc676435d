/**
 * Signed JSON as Intel delivers it: `{"<name>":{…},"signature":"<hex>"}`. The signature covers the bytes of the inner object
 * as they came, so they are cut out, never printed again. Browser-safe.
 */
import { type CocoonError, fromHex } from '../../../util/index.ts'
import { type DcapErrorCode, dcapError } from './errors.ts'

/** SGX TCB info with eleven levels has 15 kB; ten times that is far from real and quickly read. */
export const MAX_SIGNED_JSON_BYTES = 256 * 1024
/** Two numbers of P-256 in hex. */
const SIGNATURE_HEX = /^[0-9a-fA-F]{128}$/

export interface SignedJson {
  /** What the signature covers. */
  readonly signed: Uint8Array
  /** r ‖ s. */
  readonly signature: Uint8Array
  readonly body: JsonFields
}

/** `name` is `tcbInfo` or `enclaveIdentity`. Throws `code`. */
export function readSignedJson(bytes: Uint8Array, name: string, code: DcapErrorCode): SignedJson {
  if (bytes.length === 0 || bytes.length > MAX_SIGNED_JSON_BYTES) throw dcapError(code, name, `${bytes.length} bytes`)
  const text = decodeUtf8(bytes, name, code)
  const members = topMembers(text, name, code)
  const [inner, signature] = [members.get(name), members.get('signature')]
  if (inner === undefined || signature === undefined || members.size !== 2)
    throw dcapError(code, name, `members ${[...members.keys()].join(', ').slice(0, 64)}`)
  const hex = parse(signature, 'signature', code)
  if (typeof hex !== 'string' || !SIGNATURE_HEX.test(hex)) throw dcapError(code, 'signature', 'not 128 hex digits')
  return {
    signed: new TextEncoder().encode(inner),
    signature: fromHex(hex),
    body: new JsonFields(parse(inner, name, code), { path: name }, code),
  }
}

function decodeUtf8(bytes: Uint8Array, field: string, code: DcapErrorCode): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw dcapError(code, field, 'not UTF-8')
  }
}

function parse(text: string, field: string, code: DcapErrorCode): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw dcapError(code, field, 'not JSON')
  }
}

const KEY = /\s*"([A-Za-z]{1,32})"\s*:\s*/y
/** A run without quotes and brackets, or a whole string. */
const STEP = /[^"{}[\],]+|"[^"\\]*(?:\\.[^"\\]*)*"/sy

/** The text of each member of the top object. Only where values begin and end is decided here; `JSON.parse` judges them. */
function topMembers(text: string, field: string, code: DcapErrorCode): Map<string, string> {
  const members = new Map<string, string>()
  const trimmed = text.trim()
  if (!trimmed.startsWith('{') || !trimmed.endsWith('}')) throw dcapError(code, field, 'not a JSON object')
  let at = 1
  for (;;) {
    KEY.lastIndex = at
    const key = KEY.exec(trimmed)
    if (key === null || members.has(key[1] as string)) throw dcapError(code, field, `not a member at character ${at}`)
    const from = KEY.lastIndex
    at = endOfValue(trimmed, from)
    members.set(key[1] as string, trimmed.slice(from, at).trimEnd())
    if (at === trimmed.length - 1) return members
    if (trimmed[at] !== ',') throw dcapError(code, field, `not a member at character ${at}`)
    at++
  }
}

/** Where the value that begins at `from` ends: the comma or bracket behind it, or the end of a text that is no JSON. */
function endOfValue(text: string, from: number): number {
  let depth = 0
  for (let at = from; at < text.length; ) {
    const c = text[at]
    if (c === '{' || c === '[') depth++
    else if (c === '}' || c === ']') {
      if (depth === 0) return at
      depth--
    } else if (c === ',') {
      if (depth === 0) return at
    } else {
      STEP.lastIndex = at
      if (!STEP.test(text)) return text.length
      at = STEP.lastIndex
      continue
    }
    at++
  }
  return text.length
}

/** Where a value stands. Joined to `tcbInfo.tcbLevels[2].tcb` only when something is wrong there: lists have hundreds of objects. */
type Place =
  | { readonly path: string }
  | { readonly parent: JsonFields; readonly name: string; readonly index: number | null }

/** One object of the JSON, read field by field; what is missing or of another form throws the code it was made with. */
export class JsonFields {
  readonly #fields: Readonly<Record<string, unknown>>
  readonly #place: Place
  readonly #code: DcapErrorCode

  constructor(value: unknown, place: Place, code: DcapErrorCode) {
    this.#place = place
    this.#code = code
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw dcapError(code, this.path, 'not an object')
    this.#fields = value as Record<string, unknown>
  }

  get path(): string {
    if ('path' in this.#place) return this.#place.path
    const { parent, name, index } = this.#place
    return `${parent.path}.${name}${index === null ? '' : `[${index}]`}`
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#fields, name)
  }

  string(name: string, form: RegExp): string {
    const value = this.#own(name)
    if (typeof value !== 'string' || !form.test(value)) throw this.wrong(name, 'not of the form due')
    return value
  }

  /** One of these words. */
  word<Word extends string>(name: string, words: readonly Word[]): Word {
    const value = this.#own(name)
    const word = words.find((one) => one === value)
    if (word === undefined) throw this.wrong(name, `not one of ${words.join(', ')}`)
    return word
  }

  /** Hex of either case; `bytes` long. */
  hex(name: string, bytes: number): Uint8Array {
    return fromHex(this.string(name, new RegExp(`^[0-9a-fA-F]{${2 * bytes}}$`)))
  }

  integer(name: string, max: number): number {
    const value = this.#own(name)
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > max)
      throw this.wrong(name, `not a whole number up to ${max}`)
    return value
  }

  /** `2025-06-19T09:35:34Z`, in milliseconds since 1970. */
  time(name: string): number {
    const text = this.string(name, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    const ms = Date.parse(text)
    // A date that does not exist is either no number or moved to one that does.
    if (!Number.isFinite(ms) || isoSeconds(ms) !== text) throw this.wrong(name, 'no date')
    return ms
  }

  object(name: string): JsonFields {
    return new JsonFields(this.#own(name), { parent: this, name, index: null }, this.#code)
  }

  list(name: string, max: number): JsonFields[] {
    return this.#array(name, max).map((one, index) => new JsonFields(one, { parent: this, name, index }, this.#code))
  }

  strings(name: string, max: number, form: RegExp): string[] {
    const list = this.#array(name, max)
    if (!list.every((one): one is string => typeof one === 'string' && form.test(one)))
      throw this.wrong(name, 'not of the form due')
    return list
  }

  wrong(name: string, found: string): CocoonError {
    return dcapError(this.#code, `${this.path}.${name}`, found)
  }

  #array(name: string, max: number): unknown[] {
    const value = this.#own(name)
    if (!Array.isArray(value) || value.length > max) throw this.wrong(name, `not a list of up to ${max}`)
    return value
  }

  #own(name: string): unknown {
    if (!this.has(name)) throw this.wrong(name, 'missing')
    return this.#fields[name]
  }
}

/** ISO 8601 without fractions, as Intel writes times. */
export const isoSeconds = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z')
