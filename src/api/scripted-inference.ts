/** Test support: an `Inference` that does what a test says and remembers what it was asked. */
import {
  type Charge,
  type FinalInfo,
  type Inference,
  type InferenceRequest,
  type InferenceSink,
  type ModelOffer,
  NO_STORY,
  type RequestStory,
} from '../roles/client/index.ts'
import { utf8 } from '../util/index.ts'

/** A request in the hands of a test. */
export interface ScriptedCall {
  readonly request: InferenceRequest
  readonly cancelled: boolean
  /** `application/json`, status 200, unless told otherwise. */
  head(contentType?: string, status?: number, headers?: readonly (readonly [string, string])[], worker?: string): void
  part(text: string | Uint8Array): void
  end(info?: Partial<FinalInfo>): void
  fail: InferenceSink['fail']
  /** What the node learns of the charge after a cancelling; without it, it learns nothing. */
  charge: Charge
  /** What the node knows of proxies and workers. */
  story: RequestStory
  /** Resolves when the API cancels. */
  readonly whenCancelled: Promise<void>
}

export interface ScriptedInference extends Inference {
  readonly calls: readonly ScriptedCall[]
  offers: readonly ModelOffer[] | Error
  /** Proxies that do not say what they offer. */
  silent: readonly string[]
}

export const FINAL: FinalInfo = {
  tokens: { prompt: 23n, cached: 11n, completion: 90n, reasoning: 10n, total: 134n },
  costNano: 268n,
  proxyStart: 1_700_000_000.1,
  proxyEnd: 1_700_000_000.4,
  workerStart: 1_700_000_000.2,
  workerEnd: 1_700_000_000.3,
}

/** @param script runs inside `run`, so what it does is synchronous unless it waits */
export function scriptedInference(script: (call: ScriptedCall) => unknown = () => {}): ScriptedInference {
  const calls: ScriptedCall[] = []
  return {
    calls,
    offers: [],
    silent: [],
    run(request, sink) {
      let cancels = 0
      let resolve = (): void => {}
      const whenCancelled = new Promise<void>((done) => {
        resolve = done
      })
      const call: ScriptedCall = {
        request,
        charge: 'unknown',
        story: NO_STORY,
        whenCancelled,
        get cancelled() {
          return cancels > 0
        },
        head(contentType = 'application/json', status = 200, headers = [], worker) {
          sink.head({
            status,
            headers: [['Content-Type', contentType], ...headers],
            maxCostNano: 2000n,
            proxy: 'proxy-1',
            evidence: 'simulated',
            ...(worker === undefined ? {} : { worker, attempts: 2 }),
          })
        },
        part: (text) => sink.part(typeof text === 'string' ? utf8(text) : text),
        end(info) {
          const final = { ...FINAL, ...info }
          this.charge = final
          sink.end(final)
        },
        fail(error, info) {
          this.charge = info ?? 'nothing'
          sink.fail(error, info)
        },
      }
      calls.push(call)
      script(call)
      return {
        cancel() {
          if (++cancels > 1) throw new Error('cancelled twice')
          resolve()
        },
        charge: () => Promise.resolve(call.charge),
        story: () => call.story,
      }
    },
    quote: ({ maxTokens }) => ({
      maxCostNano: 2n * BigInt(maxTokens),
      pricePerTokenNano: 2n,
      multipliers: { prompt: 10_000, cached: 10_000, completion: 10_000, reasoning: 10_000 },
    }),
    models() {
      const { offers: models, silent } = this
      return models instanceof Error ? Promise.reject(models) : Promise.resolve({ models, silent })
    },
  }
}
