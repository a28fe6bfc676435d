/** `/v1/files` and `/v1/batches` of the owner alone, to be asked without a port. */
import type { FastifyInstance } from 'fastify'
import { OWNER } from '../roles/client/index.ts'
import { addBatchRoutes } from './batches.ts'
import { createViewerOf } from './batch-viewer.ts'
import { addFileRoutes } from './files.ts'
import { createHttpServer, type HttpDeps } from './http-server.ts'
import { clientApiOptions } from './options.ts'
import type { ServedBatches } from './served-batches.ts'

export function createBatchServer(
  deps: HttpDeps,
  { of, defaults }: ServedBatches,
  { maxBodyBytes }: { readonly maxBodyBytes: number },
): FastifyInstance {
  const app = createHttpServer(deps, clientApiOptions.parse({ maxBodyBytes }))
  app.decorateRequest('caller', OWNER)
  const viewerOf = createViewerOf(undefined)
  addFileRoutes(app, of.files, viewerOf)
  addBatchRoutes(app, of, viewerOf, defaults, undefined)
  return app
}
