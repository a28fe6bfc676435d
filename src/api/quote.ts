/** POST /v1/quote/… in front of an inference path, and GET /v1/prices: what a request can cost, before it runs. */
import type { FastifyInstance } from 'fastify'
import type { Inference, ModelOffer, Quote } from '../roles/client/index.ts'
import { INFERENCE_PATHS } from './contract.ts'
import { type FiatNow, moneyFields } from './money-fields.ts'
import type { RequestDefaults } from './caller.ts'
import { prepareInference } from './prepare.ts'
import { NO_REQUEST, pricesPerMillion } from './prices.ts'
import { TRANSLATED_PATHS } from './translated-paths.ts'

export function addQuoteRoutes(
  app: FastifyInstance,
  inference: Inference,
  defaults: RequestDefaults,
  fiat: FiatNow | undefined,
): void {
  app.get('/v1/prices', async (request) => {
    const { models, silent } = await inference.models(request.signal)
    const price = inference.quote(NO_REQUEST)
    const rate = fiat?.()
    const shown = rate === undefined ? null : { currency: rate.currency, per_ton: rate.perTon }
    return {
      object: 'list',
      fiat: shown,
      data: models.map((offer) => priceOf(offer, price, fiat)),
      silent_proxies: silent,
    }
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

function priceOf({ id, workers }: ModelOffer, quote: Quote, fiat: FiatNow | undefined): object {
  const coefficients = workers.map((worker) => worker.coefficient)
  const at = (coefficient: number): object => ({
    coefficient,
    ...Object.fromEntries(
      pricesPerMillion(quote, coefficient).flatMap(([kind, nano]) =>
        Object.entries(moneyFields(`${kind}_per_million`, nano, fiat)),
      ),
    ),
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
