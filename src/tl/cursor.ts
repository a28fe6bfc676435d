/** Positions in bytes: what the types of the language read from and write to. */
import { tlError, type TlErrorCode } from './errors.ts'

/** The constructor and field at hand, kept up to date so that an error can name them at no cost to the good path. */
export class Place {
  constructorName = ''
  field = ''

  fail(code: TlErrorCode): never {
    throw tlError(code, { constructorName: this.constructorName, field: this.field })
  }
}

/** Reads forwards through `bytes`, which it never copies. */
export class Reader extends Place {
  readonly bytes: Uint8Array
  readonly view: DataView
  at = 0

  constructor(bytes: Uint8Array) {
    super()
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  override fail(code: TlErrorCode): never {
    throw tlError(code, { constructorName: this.constructorName, field: this.field, offset: this.at })
  }

  /** Moves over `count` bytes and returns where they begin. Throws tl.truncated. */
  take(count: number): number {
    const from = this.at
    if (count > this.bytes.length - from) this.fail('tl.truncated')
    this.at = from + count
    return from
  }

  /** A plain Uint8Array over the input's memory, also when the input is a subclass such as Node's Buffer. */
  slice(from: number, length: number): Uint8Array {
    return new Uint8Array(this.bytes.buffer, this.bytes.byteOffset + from, length)
  }

  uint32(): number {
    return this.view.getUint32(this.take(4), true)
  }
}

/** Writes forwards into `bytes`, whose content it does not rely on. */
export class Writer extends Place {
  readonly bytes: Uint8Array
  readonly view: DataView
  at: number

  constructor(bytes: Uint8Array, at: number) {
    super()
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.at = at
  }

  /** Moves over `count` bytes and returns where they begin. Throws bug.tl-space. */
  take(count: number): number {
    const from = this.at
    if (count > this.bytes.length - from) this.fail('bug.tl-space')
    this.at = from + count
    return from
  }

  uint32(value: number): void {
    this.view.setUint32(this.take(4), value, true)
  }
}
