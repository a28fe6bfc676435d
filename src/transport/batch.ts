/**
 * Frames of one turn of the event loop, behind each other in memory as they will leave: TLS records and system calls cost
 * more than all else, and after them memory for each frame.
 */

/** More in one piece would keep memory that a connection rarely needs. */
const MAX_SLAB_BYTES = 256 * 1024

export class Batch {
  #slab: Buffer = NONE
  #used = 0
  #full: Buffer[] = []
  #bytes = 0
  #frames = 0
  /** What the last batch took is the best guess for the next. */
  #expected = 0

  get bytes(): number {
    return this.#bytes
  }

  get frames(): number {
    return this.#frames
  }

  /** Room for the next frame, which the caller fills. It stays the batch's and is not moved. */
  readonly room = (bytes: number): Buffer => {
    if (this.#slab.length - this.#used < bytes) {
      if (this.#used > 0) this.#full.push(this.#slab.subarray(0, this.#used))
      this.#slab = Buffer.allocUnsafe(
        Math.max(bytes, Math.min(Math.max(this.#expected - this.#bytes, this.#bytes), MAX_SLAB_BYTES)),
      )
      this.#used = 0
    }
    const from = this.#used
    this.#used += bytes
    this.#bytes += bytes
    this.#frames++
    return this.#slab.subarray(from, this.#used)
  }

  /** All frames in one piece, uncopied where the guess was good; the batch is empty then. */
  take(): Buffer {
    const last = this.#slab.subarray(0, this.#used)
    const all = this.#full.length === 0 ? last : Buffer.concat([...this.#full, last], this.#bytes)
    this.#expected = this.#bytes
    this.clear()
    return all
  }

  clear(): void {
    this.#slab = NONE
    this.#full = []
    this.#used = this.#bytes = this.#frames = 0
  }
}

const NONE = Buffer.alloc(0)
