/** HTTP as the engine adapter needs it: one request, one answer, bytes as they come. Two clients do it, see 0014. */
import type { CocoonError } from '../util/index.ts'

export interface HttpRequest {
  readonly method: string
  /** With whatever stands before `/v1` in the engine's url. */
  readonly path: string
  /** Names and values by turns. Neither `host` nor framing: those are the client's. */
  readonly headers: readonly string[]
  readonly body: Uint8Array
}

/** Order: `head`, any number of `body`, then `end`; `fail` at any time, as the last. Never before `send` has returned. */
export interface AnswerHandler {
  head(head: ReceivedHead): void
  /** The next bytes of the body, valid only during the call: all that one turn of the event loop brought. */
  body(bytes: Buffer): void
  end(): void
  /** `engine.unreachable`, `engine.cut-off`, `engine.bad-answer`, `engine.bad-request`. */
  fail(why: CocoonError): void
}

/** May be shared by answers with the same head. */
export interface ReceivedHead {
  /** Of the final answer: interim ones are passed over. */
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
}

export interface Exchange {
  /** No `body` follows until `resume`; `end` or `fail` may. */
  pause(): void
  resume(): void
  /** Closes the connection; the handler hears nothing more. */
  abort(): void
}

/**
 * Keeps connections for the next request. A kept one that turns out closed before any byte of an answer came does not
 * fail the request, which had not begun: it goes out once more.
 */
export interface HttpClient {
  send(request: HttpRequest, handler: AnswerHandler): Exchange
  /** Ends every connection; later requests fail with `engine.aborted`. */
  close(): Promise<void>
}

export interface HttpClientSettings {
  readonly maxConnections: number
  readonly connectTimeoutMs: number
}

/** Status line and headers of an answer. Engines send well under 1 KiB; the reference reads lines of up to 16 KiB. */
export const MAX_HEAD_BYTES = 32 * 1024
