/**
 * Intel quotes: bytes to a value, without trust. Versions 3 (SGX), 4 and 5 (SGX, TDX), signed with ECDSA P-256.
 * Browser-safe. Layout: spec/attestation-dcap.md, "Quote".
 */
import { equalBytes, fromHex } from '../../util/index.ts'
import { DCAP_QUOTE_ERRORS } from './dcap-errors.ts'
import { EvidenceReader, evidenceError } from './evidence-reader.ts'
import { readSgxReport, SGX_REPORT_BYTES, type SgxReport } from './sgx.ts'
import { readTdReport, TD_REPORT_BYTES, type TdReport, type TdReportForm } from './tdx.ts'

/** Real quotes have 5 kB, 8 kB with padding; the reference takes no more than this in a certificate. */
export const MAX_QUOTE_BYTES = 32_768

export type QuoteVersion = 3 | 4 | 5

/** How the quote tells which key certified its quoting enclave. Type 6 wraps these and is taken off by the parser. */
export type CertificationDataType = 1 | 2 | 3 | 4 | 5 | 7

export type QuoteBody =
  | { readonly tee: 'sgx'; readonly report: SgxReport }
  | { readonly tee: 'tdx'; readonly form: TdReportForm; readonly report: TdReport }

export interface DcapQuote {
  readonly version: QuoteVersion
  /** Version 3 only: SVNs of quoting and provisioning enclave as the header says. Reserved later. */
  readonly headerSvns: { readonly qeSvn: number; readonly pceSvn: number } | null
  /** 20 bytes; the first 16 tell the platform's quoting enclave apart. */
  readonly userData: Uint8Array
  readonly body: QuoteBody
  /** Header and body, as `signature` covers them. */
  readonly signed: Uint8Array
  /** r ‖ s. */
  readonly signature: Uint8Array
  /** X ‖ Y of the key that signed, which the quoting enclave made. */
  readonly attestationKey: Uint8Array
  readonly qeReport: SgxReport
  /** r ‖ s, by the PCK. */
  readonly qeReportSignature: Uint8Array
  readonly qeAuthenticationData: Uint8Array
  readonly certificationData: { readonly type: CertificationDataType; readonly bytes: Uint8Array; readonly at: number }
  /** Bytes of the quote itself. */
  readonly quoteBytes: number
  /** What follows the quote: padding of the kernel's buffer. Signed by nobody. */
  readonly trailing: { readonly bytes: number; readonly isZero: boolean }
}

const SENTENCES = DCAP_QUOTE_ERRORS
const MALFORMED = { code: 'attestation.quote-malformed', sentence: SENTENCES['attestation.quote-malformed'] } as const
const INTEL_VENDOR = fromHex('939a7233f79c4ca9940a0db3957f0607')
const KEY_TYPE_P256 = 2
const TEE_SGX = 0
const TEE_TDX = 0x81
const SIGNATURE_BYTES = 64
const KEY_BYTES = 64
const WRAPPED_QE_REPORT = 6
const TYPES: ReadonlySet<number> = new Set<CertificationDataType>([1, 2, 3, 4, 5, 7])
/** Body types of version 5. */
const BODIES: Readonly<Record<number, 'sgx' | TdReportForm>> = { 1: 'sgx', 2: '1.0', 3: '1.5', 4: '1.5-extended' }

/**
 * Throws `attestation.quote-too-large`, `.quote-malformed`, `.quote-version-unsupported`,
 * `.attestation-key-type-unsupported`, `.tee-type-unsupported`, `.qe-vendor`, `.certification-data-type`, each with `field`
 * and `offset`. Bytes after the quote are counted, not refused: kernels pad.
 */
export function parseDcapQuote(bytes: Uint8Array): DcapQuote {
  if (bytes.length > MAX_QUOTE_BYTES) throw refuse('quote-too-large', 'quote', MAX_QUOTE_BYTES, `${bytes.length} bytes`)
  const r = new EvidenceReader(bytes, MALFORMED)
  const version = readVersion(r)
  const keyType = r.u16('attestationKeyType')
  if (keyType !== KEY_TYPE_P256) throw refuse('attestation-key-type-unsupported', 'attestationKeyType', 2, `${keyType}`)
  const teeType = r.u32('teeType')
  if (teeType !== TEE_SGX && (teeType !== TEE_TDX || version === 3))
    throw refuse('tee-type-unsupported', 'teeType', 4, `${teeType.toString(16)} hex in version ${version}`)
  const svns = { qeSvn: r.u16('qeSvn'), pceSvn: r.u16('pceSvn') }
  const vendorAt = r.at
  if (!equalBytes(r.bytes(INTEL_VENDOR.length, 'qeVendorId'), INTEL_VENDOR))
    throw refuse('qe-vendor', 'qeVendorId', vendorAt)
  const userData = r.bytes(20, 'userData')
  const body = readBody(r, bytes, version, teeType === TEE_TDX ? 'tdx' : 'sgx')
  const signed = bytes.slice(0, r.at)
  const signatureData = r.part(r.u32('signatureDataSize'), 'signatureData')
  const parts = readSignatureData(signatureData, bytes, version)
  const trailing = bytes.subarray(r.at)
  return {
    version,
    headerSvns: version === 3 ? svns : null,
    userData,
    body,
    signed,
    ...parts,
    quoteBytes: r.at,
    trailing: { bytes: trailing.length, isZero: trailing.every((byte) => byte === 0) },
  }
}

