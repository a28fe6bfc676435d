/** Questions and answers of one connection. Ids are matched within the connection only, never across connections. */
import type { Clock, CocoonError, Timer } from '../util/index.ts'
import { refusedByPeer, transportError } from './errors.ts'
import type { Reply } from './types.ts'

interface Waiting {
  resolve(answer: Uint8Array): void
  reject(why: CocoonError): void
  readonly timer: Timer
}

/** Our queries that wait for an answer. An answer to anything else is ignored: it came twice, or too late. */
export class OutstandingQueries {
  readonly #clock: Clock
  readonly #max: number
  readonly #waiting = new Map<bigint, Waiting>()

  constructor(clock: Clock, max: number) {
    this.#clock = clock
    this.#max = max
  }

  /** `id` is null when there are too many; then `answer` is rejected already. */
  ask(randomId: () => bigint, timeoutMs: number): { readonly id: bigint | null; readonly answer: Promise<Uint8Array> } {
    if (this.#waiting.size >= this.#max)
      return { id: null, answer: Promise.reject(transportError('capacity.queries', { max: this.#max })) }
    let id = randomId()
    while (this.#waiting.has(id)) id = randomId()
    const answer = new Promise<Uint8Array>((resolve, reject) => {
      const timer = this.#clock.after(timeoutMs, () =>
        this.refuse(id, transportError('protocol.query-timeout', { timeoutMs })),
      )
      this.#waiting.set(id, { resolve, reject, timer })
    })
    return { id, answer }
  }

  /** `data` is only called when somebody waits. */
  answer(id: bigint, data: () => Uint8Array): void {
    this.#settle(id)?.resolve(data())
  }

  refuse(id: bigint, why: CocoonError): void {
    this.#settle(id)?.reject(why)
  }

  refuseByPeer(id: bigint, code: number, message: string): void {
    this.#settle(id)?.reject(refusedByPeer(code, message))
  }

  refuseAll(why: CocoonError): void {
    for (const id of this.#waiting.keys()) this.refuse(id, why)
  }

  #settle(id: bigint): Waiting | undefined {
    const waiting = this.#waiting.get(id)
    if (waiting !== undefined) {
      this.#waiting.delete(id)
      waiting.timer.cancel()
    }
    return waiting
  }
}

interface ReplyWriter {
  answer(id: bigint, data: Uint8Array): void
  error(id: bigint, code: number, message: string): void
}

/** The peer's queries that we have not answered. */
export class InboundQueries {
  readonly #max: number
  readonly #write: ReplyWriter
  readonly #open = new Set<bigint>()

  constructor(max: number, write: ReplyWriter) {
    this.#max = max
    this.#write = write
  }

  /** A way to answer exactly once; a query whose id is still open is the same query again and gets none. */
  take(id: bigint): Reply | 'duplicate' | 'too-many' {
    if (this.#open.has(id)) return 'duplicate'
    if (this.#open.size >= this.#max) return 'too-many'
    this.#open.add(id)
    // Its own flag, since the peer may use the id again once this query is answered.
    let answered = false
    const once = (write: () => void): void => {
      if (answered || !this.#open.delete(id)) return
      answered = true
      write()
    }
    return {
      answer: (message) => once(() => this.#write.answer(id, message)),
      error: (code, message) => once(() => this.#write.error(id, code, message)),
    }
  }

  forget(): void {
    this.#open.clear()
  }
}
