/**
 * An `Inference` that keeps accounts: a request is let through by its key's scopes, models and rates and by every budget it falls
 * under, and leaves a receipt whatever becomes of it. Every endpoint runs on this one, so none of them can spend past it.
 */
import {
  type Charge,
  expectWithinMaxCost,
  type FinalInfo,
  type Inference,
  type InferenceRequest,
  type InferenceSink,
  NO_STORY,
  OWNER,
  type RunningInference,
} from '../roles/client/index.ts'
import { type Clock, CocoonError, type ErrorCode, formatTon, toCocoonError } from '../util/index.ts'
import { type ApiKey, DEFAULT_PROJECT, type ReceiptResult } from './accounts.ts'
import type { BudgetState, Payer, Reservation } from './budgets.ts'
import { gatewayError } from './errors.ts'
import type { Gateway } from './gateway.ts'
import type { Passage } from './rate-limits.ts'

export interface MeteredDeps {
  readonly inference: Inference
  readonly gateway: Pick<Gateway, 'hasKeys' | 'keyById' | 'rates' | 'budgets' | 'record' | 'refused' | 'trouble'>
  readonly clock: Clock
}

/** What proxies say where all workers ask more than the caller would pay: nothing has failed, nobody worked. */
const PRICE_CAP: ErrorCode = 'capacity.price'

/** From this one on, an engine's whole answer says why there is none. */
const BAD_STATUS = 400
/** The reason in its receipt; the caller has the engine's own words. */
const ENGINE_STATUS: ErrorCode = 'engine.status'

/** Engines' texts have about four bytes a token; only for the limit of tokens per minute, which is corrected at the end. */
const BYTES_PER_TOKEN = 4

export function meterInference(deps: MeteredDeps): Inference {
  const { inference } = deps
  return {
    quote: (request) => inference.quote(request),
    models: (signal) => inference.models(signal),
    run(request, sink) {
      let metered: Metered
      try {
        metered = new Metered(request, sink, deps)
      } catch (error) {
        const why = toCocoonError(error)
        const { traceId, caller = OWNER, model, path } = request
        const { code } = why
        deps.gateway.refused({ request: traceId, caller, model, path, status: null, code, durationMs: 0 })
        // Never inside the caller's call: a sink may be used before `run` has returned.
        queueMicrotask(() => sink.fail(why))
        return { cancel() {}, charge: () => Promise.resolve('nothing'), story: () => NO_STORY }
      }
      return metered.start(inference)
    },
  }
}

/** One request between admission and receipt. The constructor admits it or throws. */
class Metered implements InferenceSink {
  readonly #request: InferenceRequest
  readonly #sink: InferenceSink
  readonly #deps: MeteredDeps
  readonly #payer: Payer
  readonly #key: ApiKey | null
  readonly #maxCostNano: bigint
  readonly #startMs: number
  readonly #reservation: Reservation
  readonly #passage: Passage | null
  #head: Parameters<InferenceSink['head']>[0] | null = null
  #firstByteMs: number | null = null
  /** Set when it is over for the caller. */
  #ending: { readonly result: ReceiptResult; readonly code: string | null } | null = null
  /** What the answer said it cost. */
  #told: FinalInfo | undefined
  #recorded = false
  #running: RunningInference | null = null
  readonly #settled = Promise.withResolvers<Charge>()

