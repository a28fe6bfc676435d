/**
 * Cocoon inside an application: `createClient` gives a `fetch` that any OpenAI library takes, without a node beside it.
 * `composeClient` is the client node that the CLI starts too.
 */
export type { EvidenceLabel } from '../transport/index.ts'
export type { ModelOffer } from '../roles/client/index.ts'
export { CocoonError, type ErrorCode, type Log, type Metrics, Secret } from '../util/index.ts'
export { type CocoonClient, createClient } from './client.ts'
export { type ClientParts, type ComposedClient, composeClient } from './compose-client.ts'
export { SDK_ERRORS, type SdkErrorCode } from './errors.ts'
export type { BatchesOptions, CreateClientOptions, WalletOptions } from './options.ts'
export type { Cost } from './respond.ts'
