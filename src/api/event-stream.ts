/** How a stream of server-sent events ended, judged by its last bytes: looking at every byte would cost every part. */

/** `data: [DONE]` and some line ends on either side. */
const TAIL_BYTES = 32

export interface StreamTail {
  push(bytes: Uint8Array): void
  /** Nothing has begun that a reader would take together with what is written next. */
  readonly atBoundary: boolean
  /** The last event was `data: [DONE]`. */
  readonly done: boolean
}

export function createStreamTail(): StreamTail {
  const tail = Buffer.alloc(TAIL_BYTES)
  let length = 0
  const text = (): string => tail.toString('latin1', 0, length)
  return {
    push(bytes) {
      const fresh = bytes.length > TAIL_BYTES ? bytes.subarray(bytes.length - TAIL_BYTES) : bytes
      const kept = Math.min(length, TAIL_BYTES - fresh.length)
      tail.copyWithin(0, length - kept, length)
      tail.set(fresh, kept)
      length = kept + fresh.length
    },
    get atBoundary() {
      return length === 0 || /(?:\n\n|\r\r|\r\n\r\n)$/.test(text())
    },
    get done() {
      return /(?:^|[\r\n])data: ?\[DONE\]\s*$/.test(text())
    },
  }
}