  constructor(request: InferenceRequest, sink: InferenceSink, deps: MeteredDeps) {
    const { gateway, inference, clock } = deps
    this.#request = request
    this.#sink = sink
    this.#deps = deps
    const trouble = gateway.trouble()
    if (trouble !== null) throw trouble
    this.#key = keyOf(request, gateway)
    const { model } = request
    this.#payer = { project: this.#key?.project ?? DEFAULT_PROJECT, key: this.#key?.id ?? OWNER, model }
    const quote = inference.quote(request)
    expectWithinMaxCost(request, quote)
    this.#maxCostNano = quote.maxCostNano
    this.#startMs = clock.now()
    const estimate = request.maxTokens + Math.ceil(request.body.length / BYTES_PER_TOKEN)
    this.#passage = this.#key === null ? null : gateway.rates(this.#key.id).enter(this.#key.limits, estimate)
    const reserved = gateway.budgets.reserve(this.#payer, this.#maxCostNano)
    if ('short' in reserved) {
      this.#passage?.leave()
      this.#passage?.settle(0)
      throw budgetExceeded(reserved.short, this.#maxCostNano)
    }
    this.#reservation = reserved
  }

  start(inference: Inference): RunningInference {
    try {
      this.#running = inference.run(this.#request, this)
    } catch (error) {
      this.#end('failed', toCocoonError(error).code)
      this.#settle('nothing')
      throw error
    }
    // It may have failed inside the call.
    if (this.#ending !== null) this.#settleLater()
    const running = this.#running
    return {
      cancel: () => {
        running.cancel()
        if (this.#ending !== null) return
        this.#end('cancelled', null)
        this.#settleLater()
      },
      // Not before the receipt is taken: whoever waits for this may count on it.
      charge: () => this.#settled.promise,
      story: () => running.story(),
    }
  }

  head(head: Parameters<InferenceSink['head']>[0]): void {
    this.#head = head
    this.#firstByteMs = this.#deps.clock.now() - this.#startMs
    const rates = this.#key === null ? [] : this.#deps.gateway.rates(this.#key.id).headers(this.#key.limits)
    // An engine's own limits say nothing to our callers.
    const engine = head.headers.filter(([name]) => !name.toLowerCase().startsWith('x-ratelimit-'))
    this.#sink.head({ ...head, headers: [...engine, ...rates] })
  }

  part(bytes: Uint8Array): void {
    this.#sink.part(bytes)
  }

  end(info: FinalInfo): void {
    const isGood = (this.#head?.status ?? 0) < BAD_STATUS
    this.#end(isGood ? 'ok' : 'failed', isGood ? null : ENGINE_STATUS)
    this.#settleLater(info)
    this.#sink.end(info)
  }

  fail(error: CocoonError, info?: FinalInfo): void {
    const isRefused = error.code === PRICE_CAP && (info?.costNano ?? 0n) === 0n
    this.#end(isRefused ? 'refused' : 'failed', error.code)
    this.#settleLater(info)
    this.#sink.fail(error, info)
  }

  #end(result: ReceiptResult, code: string | null): void {
    if (this.#ending !== null) return
    this.#ending = { result, code }
    this.#passage?.leave()
  }

  /**
   * Until it is certain what it cost, all that it could cost stays reserved. The answer tells of the attempt that won; another
   * that was stopped for it may have been charged as well.
   */
  #settleLater(told: FinalInfo | undefined = this.#told): void {
    this.#told = told
    void this.#running?.charge().then((charge) => {
      this.#settle(typeof charge === 'string' && told !== undefined ? told : charge)
    })
  }

  #settle(charge: Charge): void {
    if (this.#recorded) return
    this.#recorded = true
    const info = typeof charge === 'string' ? null : charge
    const costNano = info?.costNano ?? 0n
    const unsettledNano = charge === 'unknown' ? this.#maxCostNano : 0n
    this.#reservation.settle(costNano + unsettledNano)
    this.#passage?.settle(Number(info?.tokens.total ?? 0n))
    const { result, code } = this.#ending ?? { result: 'failed', code: null }
    const { clock, gateway } = this.#deps
    const head = this.#head
    const { queuedMs, attempts } = this.#running?.story() ?? NO_STORY
    const last = attempts.at(-1)
    const now = clock.now()
    gateway.record({
      request: this.#request.traceId,
      atMs: now,
      ...this.#payer,
      path: this.#request.path,
      result,
      code,
      status: head?.status ?? null,
      ...(info?.tokens ?? NO_TOKENS),
      costNano,
      unsettledNano,
      maxCostNano: this.#maxCostNano,
      proxy: head?.proxy ?? last?.proxy ?? null,
      worker: last?.worker ?? null,
      evidence: head?.evidence ?? null,
      attempts,
      queuedMs,
      sentMs: last?.sentMs ?? null,
      firstByteMs: this.#firstByteMs,
      durationMs: now - this.#startMs,
    })
    this.#settled.resolve(charge)
  }
}

const NO_TOKENS = { prompt: 0n, cached: 0n, completion: 0n, reasoning: 0n, total: 0n }

/** Null for the owner. A request that names nobody is the owner's only while there are no keys. */
function keyOf({ caller, model }: InferenceRequest, gateway: MeteredDeps['gateway']): ApiKey | null {
  if (caller === OWNER) return null
  if (caller === undefined) {
    if (!gateway.hasKeys()) return null
    throw new CocoonError('bug.no-caller', { message: 'a request without a caller reached the gateway' })
  }
  const key = gateway.keyById(caller)
  if (!key.scopes.includes('inference'))
    throw gatewayError(
      'request.key-scope',
      `The API key ${key.id} may not ask models: its scopes are ${key.scopes.join(', ')}.`,
    )
  if (key.models.length > 0 && !key.models.includes(model))
    throw gatewayError(
      'request.key-model',
      `The API key ${key.id} may not ask this model: it may ask ${key.models.join(', ')}.`,
      { field: 'model' },
    )
  return key
}

function budgetExceeded({ budget, spentNano, reservedNano, untilMs }: BudgetState, maxCostNano: bigint): CocoonError {
  const { scope, id, model, window, limitNano } = budget
  const whose = scope === 'node' ? 'this node' : `${scope} ${id}`
  const left = limitNano - spentNano - reservedNano
  const until = Number.isFinite(untilMs) ? ` A new window begins at ${new Date(untilMs).toISOString()}.` : ''
  return gatewayError(
    'payment.budget-exceeded',
    `The ${window} budget of ${whose}${model === '' ? '' : ` for ${model}`} has ${formatTon(left < 0n ? 0n : left)} TON left of ${formatTon(limitNano)} (${formatTon(reservedNano)} reserved by running requests), and this request can cost ${formatTon(maxCostNano)}: lower max_tokens, or raise the budget.${until}`,
  )
}
