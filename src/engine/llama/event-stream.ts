/** Server-sent events over a raw response: one write per event, waiting when the reader is slower than the model. */
import type { ServerResponse } from 'node:http'
import { errorAnswer } from './errors.ts'

export interface EventStream {
  /** Waits while the socket's buffer is full; returns at once when the reader has left. */
  send(event: unknown): Promise<void>
  /** The error as an event, then the end without `[DONE]`: nobody shall take half an answer for a whole one. */
  fail(error: unknown): void
  done(): void
  readonly started: boolean
}

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
    async send(event) {
      start()
      if (response.destroyed || response.write(`data: ${JSON.stringify(event)}\n\n`)) return
      await new Promise<void>((resolve) => {
        const go = (): void => {
          response.off('drain', go)
          response.off('close', go)
          resolve()
        }
        response.on('drain', go)
        response.on('close', go)
      })
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
