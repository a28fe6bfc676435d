/**
 * The embedded engine. Importing this loads llama.cpp's bindings, so only the process that runs the engine does; everyone
 * else talks to it over HTTP like to any other engine.
 */
export type { LlamaErrorCode } from './errors.ts'
export { LlamaOptions, type LlamaOptionsInput } from './options.ts'
export { type LlamaServer, type LlamaServerDeps, startLlamaServer } from './server.ts'
