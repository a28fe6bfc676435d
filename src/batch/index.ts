/**
 * Files and batches of a client node: many requests in one file, answered when the network has room. `openBatches` keeps them;
 * how a line is checked and run is given to it, and so is the inference, which is the metered one of the live endpoints.
 */
export { type Batches, type BatchesDeps, type BatchView, openBatches } from './batches.ts'
export type { LineAnswer, LineDesk, LineHead, LineTerms, PreparedLine } from './desk.ts'
export type { BatchErrorCode } from './errors.ts'
export type { Files, FileUpload, Viewer } from './files.ts'
export { type InteractiveWatch, watchInteractive } from './interactive.ts'
export type { WaitReason } from './lanes.ts'
export { type BatchOptions, batchOptions } from './options.ts'
export { NO_USAGE } from './progress.ts'
export {
  type AttemptCost,
  type Batch,
  type BatchOrder,
  type BatchProblem,
  type Progress,
  type StoredFile,
  type TokenUsage,
} from './records.ts'
