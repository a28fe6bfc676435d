/** GET /v1/models and /v1/models/ID. Shape: OpenAI's, with the live offers of workers as the reference adds them. */
import type { FastifyInstance } from 'fastify'
import type { Inference, ModelOffer, Offers, Quote } from '../roles/client/index.ts'
import { ABILITIES, type Ability } from '../util/index.ts'
import { apiError } from './errors.ts'
import { baseName } from './caller.ts'
import { NO_REQUEST, pricesPerMillion } from './prices.ts'

/** One model as listed. */
export interface ListedModel {
  readonly id: string
  readonly object: 'model'
  readonly created: 0
  readonly owned_by: 'cocoon'
  /** Requests in work per place for one, over all workers; null when no worker tells its places. */
  readonly load: number | null
  /** nanoTON per million tokens by class, at the cheapest worker; null without one. */
  readonly price_per_million_nano: Readonly<Record<string, string>> | null
  /** What some worker says it can do: `chat`, `tools`, `vision`, …; null where none says anything. */
  readonly capabilities: readonly Ability[] | null
  /** Tokens of prompt and answer together, of the worker with the most; null where none says. */
  readonly context_length: number | null
  /** The least that a worker of it has proved; null where the proxy does not tell. */
  readonly evidence: string | null
  readonly workers: readonly {
    /** Per mille of the network's price. */
    readonly coefficient: number
    readonly running_requests: number
    readonly max_running_requests: number
    /** What it says it can and cannot do; what is in neither list is not known. */
    readonly capabilities: readonly Ability[] | null
    readonly missing: readonly Ability[] | null
    readonly context_length: number | null
    readonly evidence: string | null
    /** Addresses of the proxies that it works behind. */
    readonly proxies: readonly string[]
  }[]
}

/** @param quote of any request: the prices count */
export function listModel(offer: ModelOffer, quote: Quote): ListedModel {
  const places = sum(offer.workers.map((worker) => worker.maxRunningRequests))
  const running = sum(offer.workers.map((worker) => worker.runningRequests))
  const cheapest = Math.min(...offer.workers.map((worker) => worker.coefficient))
  const prices = offer.workers.length === 0 ? null : pricesPerMillion(quote, cheapest)
  const workers = offer.workers.map((worker) => ({
    coefficient: worker.coefficient,
    running_requests: worker.runningRequests,
    max_running_requests: worker.maxRunningRequests,
    capabilities: worker.abilities?.can ?? null,
    missing: worker.abilities?.cannot ?? null,
    context_length: worker.abilities?.contextLength ?? null,
    evidence: worker.evidence ?? null,
    proxies: worker.proxies,
  }))
  const able = workers.map(({ capabilities }) => capabilities).filter((list) => list !== null)
  const lengths = workers.map(({ context_length: length }) => length).filter((length) => length !== null)
  return {
    id: offer.id,
    object: 'model',
    created: 0,
    owned_by: 'cocoon',
    load: places > 0 ? running / places : null,
    price_per_million_nano: prices && Object.fromEntries(prices.map(([kind, nano]) => [kind, String(nano)])),
    capabilities: able.length === 0 ? null : ABILITIES.filter((one) => able.some((list) => list.includes(one))),
    context_length: lengths.length === 0 ? null : Math.max(...lengths),
    evidence: WEAKEST_FIRST.find((label) => workers.some(({ evidence }) => evidence === label)) ?? null,
    workers,
  }
}

/** The answer to `GET /v1/models`. */
export const listModels = ({ models, silent }: Offers, quote: Quote) => ({
  object: 'list' as const,
  data: models.map((offer) => listModel(offer, quote)),
  /** Connected proxies that did not answer: what only they have is missing. */
  silent_proxies: silent,
})

/** The answer to `GET /v1/models/ID`. Throws `request.unknown-model`. */
export function findModel({ models }: Offers, id: string, quote: Quote): ListedModel {
  const offer = models.find((one) => one.id === baseName(id))
  if (offer === undefined) throw apiError('request.unknown-model', { field: 'model' })
  return listModel(offer, quote)
}

const WEAKEST_FIRST = ['none', 'simulated', 'verified']

/** What a model's offers cost does not hang on a request. */
export const pricesOf = (inference: Pick<Inference, 'quote'>): Quote => inference.quote(NO_REQUEST)

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0)

export function addModelRoutes(app: FastifyInstance, inference: Inference): void {
  app.get('/v1/models', async (request) => {
    return listModels(await inference.models(request.signal), pricesOf(inference))
  })
  // Ids contain slashes, encoded or not.
  app.get<{ Params: { '*': string } }>('/v1/models/*', async (request) => {
    return findModel(await inference.models(request.signal), request.params['*'], pricesOf(inference))
  })
}
