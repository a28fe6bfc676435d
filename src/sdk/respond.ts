/** One answer as a `Response`: the rules are api's `Answer`, the caller reads from a stream in this process. */
import { Answer, type AnswerDeps, type AnswerOutlet, type PreparedInference } from '../api/index.ts'
import type { CocoonError } from '../util/index.ts'

/** What a request has cost. */
export interface Cost {
  readonly costNano: bigint
  /** Adjusted tokens. */
  readonly tokens: bigint
}

export interface InProcessAnswer {
  /** Rejects only with the signal's reason, before the head of the answer. */
  readonly response: Promise<Response>
  /** Undefined when nothing was charged, or nobody knows because the answer was given up. */
  readonly cost: Promise<Cost | undefined>
  /** Resolves when the request is over on this side, whether or not the body has been read. */
  readonly over: Promise<void>
}

/** @param baseHeaders flat: name, value, name, value */
export function respond(
  request: PreparedInference,
  baseHeaders: readonly string[],
  signal: AbortSignal | undefined,
  deps: AnswerDeps,
): InProcessAnswer {
  const response = Promise.withResolvers<Response>()
  const cost = Promise.withResolvers<Cost | undefined>()
  const over = Promise.withResolvers<void>()
  let body: ReadableStreamDefaultController<Uint8Array> | undefined

  const finish = (headers: readonly (readonly [string, string])[]): void => {
    signal?.removeEventListener('abort', abort)
    cost.resolve(readCost(new Headers(headers as [string, string][])))
    over.resolve()
  }
  const hungUp = (): void => {
    body = undefined
    answer.hungUp()
  }
  function abort(): void {
    response.reject(signal?.reason)
    body?.error(signal?.reason)
    hungUp()
  }

  const outlet: AnswerOutlet = {
    get undelivered() {
      return -(body?.desiredSize ?? 0)
    },
    begin(status, flat) {
      const start = (controller: ReadableStreamDefaultController<Uint8Array>): void => void (body = controller)
      // Nothing is read ahead: what is queued is exactly what the caller has not taken.
      const strategy = new ByteLengthQueuingStrategy({ highWaterMark: 0 })
      const stream = new ReadableStream<Uint8Array>({ start, cancel: hungUp }, strategy)
      response.resolve(new Response(stream, { status, headers: pairs(flat) }))
    },
    // Memory of its own: a reader may keep or transfer it.
    write: (bytes) => body?.enqueue(new Uint8Array(bytes)),
    end(headers) {
      body?.close()
      finish(headers)
    },
    send(status, flat, bytes) {
      const headers = pairs(flat)
      const hasBody = status !== 204 && status !== 205
      response.resolve(new Response(hasBody ? new Uint8Array(bytes) : null, { status, headers }))
      finish(headers)
    },
    abort(why: CocoonError) {
      body?.error(why)
      finish([])
    },
  }
  const answer = new Answer(outlet, request, baseHeaders, deps)
  signal?.addEventListener('abort', abort, { once: true })
  answer.run()
  return { response: response.promise, cost: cost.promise, over: over.promise }
}

function readCost(headers: Headers): Cost | undefined {
  const [costNano, tokens] = [headers.get('x-cocoon-cost-nano'), headers.get('x-cocoon-tokens')]
  return costNano === null || tokens === null ? undefined : { costNano: BigInt(costNano), tokens: BigInt(tokens) }
}

function pairs(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] as string, flat[2 * i + 1] as string])
}
