/**
 * AMD SEV-SNP attestation reports: 1184 bytes to a value, without trust. Versions 2 to 5. Browser-safe.
 * Layout: spec/attestation-snp-gpu.md, "SEV-SNP report".
 */
import { concatBytes } from '../../util/index.ts'
import { EvidenceReader, evidenceError } from './evidence-reader.ts'
import { SNP_ERRORS } from './snp-errors.ts'
import { readTcb, type SnpProduct, type SnpTcb } from './snp-tcb.ts'

export const SNP_REPORT_BYTES = 1184
/** What the signature covers, from the start. */
export const SNP_SIGNED_BYTES = 0x2a0

export type SnpReportVersion = 2 | 3 | 4 | 5
/** `vcek` belongs to one chip, `vlek` to one cloud provider, `none` means that the report is not signed. */
export type SnpSigningKey = 'vcek' | 'vlek' | 'none'

/** The owner's demands on the machine; the firmware refuses to launch the guest where they do not hold. */
export interface SnpGuestPolicy {
  readonly raw: bigint
  readonly abiMajor: number
  readonly abiMinor: number
  readonly smtAllowed: boolean
  readonly migrationAgentAllowed: boolean
  /** The host may read and write the guest's memory: nothing inside is confidential. */
  readonly debugAllowed: boolean
  readonly singleSocket: boolean
  readonly cxlAllowed: boolean
  readonly aes256Xts: boolean
  readonly raplOff: boolean
  readonly ciphertextHiding: boolean
}

export interface SnpPlatform {
  readonly raw: bigint
  readonly smt: boolean
  readonly tsme: boolean
  readonly ecc: boolean
  readonly raplOff: boolean
  readonly ciphertextHiding: boolean
  readonly aliasCheckComplete: boolean
}

export interface SnpFirmware {
  readonly major: number
  readonly minor: number
  readonly build: number
}

export interface SnpReport {
  readonly version: SnpReportVersion
  readonly guestSvn: number
  readonly policy: SnpGuestPolicy
  /** 16 bytes. */
  readonly familyId: Uint8Array
  /** 16 bytes. */
  readonly imageId: Uint8Array
  /** Privilege level of the asker, 0 (most) to 3. A paravisor keeps 0 to itself. */
  readonly vmpl: number
  /** 8 bytes each; what they mean depends on the product: `readTcb`. */
  readonly currentTcb: Uint8Array
  readonly reportedTcb: Uint8Array
  readonly committedTcb: Uint8Array
  readonly launchTcb: Uint8Array
  readonly platform: SnpPlatform
  readonly authorKeyEnabled: boolean
  readonly chipIdMasked: boolean
  readonly signingKey: SnpSigningKey
  /** 64 bytes, chosen by the guest. */
  readonly reportData: Uint8Array
  /** 48 bytes. */
  readonly measurement: Uint8Array
  /** 32 bytes, chosen by the host at launch. */
  readonly hostData: Uint8Array
  /** 48 bytes. */
  readonly idKeyDigest: Uint8Array
  /** 48 bytes. */
  readonly authorKeyDigest: Uint8Array
  /** 32 bytes. */
  readonly reportId: Uint8Array
  /** 32 bytes. */
  readonly migrationReportId: Uint8Array
  /** From version 3 on. */
  readonly cpuid: { readonly family: number; readonly model: number; readonly stepping: number } | null
  /** 64 bytes; zero when masked. */
  readonly chipId: Uint8Array
  readonly currentFirmware: SnpFirmware
  readonly committedFirmware: SnpFirmware
  /** From version 5 on. */
  readonly mitigations: { readonly launch: bigint; readonly current: bigint } | null
  /** Offsets of bits and areas that should be zero and are not. Empty unless `parseSnpReport` was told to tolerate them. */
  readonly reservedNonZero: readonly number[]
  /** The first 672 bytes, as signed. */
  readonly signed: Uint8Array
  /** r ‖ s, 48 bytes each, big-endian, as WebCrypto takes it. */
  readonly signature: Uint8Array
}