function readVersion(r: EvidenceReader): QuoteVersion {
  const version = r.u16('version')
  if (version !== 3 && version !== 4 && version !== 5)
    throw refuse('quote-version-unsupported', 'version', 0, `${version}`)
  return version
}

function readBody(r: EvidenceReader, bytes: Uint8Array, version: QuoteVersion, tee: 'sgx' | 'tdx'): QuoteBody {
  const form = version === 5 ? readBodyType(r, tee) : tee === 'sgx' ? 'sgx' : '1.0'
  return form === 'sgx'
    ? { tee: 'sgx', report: readSgxReport(r, bytes, 'report') }
    : { tee: 'tdx', form, report: readTdReport(r, form) }
}

function readBodyType(r: EvidenceReader, tee: 'sgx' | 'tdx'): 'sgx' | TdReportForm {
  const typeAt = r.at
  const type = r.u16('bodyType')
  const form = BODIES[type]
  if (form === undefined || (form === 'sgx') !== (tee === 'sgx'))
    throw r.refuse('bodyType', typeAt, `${type} in a quote of ${tee}`)
  const sizeAt = r.at
  const size = r.u32('bodySize')
  if (size !== (form === 'sgx' ? SGX_REPORT_BYTES : TD_REPORT_BYTES[form]))
    throw r.refuse('bodySize', sizeAt, `${size} for body type ${type}`)
  return form
}

type SignatureData = Pick<
  DcapQuote,
  'signature' | 'attestationKey' | 'qeReport' | 'qeReportSignature' | 'qeAuthenticationData' | 'certificationData'
>

function readSignatureData(r: EvidenceReader, bytes: Uint8Array, version: QuoteVersion): SignatureData {
  const signature = r.bytes(SIGNATURE_BYTES, 'signature')
  const attestationKey = r.bytes(KEY_BYTES, 'attestationKey')
  const inner = version === 3 ? r : readWrapper(r)
  const qeReport = readSgxReport(inner, bytes, 'qeReport')
  const qeReportSignature = inner.bytes(SIGNATURE_BYTES, 'qeReportSignature')
  const qeAuthenticationData = inner.bytes(inner.u16('qeAuthenticationDataSize'), 'qeAuthenticationData')
  const certificationData = readCertificationData(inner)
  inner.finish('signatureData')
  return { signature, attestationKey, qeReport, qeReportSignature, qeAuthenticationData, certificationData }
}

/** Versions 4 and 5 put the quoting enclave's report into certification data of type 6, which fills the rest. */
function readWrapper(r: EvidenceReader): EvidenceReader {
  const typeAt = r.at
  const type = r.u16('certificationDataType')
  if (type !== WRAPPED_QE_REPORT) throw refuse('certification-data-type', 'certificationDataType', typeAt, `${type}`)
  const inner = r.part(r.u32('certificationDataSize'), 'certificationData')
  r.finish('signatureData')
  return inner
}

function readCertificationData(r: EvidenceReader): DcapQuote['certificationData'] {
  const typeAt = r.at
  const type = r.u16('certificationDataType')
  if (!TYPES.has(type)) throw refuse('certification-data-type', 'certificationDataType', typeAt, `${type}`)
  const size = r.u32('certificationDataSize')
  return { type: type as CertificationDataType, at: r.at, bytes: r.bytes(size, 'certificationData') }
}

type Reason =
  | 'quote-too-large'
  | 'quote-version-unsupported'
  | 'attestation-key-type-unsupported'
  | 'tee-type-unsupported'
  | 'qe-vendor'
  | 'certification-data-type'

const refuse = (reason: Reason, field: string, at: number, found?: string): Error =>
  evidenceError(`attestation.${reason}`, SENTENCES[`attestation.${reason}`], field, at, found)
