/** Model files: identities and archives, references, the catalogue of names, pulling with resume and pinned hashes, and what is on this disk. */
export { type MeasuredArchive, measureArchive, type MeasureOptions } from './archive.ts'
export { CATALOGUE, type CatalogueEntry, DEFAULT_MODEL, SPEECH_RUNTIME } from './catalogue.ts'
export type { ModelErrorCode } from './errors.ts'
export { formatModelIdentity, type ModelIdentity, modelRegistryHash, parseModelIdentity } from './identity.ts'
export { drawProgress, progressLine, type ProgressScreen, type PullProgress } from './progress.ts'
export { type PullDeps, type PullOptions, pullModel } from './pull.ts'
export { type ModelReference, type ModelSource, type NpmFile, parseModelReference } from './reference.ts'
export { fileSha256, listModels, type LocalModel, modelPath, modelsDir, removeModel, resolveModel } from './store.ts'
