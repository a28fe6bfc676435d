/**
 * The HTTP of a node: OpenAI's API in front of an `Inference` (client nodes), and `/healthz`, `/readyz`, `/status`,
 * `/metrics` and `/jsonstats` (every node). How requests are checked, answers end and errors look serves the SDK as well.
 */
export { Answer, type AnswerDeps, type AnswerLimits, type AnswerOutlet } from './answer.ts'
export { createBatchServer } from './batch-server.ts'
export { complaintOf, type FieldComplaint } from './complaint.ts'
export type { ConsolePage } from './console.ts'
export * from './contract.ts'
export {
  API_ERRORS,
  type ApiErrorCode,
  apiError,
  type HttpError,
  type OpenAiErrorBody,
  toErrorBody,
  toHttpError,
} from './errors.ts'
export { createStreamTail, type StreamTail } from './event-stream.ts'
export { type AnswerMemory, createAnswerMemory, fingerprintOf } from './idempotency.ts'
export { createGate, type Gate } from './gate.ts'
export { findModel, type ListedModel, listModels, pricesOf } from './models.ts'
export { openApiDocument } from './openapi.ts'
export { createOpsApi, type Ops, type OpsApi } from './ops.ts'
export { type ClientApiOptions, clientApiOptions, type OpsApiOptions, opsApiOptions } from './options.ts'
export { baseName, type CallerRequest, type PreparedInference, type RequestDefaults } from './caller.ts'
export { prepareInference } from './prepare.ts'
export { TRANSCRIPTION_PATH } from './transcription.ts'
export { createPrometheusMetrics, type PrometheusOptions } from './prometheus.ts'
export { errorBodyFor, TRANSLATED_PATHS } from './translated-paths.ts'
export { openServedBatches, type ServedBatches } from './served-batches.ts'
export type { AdminAccess } from './admin.ts'
export { type ClientApi, type ClientApiDeps, createClientApi } from './server.ts'
