/** POST /v1/quote/… in front of an inference path, and GET /v1/prices: what a request can cost, before it runs. */
import type { FastifyInstance } from 'fastify'
import type { Fiat } from '../gateway/index.ts'
import type { Inference, ModelOffer, Quote } from '../roles/client/index.ts'
import { INFERENCE_PATHS } from './contract.ts'
import { moneyFields } from './money-fields.ts'
import type { RequestDefaults } from './caller.ts'
import { prepareInference } from './prepare.ts'
import { TRANSLATED_PATHS } from './translated-paths.ts'

/** Price multipliers and coefficients are fractions of these. */
const WHOLE_MULTIPLIER = 10_000n
const WHOLE_COEFFICIENT = 1_000n
const MILLION = 1_000_000n

export function addQuoteRoutes(
  app: FastifyInstance,
  inference: Inference,
  defaults: RequestDefaults,
  fiat: Fiat | undefined,
): void {
  app.get('/v1/prices', async (request) => {
    const offers = await inference.models(request.signal)
    const price = inference.quote(NOTHING)
    return { object: 'list', data: offers.map((offer) => priceOf(offer, price, fiat)) }
  })
  void app.register(async (scope) => {
    // As in routes.ts: the bytes as they came.
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    for (const path of [...INFERENCE_PATHS, ...TRANSLATED_PATHS])
      scope.post(path.replace('/v1/', '/v1/quote/'), async (request) => {
        const prepared = prepareInference({
          path,
          headers: [],
          body: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
          traceId: request.id,
          caller: request.caller,
          defaults,
        })
        const { maxCostNano, pricePerTokenNano } = inference.quote(prepared)
        return {
          object: 'quote',
          model: prepared.model,
          max_tokens: prepared.maxTokens,
          max_coefficient: prepared.maxCoefficient,
          price_per_token_nano: String(pricePerTokenNano),
          ...moneyFields('max_cost', maxCostNano, fiat),
        }
      })
  })
}

/** For the prices alone. */
const NOTHING = {
  path: '/v1/chat/completions',
  headers: [],
  body: new Uint8Array(),
  model: '',
  maxTokens: 0,
  maxCoefficient: 0,
  timeoutMs: 1,
  debug: false,
  traceId: '',
}

function priceOf({ id, workers }: ModelOffer, quote: Quote, fiat: Fiat | undefined): object {
  const coefficients = workers.map((worker) => worker.coefficient)
  const perMillion = (multiplier: number, coefficient: number): bigint =>
    (MILLION * quote.pricePerTokenNano * BigInt(multiplier) * BigInt(coefficient)) /
    (WHOLE_MULTIPLIER * WHOLE_COEFFICIENT)
  const { prompt, cached, completion, reasoning } = quote.multipliers
  const at = (coefficient: number): object => ({
    coefficient,
    ...moneyFields('prompt_per_million', perMillion(prompt, coefficient), fiat),
    ...moneyFields('cached_per_million', perMillion(cached, coefficient), fiat),
    ...moneyFields('completion_per_million', perMillion(completion, coefficient), fiat),
    ...moneyFields('reasoning_per_million', perMillion(reasoning, coefficient), fiat),
  })
  return {
    id,
    object: 'price',
    workers: workers.length,
    price_per_token_nano: String(quote.pricePerTokenNano),
    cheapest: workers.length === 0 ? null : at(Math.min(...coefficients)),
    dearest: workers.length === 0 ? null : at(Math.max(...coefficients)),
  }
}
