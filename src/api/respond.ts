/** One answer on one HTTP response. Written on `node:http` itself, because every part of every stream passes here. */
import type { ServerResponse } from 'node:http'
import type { CocoonError } from '../util/index.ts'
import { Answer, type AnswerDeps, type AnswerLimits, type AnswerOutlet, valueOf } from './answer.ts'
import { COST_HEADERS } from './answer-headers.ts'
import type { PreparedInference } from './caller.ts'

export interface HttpAnswerDeps extends AnswerDeps {
  readonly limits: AnswerLimits & {
    /** Time for the caller to take the rest of a finished answer. */
    readonly deliveryTimeoutMs: number
  }
}

const TRAILERS = COST_HEADERS.join(', ')

/**
 * Runs the request and writes its answer to `res`.
 * @param baseHeaders name, value, name, value: what every answer of this server carries
 */
export function answerInference(
  res: ServerResponse,
  request: PreparedInference,
  baseHeaders: readonly string[],
  deps: HttpAnswerDeps,
): void {
  const answer = new Answer(new HttpOutlet(res, deps), request, baseHeaders, deps)
  res.once('close', () => answer.hungUp())
  // Gone between the last byte of its request and here: the event has been missed.
  if (res.destroyed) answer.hungUp()
  else answer.run()
}

class HttpOutlet implements AnswerOutlet {
  readonly #res: ServerResponse
  readonly #deps: HttpAnswerDeps
  /**
   * What this turn of the event loop brought. It leaves in one piece: each chunk of a body takes three writes, and each system
   * call costs as much as a part of an answer. An answer that is over in the turn in which it began has a known length.
   */
  #head: { readonly status: number; readonly headers: string[] } | null = null
  #pending: Buffer[] = []
  #pendingBytes = 0
  #willFlush = false
  #ended = false

  constructor(res: ServerResponse, deps: HttpAnswerDeps) {
    this.#res = res
    this.#deps = deps
  }

  get undelivered(): number {
    return this.#res.writableLength + this.#pendingBytes
  }

  begin(status: number, headers: string[], isEventStream: boolean): void {
    // nginx and its like would collect the events.
    if (isEventStream) headers.push('x-accel-buffering', 'no')
    if (isEventStream && valueOf(headers, 'cache-control') === undefined) headers.push('cache-control', 'no-cache')
    this.#head = { status, headers }
    this.#flushSoon()
  }

  write(bytes: Uint8Array): void {
    this.#pending.push(Buffer.from(bytes))
    this.#pendingBytes += bytes.length
    this.#flushSoon()
  }

  end(cost: readonly (readonly [string, string])[]): void {
    if (this.#res.destroyed) return
    const head = this.#head
    if (head !== null) {
      for (const [name, value] of cost) head.headers.push(name, value)
      if (head.status !== 204) head.headers.push('content-length', String(this.#pendingBytes))
      this.#head = null
      this.#res.writeHead(head.status, head.headers)
    } else if (cost.length > 0 && this.#res.chunkedEncoding) this.#res.addTrailers(Object.fromEntries(cost))
    this.#finish(this.#takePending())
  }

  send(status: number, headers: string[], body: Uint8Array): void {
    this.#res.writeHead(status, headers)
    this.#finish(body)
  }

  abort(_why: CocoonError): void {
    this.#res.destroy()
  }

  #flushSoon(): void {
    if (this.#willFlush) return
    this.#willFlush = true
    setImmediate(this.#flush)
  }

  readonly #flush = (): void => {
    this.#willFlush = false
    if (this.#ended || this.#res.destroyed) return
    this.#writeHead()
    const bytes = this.#takePending()
    if (bytes === undefined) this.#res.flushHeaders()
    else this.#res.write(bytes)
  }

  /** Of a body whose length nobody knows yet; what it cost follows in trailers where HTTP has them. */
  #writeHead(): void {
    if (this.#head === null) return
    const { status, headers } = this.#head
    this.#head = null
    const { httpVersionMajor, httpVersionMinor } = this.#res.req
    if (httpVersionMajor === 1 && httpVersionMinor >= 1) headers.push('trailer', TRAILERS)
    this.#res.writeHead(status, headers)
  }

  #takePending(): Buffer | undefined {
    const pending = this.#pending
    if (pending.length === 0) return undefined
    const bytes = pending.length === 1 ? pending[0] : Buffer.concat(pending, this.#pendingBytes)
    this.#pending = []
    this.#pendingBytes = 0
    return bytes
  }

  #finish(lastBytes?: Uint8Array): void {
    this.#ended = true
    const { clock, limits } = this.#deps
    const patience = clock.after(limits.deliveryTimeoutMs, () => this.#res.destroy())
    this.#res.once('close', () => patience.cancel())
    this.#res.end(lastBytes)
  }
}
