/**
 * Intel quotes verified: `parseDcapCollateral` once, `verifyDcapCollateral` once, then `verifyDcapQuote` for every quote of
 * that platform. `examine…` returns the refusal with its checks, `verify…` throws it. No network, no clock. Browser-safe.
 */
export { DEFAULT_SKEW_MS, INTEL_SGX_ROOT_KEY } from './checking.ts'
export { type DcapCollateral, type DcapCollateralSource, parseDcapCollateral } from './collateral.ts'
export { DCAP_ERRORS, type DcapErrorCode } from './errors.ts'
export type { DcapFacts, DcapMeasurements, DcapTcb, PolicyFlag, TcbEvaluation } from './facts.ts'
export type { PlatformStatus } from './tcb-info.ts'
export type { TcbStatus } from './tcb-status.ts'
export {
  examineDcapCollateral,
  type VerifiedDcapCollateral,
  verifyDcapCollateral,
  type VerifyDcapOptions,
} from './verify-collateral.ts'
export { examineDcapQuote, type VerifiedDcapQuote, verifyDcapQuote } from './verify-quote.ts'
