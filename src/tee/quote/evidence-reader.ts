/**
 * Reads little-endian structures front to back. Every refusal has a code, a sentence, the field and the offset where it
 * begins. Nothing is copied or allocated before its length has been checked. Browser-safe.
 */
import { CocoonError, type ErrorCode, isZero } from '../../util/index.ts'

/** Evidence refused while it was read. `at` is an offset in bytes from its start. */
export function evidenceError(
  code: ErrorCode,
  sentence: string,
  field: string,
  at: number,
  found?: string,
): CocoonError {
  const facts = found === undefined ? { field, offset: at } : { field, offset: at, found }
  const shown = Object.entries(facts).map(([name, value]) => `${name}=${value}`)
  return new CocoonError(code, { ...facts, message: `${sentence} (${shown.join(', ')})` })
}

/** How a reader refuses: the same code and sentence for everything that is not well formed. */
export interface Malformed {
  readonly code: ErrorCode
  readonly sentence: string
}

export class EvidenceReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #malformed: Malformed
  readonly #end: number
  #at: number

  /** Reads `bytes` from `at` up to `end`; offsets in errors count from the start of `bytes`. */
  constructor(bytes: Uint8Array, malformed: Malformed, at = 0, end = bytes.length) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#malformed = malformed
    this.#at = at
    this.#end = end
  }

  get at(): number {
    return this.#at
  }

  get left(): number {
    return this.#end - this.#at
  }

  /** The next byte, which stays where it is; there must be one. */
  peek(): number {
    return this.#view.getUint8(this.#at)
  }

  u8(field: string): number {
    return this.#view.getUint8(this.#take(1, field))
  }

  u16(field: string): number {
    return this.#view.getUint16(this.#take(2, field), true)
  }

  u24(field: string): number {
    const at = this.#take(3, field)
    return this.#view.getUint16(at, true) | (this.#view.getUint8(at + 2) << 16)
  }

  u32(field: string): number {
    return this.#view.getUint32(this.#take(4, field), true)
  }

  u64(field: string): bigint {
    return this.#view.getBigUint64(this.#take(8, field), true)
  }

  /** A copy, so that what was parsed cannot change when the caller reuses its buffer. */
  bytes(length: number, field: string): Uint8Array {
    const at = this.#take(length, field)
    return this.#bytes.slice(at, at + length)
  }

  /** A reader of the next `length` bytes; this one stands behind them. */
  part(length: number, field: string): EvidenceReader {
    const at = this.#take(length, field)
    return new EvidenceReader(this.#bytes, this.#malformed, at, at + length)
  }

  /** Everything up to the end, which may have to be of a length. */
  rest(field: string, length = this.left): Uint8Array {
    if (length !== this.left) throw this.refuse(field, this.#at, `${this.left} bytes where ${length} are due`)
    return this.bytes(length, field)
  }

  skipZeros(length: number, field: string): void {
    const at = this.#take(length, field)
    if (!isZero(this.#bytes.subarray(at, at + length))) throw this.refuse(field, at, 'must be zero')
  }

  finish(field: string): void {
    if (this.left !== 0) throw this.refuse(field, this.#at, `${this.left} bytes too many`)
  }

  refuse(field: string, at: number, found?: string): CocoonError {
    return evidenceError(this.#malformed.code, this.#malformed.sentence, field, at, found)
  }

  #take(length: number, field: string): number {
    const at = this.#at
    if (length > this.left) throw this.refuse(field, at, `${this.left} bytes left of ${length}`)
    this.#at = at + length
    return at
  }
}
