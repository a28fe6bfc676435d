/**
 * Requests that somebody waits for go first. This stands in front of the inference of all live endpoints and knows whether they
 * get through: while a stream waits for its beginning, or a request was just refused for want of room, batches start nothing. A whole
 * answer begins when it ends, so that its beginning says nothing about room.
 */
import type { Inference, InferenceSink } from '../roles/client/index.ts'
import type { Clock } from '../util/index.ts'

export interface InteractiveWatch {
  /** What the live endpoints run on. */
  readonly inference: Inference
  isWaiting(): boolean
}

/** A stream that begins within this had room; most do. */
const PATIENCE_MS = 1_000
/** After a refusal the caller tries again, and shall find the place that gets free. */
const AFTER_REFUSAL_MS = 5_000

export function watchInteractive(inference: Inference, clock: Clock): InteractiveWatch {
  /** When each stream was asked for that has not begun. */
  const waitingSinceMs = new Map<object, number>()
  let refusedMs = Number.NEGATIVE_INFINITY

  return {
    inference: {
      models: (signal) => inference.models(signal),
      quote: (request) => inference.quote(request),
      run(request, sink) {
        const one = {}
        if (request.stream === true) waitingSinceMs.set(one, clock.now())
        const watched: InferenceSink = {
          head(head) {
            waitingSinceMs.delete(one)
            sink.head(head)
          },
          part: (bytes) => sink.part(bytes),
          end(info) {
            waitingSinceMs.delete(one)
            sink.end(info)
          },
          fail(error, info) {
            waitingSinceMs.delete(one)
            if (error.family === 'capacity' && error.code !== 'capacity.rate-limit') refusedMs = clock.now()
            sink.fail(error, info)
          },
        }
        try {
          const running = inference.run(request, watched)
          return {
            cancel() {
              waitingSinceMs.delete(one)
              running.cancel()
            },
            charge: () => running.charge(),
            story: () => running.story(),
          }
        } catch (error) {
          waitingSinceMs.delete(one)
          throw error
        }
      },
    },
    isWaiting() {
      const now = clock.now()
      if (now - refusedMs < AFTER_REFUSAL_MS) return true
      // The oldest stands first.
      const [since] = waitingSinceMs.values()
      return since !== undefined && now - since > PATIENCE_MS
    },
  }
}
