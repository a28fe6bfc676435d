/** GET /v1/models and /v1/models/ID. Shape: OpenAI's, with the live offers of workers as the reference adds them. */
import type { FastifyInstance } from 'fastify'
import type { Inference, ModelOffer } from '../roles/client/index.ts'
import { apiError } from './errors.ts'
import { baseName } from './caller.ts'

/** One model as listed. */
export interface ListedModel {
  readonly id: string
  readonly object: 'model'
  readonly created: 0
  readonly owned_by: 'cocoon'
  readonly workers: readonly {
    /** Per mille of the network's price. */
    readonly coefficient: number
    readonly running_requests: number
    readonly max_running_requests: number
  }[]
}

export function listModel(offer: ModelOffer): ListedModel {
  const workers = offer.workers.map((worker) => ({
    coefficient: worker.coefficient,
    running_requests: worker.runningRequests,
    max_running_requests: worker.maxRunningRequests,
  }))
  return { id: offer.id, object: 'model', created: 0, owned_by: 'cocoon', workers }
}

export function addModelRoutes(app: FastifyInstance, inference: Inference): void {
  app.get('/v1/models', async (request) => {
    const offers = await inference.models(request.signal)
    return { object: 'list', data: offers.map(listModel) }
  })
  // Ids contain slashes, encoded or not.
  app.get<{ Params: { '*': string } }>('/v1/models/*', async (request) => {
    const id = baseName(request.params['*'])
    const offer = (await inference.models(request.signal)).find((one) => one.id === id)
    if (offer === undefined) throw apiError('request.unknown-model', { field: 'model' })
    return listModel(offer)
  })
}
