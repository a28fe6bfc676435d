/**
 * Frames: `uint32 LE length · int32 LE number · payload`. The length counts the payload only; numbers start at 0 in
 * each direction and grow by one. Source: spec/transport.md, "Frames".
 */
import { transportError } from './errors.ts'

export const FRAME_HEADER_BYTES = 8
/** A payload holds at least a constructor id. */
export const MIN_FRAME_PAYLOAD_BYTES = 4
/** The protocol's limit; a larger frame closes the connection. */
export const MAX_FRAME_PAYLOAD_BYTES = 1 << 24
/** What is reserved for a frame before its bytes have come: a length alone must not make us allocate 16 MiB. */
const FIRST_RESERVE_BYTES = 64 * 1024

/** Writes the 8 header bytes at `at`. */
export function writeFrameHeader(into: Buffer, at: number, payloadBytes: number, seqno: number): void {
  into.writeUInt32LE(payloadBytes, at)
  into.writeInt32LE(seqno, at + 4)
}

/** Numbers the frames of one direction. */
export class FrameEncoder {
  readonly #memory: (bytes: number) => Buffer
  #next = 0

  /** @param memory gives room for a whole frame, of any content */
  constructor(memory: (bytes: number) => Buffer = Buffer.allocUnsafe) {
    this.#memory = memory
  }

  /** One buffer with the header written and `payloadBytes` of room behind it, which the caller must fill. */
  allocate(payloadBytes: number): Buffer {
    if (payloadBytes < MIN_FRAME_PAYLOAD_BYTES || payloadBytes > MAX_FRAME_PAYLOAD_BYTES)
      throw transportError('request.message-too-large', { bytes: payloadBytes, max: MAX_FRAME_PAYLOAD_BYTES })
    const frame = this.#memory(FRAME_HEADER_BYTES + payloadBytes)
    writeFrameHeader(frame, 0, payloadBytes, this.#next)
    this.#next = nextSeqno(this.#next)
    return frame
  }

  /** The frame of a payload that already exists; copies it. */
  encode(payload: Uint8Array): Buffer {
    const frame = this.allocate(payload.length)
    frame.set(payload, FRAME_HEADER_BYTES)
    return frame
  }
}

/**
 * Cuts a byte stream into payloads. Fed any chunks; checks length and number before it stores anything. A frame that lies
 * whole in one chunk is handed out as a view of it, without a copy. Throws `protocol.frame-length` and
 * `protocol.frame-seqno`; after that it must not be fed again.
 */
export class FrameDecoder {
  readonly #maxPayloadBytes: number
  readonly #header = Buffer.alloc(FRAME_HEADER_BYTES)
  #headerHas = 0
  #next = 0
  /** The frame in progress: `#has` of `#wants` bytes are in `#partial`, which grows by doubling. */
  #partial: Buffer | null = null
  #has = 0
  #wants = 0

  constructor(maxPayloadBytes: number = MAX_FRAME_PAYLOAD_BYTES) {
    this.#maxPayloadBytes = maxPayloadBytes
  }

  /** Calls `take` for every payload that is complete now. A payload is only valid during the call. */
  push(chunk: Buffer, take: (payload: Buffer) => void): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#partial !== null) {
        at += this.#fill(chunk, at)
        if (this.#has < this.#wants) return
        const payload = this.#partial
        this.#partial = null
        take(payload.subarray(0, this.#wants))
        continue
      }
      if (this.#headerHas === 0 && chunk.length - at >= FRAME_HEADER_BYTES) {
        this.#readHeader(chunk, at)
        at += FRAME_HEADER_BYTES
      } else {
        const taken = chunk.copy(this.#header, this.#headerHas, at, at + FRAME_HEADER_BYTES - this.#headerHas)
        this.#headerHas += taken
        at += taken
        if (this.#headerHas < FRAME_HEADER_BYTES) return
        this.#headerHas = 0
        this.#readHeader(this.#header, 0)
      }
      if (chunk.length - at >= this.#wants) {
        const end = at + this.#wants
        take(chunk.subarray(at, end))
        at = end
      } else {
        this.#partial = Buffer.allocUnsafeSlow(Math.min(this.#wants, FIRST_RESERVE_BYTES))
        this.#has = 0
      }
    }
  }

  #readHeader(from: Buffer, at: number): void {
    const length = from.readUInt32LE(at)
    if (length < MIN_FRAME_PAYLOAD_BYTES || length > this.#maxPayloadBytes)
      throw transportError('protocol.frame-length', { length, max: this.#maxPayloadBytes })
    const seqno = from.readInt32LE(at + 4)
    if (seqno !== this.#next) throw transportError('protocol.frame-seqno', { got: seqno, expected: this.#next })
    this.#next = nextSeqno(this.#next)
    this.#wants = length
  }

  /** Copies what belongs to the frame in progress; returns how much that was. */
  #fill(chunk: Buffer, at: number): number {
    let partial = this.#partial as Buffer
    const take = Math.min(chunk.length - at, this.#wants - this.#has)
    if (this.#has + take > partial.length) {
      const grown = Buffer.allocUnsafeSlow(Math.min(this.#wants, Math.max(this.#has + take, 2 * partial.length)))
      partial.copy(grown, 0, 0, this.#has)
      partial = this.#partial = grown
    }
    chunk.copy(partial, this.#has, at, at + take)
    this.#has += take
    return take
  }
}

/** The number is a signed 32-bit word: after 2^31 - 1 it goes on at -2^31, as the field has no other way. */
const nextSeqno = (seqno: number): number => (seqno + 1) | 0
