/** Evidence read into values, without trust: Intel quotes, SEV-SNP reports, NVIDIA reports, event logs. Browser-safe. */
export {
  type Claims,
  encodeClaims,
  type GpuProof,
  MAX_CLAIMS_BYTES,
  parseClaims,
  type SignedClaims,
  signedClaims,
} from './claims.ts'
export { CLAIMS_ERRORS, type ClaimsErrorCode } from './claims-errors.ts'
export {
  type CertificationDataType,
  type DcapQuote,
  MAX_QUOTE_BYTES,
  parseDcapQuote,
  type QuoteBody,
  type QuoteVersion,
} from './dcap.ts'
export { DCAP_QUOTE_ERRORS } from './dcap-errors.ts'
export { decodeSgxAttributes, type SgxAttributes, type SgxReport } from './sgx.ts'
export {
  decodeTdAttributes,
  type TdAttributes,
  type TdReport,
  type TdReport15,
  type TdReportExtended,
  type TdReportForm,
} from './tdx.ts'
export { EVENT_LOG_ERRORS, type EventLogErrorCode } from './eventlog-errors.ts'
export { EV_NO_ACTION, type EventLog, type LoggedEvent, parseEventLog } from './eventlog.ts'
export { type Appended, extendRegister, type Registers, replayEventLog, verifyEventLog } from './eventlog-replay.ts'
export {
  type GpuEvidence,
  type GpuFeature,
  type GpuReport,
  parseGpuEvidence,
  parseGpuReport,
  driverManifestName,
  vbiosManifestName,
} from './nvidia.ts'
export { GPU_ERRORS, type GpuErrorCode } from './nvidia-errors.ts'
export { parseSnpReport, SNP_REPORT_BYTES, type SnpReport, snpProductOf, snpTcbsOf } from './snp.ts'
export { SNP_ERRORS, type SnpErrorCode } from './snp-errors.ts'
export { formatTcb, isTcbAtLeast, readTcb, type SnpProduct, type SnpTcb, tcbQuery } from './snp-tcb.ts'
export { parseSpdmMeasurements, type SpdmMeasurement, type SpdmMeasurements } from './spdm.ts'
