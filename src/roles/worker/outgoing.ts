/**
 * What a request sends back to the proxy. Towards a peer with our extension a head and the first bytes after it wait for the
 * end of the turn in which they came: when the end of the answer comes in the same turn, all of it leaves in one message.
 */
import { encode, httpResponse } from '../../tl/index.ts'
import type { Connection } from '../../transport/index.ts'
import type { Clock } from '../../util/index.ts'
import { type AnswerTo, encodeError, encodeHead, encodePart, encodeWhole, type Final } from './answers.ts'

type Headers = readonly (readonly [name: string, value: string])[]

export class Outgoing {
  readonly #connection: Connection
  readonly #clock: Clock
  readonly #to: AnswerTo
  /** Unix seconds of the request. */
  readonly #start: number
  #held: { readonly status: number; readonly headers: Headers; body: Uint8Array } | null = null

  constructor(connection: Connection, clock: Clock, to: AnswerTo, start: number) {
    this.#connection = connection
    this.#clock = clock
    this.#to = to
    this.#start = start
  }

  head(status: number, headers: Headers): void {
    const waits = this.#connection.peer.extended && this.#to.version > 0
    if (!waits) return this.#sendHead(status, headers)
    this.#held = { status, headers, body: EMPTY }
    queueMicrotask(() => this.release())
  }

  /** @param bytes valid until the turn ends */
  part(bytes: Uint8Array): void {
    if (this.#held !== null && this.#held.body.length === 0) {
      this.#held.body = bytes
      return
    }
    this.release()
    this.#connection.send(encodePart(this.#to, bytes))
  }

  end(last: Uint8Array, final: Final): void {
    const held = this.#held
    if (held === null) return this.#connection.send(encodePart(this.#to, last, final))
    this.#held = null
    const { status, headers, body } = held
    const all = last.length === 0 ? body : body.length === 0 ? last : Buffer.concat([body, last])
    this.#connection.send(encodeWhole(this.#to, responseHead(status, headers), all, final))
  }

  fail(error: { readonly code: number; readonly message: string }, final: Final, afterHead: boolean): void {
    this.release()
    this.#connection.send(encodeError(this.#to, error, final, afterHead))
  }

  /** Sends what waits. */
  release(): void {
    const held = this.#held
    if (held === null) return
    this.#held = null
    this.#sendHead(held.status, held.headers)
    if (held.body.length > 0) this.#connection.send(encodePart(this.#to, held.body))
  }

  #sendHead(status: number, headers: Headers): void {
    const times = [
      ['X-Cocoon-Worker-Start', this.#start.toFixed(6)],
      ['X-Cocoon-Worker-End', (this.#clock.now() / 1000).toFixed(6)],
    ] as const
    this.#connection.send(encodeHead(this.#to, responseHead(status, [...headers, ...times])))
  }
}

const EMPTY = new Uint8Array()

/** The boxed `http.response` of a first answer. The body follows, so its framing is said to be chunked. */
function responseHead(status: number, headers: Headers): Uint8Array {
  const all = headers.map(([name, value]) => ({ name, value }))
  all.push({ name: 'Transfer-Encoding', value: 'chunked' })
  return encode(httpResponse, {
    httpVersion: 'HTTP/1.1',
    statusCode: status,
    reason: status === 200 ? 'OK' : '',
    headers: all,
    payload: EMPTY,
  })
}
