/**
 * What of this folder works in a browser: evidence read, verified and judged, images measured. Browser-safe; `webVerifyCrypto` is the
 * cryptography to give it. Source: docs/verification.md, "In a browser".
 */
export { TEE_ERRORS, type TeeErrorCode } from './errors.ts'

export * from './assess/index.ts'
export * from './collateral/index.ts'
export * from './measure/index.ts'
export * from './policy/index.ts'
export * from './quote/index.ts'
export * from './verify/dcap/index.ts'
export * from './verify/nvidia/index.ts'
export * from './verify/snp/index.ts'
export { OCSP_ERRORS, type OcspErrorCode } from './verify/ocsp-errors.ts'
export * from './x509/index.ts'
export { type Check, type CheckInputs, type CheckOutcome, type Verification, verifiedOrThrow } from './verify/checks.ts'
export type { TlsRole } from './ratls/rules.ts'
