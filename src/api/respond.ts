/** One answer on one HTTP response. Written on `node:http` itself, because every part of every stream passes here. */
import type { ServerResponse } from 'node:http'
import type { CocoonError } from '../util/index.ts'
import { Answer, type AnswerDeps, type AnswerLimits, type AnswerOutlet, valueOf } from './answer.ts'
import type { PreparedInference } from './prepare.ts'

export interface HttpAnswerDeps extends AnswerDeps {
  readonly limits: AnswerLimits & {
    /** Time for the caller to take the rest of a finished answer. */
    readonly deliveryTimeoutMs: number
  }
}

const TRAILERS = 'x-cocoon-cost-nano, x-cocoon-tokens'

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
  #collecting = false

  constructor(res: ServerResponse, deps: HttpAnswerDeps) {
    this.#res = res
    this.#deps = deps
  }

  get undelivered(): number {
    return this.#res.writableLength
  }

  begin(status: number, headers: string[], isEventStream: boolean): void {
    const { httpVersionMajor, httpVersionMinor } = this.#res.req
    if (httpVersionMajor === 1 && httpVersionMinor >= 1) headers.push('trailer', TRAILERS)
    // nginx and its like would collect the events.
    if (isEventStream) headers.push('x-accel-buffering', 'no')
    if (isEventStream && valueOf(headers, 'cache-control') === undefined) headers.push('cache-control', 'no-cache')
    this.#collect()
    this.#res.writeHead(status, headers)
    this.#res.flushHeaders()
  }

  write(bytes: Uint8Array): void {
    this.#collect()
    this.#res.write(Buffer.from(bytes))
  }

  end(cost: readonly (readonly [string, string])[]): void {
    if (this.#res.destroyed) return
    if (cost.length > 0 && this.#res.chunkedEncoding) this.#res.addTrailers(Object.fromEntries(cost))
    this.#finish()
  }

  send(status: number, headers: string[], body: Uint8Array): void {
    this.#res.writeHead(status, headers)
    this.#finish(body)
  }

  abort(_why: CocoonError): void {
    this.#res.destroy()
  }

  /** What one turn of the event loop brings leaves in one piece: each system call costs as much as a part of an answer. */
  #collect(): void {
    const { socket } = this.#res
    if (this.#collecting || socket === null) return
    this.#collecting = true
    socket.cork()
    setImmediate(() => {
      this.#collecting = false
      socket.uncork()
    })
  }

  #finish(lastBytes?: Uint8Array): void {
    const { clock, limits } = this.#deps
    const patience = clock.after(limits.deliveryTimeoutMs, () => this.#res.destroy())
    this.#res.once('close', () => patience.cancel())
    this.#res.end(lastBytes)
  }
}
