/** Server-sent events over a raw response: one write per event, as soon as the token is there. */
import type { ServerResponse } from 'node:http'
import { errorAnswer } from './errors.ts'

export interface EventStream {
  /** Never waits: a slow reader must not hold a place. One that has stopped reading is cut off. */
  send(event: unknown): void
  /** The error as an event, then the end without `[DONE]`: nobody shall take half an answer for a whole one. */
  fail(error: unknown): void
  done(): void
  readonly started: boolean
}

/** Some twenty thousand tokens: whoever is that far behind does not read any more. */
const MAX_UNREAD_BYTES = 4 << 20

/** Headers are sent with the first event, so that an early failure can still have a status of its own. */
export function eventStream(response: ServerResponse): EventStream {
  const start = (): void => {
    if (response.headersSent) return
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no',
    })
  }
  return {
    send(event) {
      start()
      if (response.destroyed) return
      response.write(`data: ${JSON.stringify(event)}\n\n`)
      if (response.writableLength > MAX_UNREAD_BYTES) response.destroy()
    },
    fail(error) {
      if (response.destroyed) return
      response.end(`data: ${JSON.stringify(errorAnswer(error).body)}\n\n`)
    },
    done() {
      start()
      response.end('data: [DONE]\n\n')
    },
    get started() {
      return response.headersSent
    },
  }
}
