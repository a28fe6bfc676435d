/**
 * The embedded engine. llama.cpp's bindings load when the server is started and not before, so that importing this costs
 * nothing in the processes that only talk to an engine over HTTP.
 */
import type { LlamaOptionsInput } from './options.ts'
import type { LlamaServer, LlamaServerDeps } from './server.ts'

export type { EmbeddedEngineErrorCode } from '../embedded/errors.ts'
export { type LlamaOptions, llamaOptions, type LlamaOptionsInput } from './options.ts'
export type { LlamaServer, LlamaServerDeps } from './server.ts'

/** See `server.ts`. Throws `engine.model-unusable`, or what `listen` throws. */
export async function startLlamaServer(options: LlamaOptionsInput, deps: LlamaServerDeps = {}): Promise<LlamaServer> {
  const server = await import('./server.ts')
  return server.startLlamaServer(options, deps)
}