export interface ParseSnpOptions {
  /** Firmware of the future may use what is reserved today. Default: refuse. */
  readonly reserved?: 'refuse' | 'tolerate'
}

const MALFORMED = { code: 'attestation.snp-malformed', sentence: SNP_ERRORS['attestation.snp-malformed'] } as const
const VERSION_AT = 0
const FLAGS_AT = 0x48
const R_BYTES = 72
const P384_BYTES = 48
const SIGNATURE_ALGORITHM_P384 = 1
const SIGNING_KEYS: Readonly<Record<number, SnpSigningKey>> = { 0: 'vcek', 1: 'vlek', 7: 'none' }

/**
 * Throws `attestation.snp-malformed`, `.snp-version-unsupported`, `.snp-signature-algorithm`, each with field and offset.
 */
export function parseSnpReport(bytes: Uint8Array, options: ParseSnpOptions = {}): SnpReport {
  const r = new EvidenceReader(bytes, MALFORMED)
  if (bytes.length !== SNP_REPORT_BYTES)
    throw r.refuse('report', Math.min(bytes.length, SNP_REPORT_BYTES), `${bytes.length} bytes`)
  const reservedNonZero: number[] = []
  const reserved = (length: number): void => {
    const { at } = r
    if (r.bytes(length, 'reserved').every((b) => b === 0)) return
    if (options.reserved !== 'tolerate') throw r.refuse('reserved', at, 'not zero')
    reservedNonZero.push(at)
  }

  const version = readVersion(r)
  const guestSvn = r.u32('guestSvn')
  const policy = readPolicy(r)
  const familyId = r.bytes(16, 'familyId')
  const imageId = r.bytes(16, 'imageId')
  const vmpl = r.u32('vmpl')
  const algorithmAt = r.at
  const algorithm = r.u32('signatureAlgorithm')
  if (algorithm !== SIGNATURE_ALGORITHM_P384)
    throw snpError('attestation.snp-signature-algorithm', 'signatureAlgorithm', algorithmAt, String(algorithm))
  const currentTcb = r.bytes(8, 'currentTcb')
  const platform = readPlatform(r)
  const flags = r.u32('flags')
  const signingKey = SIGNING_KEYS[(flags >>> 2) & 7]
  if (signingKey === undefined) throw r.refuse('signingKey', FLAGS_AT, String((flags >>> 2) & 7))
  if (flags >>> 5 !== 0) {
    if (options.reserved !== 'tolerate') throw r.refuse('flags', FLAGS_AT, `0x${flags.toString(16)}`)
    reservedNonZero.push(FLAGS_AT)
  }
  reserved(4)
  const reportData = r.bytes(64, 'reportData')
  const measurement = r.bytes(48, 'measurement')
  const hostData = r.bytes(32, 'hostData')
  const idKeyDigest = r.bytes(48, 'idKeyDigest')
  const authorKeyDigest = r.bytes(48, 'authorKeyDigest')
  const reportId = r.bytes(32, 'reportId')
  const migrationReportId = r.bytes(32, 'migrationReportId')
  const reportedTcb = r.bytes(8, 'reportedTcb')
  const cpuid =
    version < 3 ? null : { family: r.u8('cpuid.family'), model: r.u8('cpuid.model'), stepping: r.u8('cpuid.stepping') }
  reserved(0x1a0 - r.at)
  const chipId = r.bytes(64, 'chipId')
  const committedTcb = r.bytes(8, 'committedTcb')
  const currentFirmware = readFirmware(r)
  reserved(1)
  const committedFirmware = readFirmware(r)
  reserved(1)
  const launchTcb = r.bytes(8, 'launchTcb')
  const mitigations = version < 5 ? null : { launch: r.u64('launchMitigations'), current: r.u64('currentMitigations') }
  reserved(SNP_SIGNED_BYTES - r.at)
  const signature = concatBytes(readBigEndian(r, 'signature.r'), readBigEndian(r, 'signature.s'))
  r.skipZeros(r.left, 'signature')

  return {
    version,
    guestSvn,
    policy,
    familyId,
    imageId,
    vmpl,
    currentTcb,
    reportedTcb,
    committedTcb,
    launchTcb,
    platform,
    authorKeyEnabled: (flags & 1) !== 0,
    chipIdMasked: (flags & 2) !== 0,
    signingKey,
    reportData,
    measurement,
    hostData,
    idKeyDigest,
    authorKeyDigest,
    reportId,
    migrationReportId,
    cpuid,
    chipId,
    currentFirmware,
    committedFirmware,
    mitigations,
    reservedNonZero,
    signed: bytes.slice(0, SNP_SIGNED_BYTES),
    signature,
  }
}

