/**
 * A node's side of attestation: what the network asks for put into effect, collateral fetched, kept and served. Verifying and
 * judging are tee's; here are the registry, the clock and the network. Source: docs/attestation.md.
 */
export { ATTEST_ERRORS, type AttestErrorCode } from './errors.ts'
export type { VendorGet, VendorReply } from './http-get.ts'
export {
  type CollateralKeeper,
  createCollateralKeeper,
  type FetchFailure,
  type KeeperDeps,
  type KeeperOptions,
  type KeeperStatus,
} from './keeper.ts'
export {
  type AttestationDeps,
  type AttestationStatus,
  createAttestation,
  type NodeAttestation,
  type NodeAttestationOptions,
  openAttestation,
  serversOf,
} from './node.ts'
export { attestationOptions, type AttestationOptions } from './options.ts'
export { gpuSourceOf, openOwnSource, type OwnSourceDeps } from './own-source.ts'
export { type CollateralServer, serveCollateral, type ServeOptions } from './serve.ts'
export { type CollateralServers, VENDOR_SERVERS } from './vendors.ts'
export type { ShownWorker, WorkerJudge, WorkerVerdict } from './worker-judge.ts'
