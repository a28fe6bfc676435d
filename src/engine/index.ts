/**
 * The door to inference engines: the interface a worker uses, the adapter to any OpenAI-compatible HTTP engine with usage
 * metered on the way, the watch over its readiness, and the JSON scanners that others use to look into bodies cheaply.
 */
export { ENGINE_ERRORS, type EngineErrorCode, engineError, toEngineError } from './errors.ts'
export { createHttpEngine, type HttpEngineDeps, MAX_PART_BYTES } from './http.ts'
export {
  addMembers,
  applyEdits,
  createDocumentScanner,
  cutMember,
  type DocumentScanner,
  type Edit,
  findMember,
  findMembers,
  type Member,
  type ObjectScan,
} from './json-scan.ts'
/** Options only: the bindings of llama.cpp load in the process that runs it, and nowhere else. */
export { type LlamaOptions, llamaOptions } from './llama/options.ts'
export { createMeter, type Meter, type MeterOptions } from './meter.ts'
export { type HttpEngineOptions, httpEngineOptions } from './options.ts'
export { type EngineState, type EngineWatch, type EngineWatchOptions, watchEngine } from './probe.ts'
export * from './types.ts'