/** The product line by CPUID; null for version 2, which does not say, and for products not known here. */
export function snpProductOf(report: SnpReport): SnpProduct | null {
  if (report.cpuid === null) return null
  const { family, model } = report.cpuid
  if (family === 0x19 && model <= 0x0f) return 'Milan'
  if (family === 0x19 && ((model >= 0x10 && model <= 0x1f) || (model >= 0xa0 && model <= 0xaf))) return 'Genoa'
  if (family === 0x1a && model <= 0x1f) return 'Turin'
  return null
}

/** The four TCB versions of a report, read as the product writes them. */
export function snpTcbsOf(
  report: SnpReport,
  product: SnpProduct,
): Readonly<Record<'current' | 'reported' | 'committed' | 'launch', SnpTcb>> {
  return {
    current: readTcb(report.currentTcb, product),
    reported: readTcb(report.reportedTcb, product),
    committed: readTcb(report.committedTcb, product),
    launch: readTcb(report.launchTcb, product),
  }
}

function snpError(code: keyof typeof SNP_ERRORS, field: string, at: number, found: string): Error {
  return evidenceError(code, SNP_ERRORS[code], field, at, found)
}

function readVersion(r: EvidenceReader): SnpReportVersion {
  const version = r.u32('version')
  if (version === 2 || version === 3 || version === 4 || version === 5) return version
  throw snpError('attestation.snp-version-unsupported', 'version', VERSION_AT, String(version))
}

function readPolicy(r: EvidenceReader): SnpGuestPolicy {
  const { at } = r
  const raw = r.u64('policy')
  const bit = (n: bigint): boolean => ((raw >> n) & 1n) === 1n
  if (!bit(17n)) throw r.refuse('policy', at, 'bit 17 is not set')
  return {
    raw,
    abiMinor: Number(raw & 0xffn),
    abiMajor: Number((raw >> 8n) & 0xffn),
    smtAllowed: bit(16n),
    migrationAgentAllowed: bit(18n),
    debugAllowed: bit(19n),
    singleSocket: bit(20n),
    cxlAllowed: bit(21n),
    aes256Xts: bit(22n),
    raplOff: bit(23n),
    ciphertextHiding: bit(24n),
  }
}

function readPlatform(r: EvidenceReader): SnpPlatform {
  const raw = r.u64('platformInfo')
  const bit = (n: bigint): boolean => ((raw >> n) & 1n) === 1n
  return {
    raw,
    smt: bit(0n),
    tsme: bit(1n),
    ecc: bit(2n),
    raplOff: bit(3n),
    ciphertextHiding: bit(4n),
    aliasCheckComplete: bit(5n),
  }
}

function readFirmware(r: EvidenceReader): SnpFirmware {
  const build = r.u8('firmware.build')
  const minor = r.u8('firmware.minor')
  return { major: r.u8('firmware.major'), minor, build }
}

/** 72 bytes, little-endian, of a number that fits 48. */
function readBigEndian(r: EvidenceReader, field: string): Uint8Array {
  const value = r.bytes(P384_BYTES, field)
  r.skipZeros(R_BYTES - P384_BYTES, field)
  return value.reverse()
}
