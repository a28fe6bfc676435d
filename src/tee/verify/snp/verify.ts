/**
 * Whether a SEV-SNP report is genuine and fits what is expected of the guest. No network and no clock: certificates, CRL
 * and time are arguments. Browser-safe. Source: spec/attestation-snp-gpu.md, "Verifying a report".
 */
import { CocoonError, concatBytes, equalBytes, type ErrorCode, isZero, toHex } from '../../../util/index.ts'
import { parseSnpReport, snpProductOf, type SnpReport, snpTcbsOf } from '../../quote/snp.ts'
import { SNP_ERRORS, type SnpErrorCode } from '../../quote/snp-errors.ts'
import { formatTcb, type SnpProduct, type SnpTcb, TCB_PARTS } from '../../quote/snp-tcb.ts'
import {
  type Certificate,
  type Crl,
  isSignedBy,
  parseCertificate,
  parseCrl,
  serialText,
  type VerifyCrypto,
} from '../../x509/index.ts'
import { type ChainProblem, dateFaultOf, faultOfChain, keyPinOf, subjectText, wholeSeconds } from '../chain.ts'
import { Checklist, type CheckInputs, type Verification } from '../checks.ts'
import { checkGuest, said, type SnpExpectations, type SnpTcbs } from './guest.ts'
import { readSnpLeaf, type SnpLeaf } from './leaf.ts'
import { AMD_ROOTS, type SnpRoot } from './roots.ts'

export interface SnpEvidence {
  /** 1184 bytes. */
  readonly report: Uint8Array
  /** VCEK or VLEK, DER. */
  readonly leaf: Uint8Array
}

/** What AMD publishes. It need not come from a trusted place: everything is signed. */
export interface SnpCollateral {
  /** ASK for a VCEK, ASVK for a VLEK; DER. */
  readonly intermediate: Uint8Array
  /** ARK, DER. */
  readonly root: Uint8Array
  /** The root's revocation list, DER. */
  readonly crl: Uint8Array | null
}

export interface SnpFacts {
  readonly report: SnpReport
  readonly product: SnpProduct
  /** `vlek` proves the provider, not the chip. */
  readonly signingKey: 'vcek' | 'vlek'
  readonly providerId: string | null
  readonly tcb: SnpTcbs
  /** SHA-256 of measurement ‖ 64 zero bytes, hex. */
  readonly imageHash: string
  /** The root's key pin, hex. */
  readonly rootKeyPin: string
  /** When the first certificate, or the CRL, ends. */
  readonly earliestExpiryMs: number
}

export interface SnpContext {
  readonly crypto: VerifyCrypto
  readonly nowMs: number
  /** How far ahead of ours the issuer's clock may be. Default 5 minutes. */
  readonly clockSkewMs?: number
  /** Other than AMD's only in tests. */
  readonly roots?: readonly SnpRoot[]
}

const DEFAULT_CLOCK_SKEW_MS = 5 * 60_000
const REPORT_DATA_PLACE = new Uint8Array(64)

/** All checks, in the order in which the first failure gives the code. Throws nothing that the input could cause. */
export async function verifySnp(
  evidence: SnpEvidence,
  collateral: SnpCollateral,
  expected: SnpExpectations,
  context: SnpContext,
): Promise<Verification<SnpFacts>> {
  const list = new Checklist()
  const report = attempt(list, 'snp-report', () => parseSnpReport(evidence.report))
  if (report === null) return list.finish<SnpFacts>(null)
  list.require('snp-report', true, 'attestation.snp-malformed', said('The report is well formed.', 'snp-malformed'), {
    version: report.version,
    bytes: evidence.report.length,
  })
  const chain = attempt(list, 'snp-certificates', () => readChain(evidence, collateral))
  const leaf = chain === null ? null : attempt(list, 'snp-leaf', () => readSnpLeaf(chain[0]))
  if (chain === null || leaf === null) return list.finish<SnpFacts>(null)

  checkKind(list, report, leaf, chain)
  const rootKeyPin = await checkChain(list, chain, report, leaf, context)
  const crl = await checkCrl(list, collateral.crl, chain, expected, context)
  const tcb = snpTcbsOf(report, leaf.product)
  checkBinding(list, report, leaf, tcb.reported)
  await checkSignature(list, report, chain[0], context.crypto)
  checkGuest(list, report, leaf.product, tcb, expected)
  return list.finish<SnpFacts>({
    report,
    product: leaf.product,
    signingKey: leaf.kind,
    providerId: leaf.providerId,
    tcb,
    imageHash: await snpImageHash(context.crypto, report.measurement),
    rootKeyPin,
    earliestExpiryMs: Math.min(
      ...chain.map((certificate) => certificate.notAfterMs),
      crl?.nextUpdateMs ?? Number.POSITIVE_INFINITY,
    ),
  })
}

/** SHA-256 of the measurement (48 bytes) and 64 zero bytes, hex: what registries list. It covers no policy and no key. */
export async function snpImageHash(crypto: VerifyCrypto, measurement: Uint8Array): Promise<string> {
  return toHex(await crypto.sha256(concatBytes(measurement, REPORT_DATA_PLACE)))
}

/** Leaf, intermediate, root. */
type Chain = readonly [Certificate, Certificate, Certificate]

/** Runs what throws on bad input, and turns that into a failed check under the same code. */
function attempt<T>(list: Checklist, id: string, run: () => T): T | null {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof CocoonError) || error.family !== 'attestation') throw error
    const { message: _, ...info } = error.info
    list.fail(id, error.code, error.message, info as CheckInputs)
    return null
  }
}

function readChain({ leaf }: SnpEvidence, { intermediate, root }: SnpCollateral): Chain {
  const read = (bytes: Uint8Array, which: string): Certificate => {
    try {
      return parseCertificate(bytes)
    } catch (cause) {
      const message = `${SNP_ERRORS['attestation.snp-certificate-format']} (certificate=${which})`
      throw new CocoonError('attestation.snp-certificate-format', { certificate: which, message }, { cause })
    }
  }
  return [read(leaf, 'leaf'), read(intermediate, 'intermediate'), read(root, 'root')]
}

function checkKind(list: Checklist, report: SnpReport, leaf: SnpLeaf, chain: Chain): void {
  // A VLEK is issued by another authority than a VCEK, and its name says so.
  const issuer = subjectText(chain[1])
  const isVlekIssuer = issuer.startsWith('SEV-VLEK-')
  list.require(
    'snp-signing-key',
    report.signingKey === leaf.kind && isVlekIssuer === (leaf.kind === 'vlek'),
    'attestation.snp-signing-key',
    said('Report, leaf and its issuer name the same kind of key.', 'snp-signing-key'),
    { report: report.signingKey, leaf: leaf.kind, issuer },
  )
}

const CHAIN_CODES: Readonly<Record<ChainProblem, SnpErrorCode>> = {
  'untrusted-root': 'attestation.snp-root-untrusted',
  issuer: 'attestation.snp-chain',
  signature: 'attestation.snp-chain',
  authority: 'attestation.snp-chain',
  'critical-extension': 'attestation.snp-chain',
}

/** Returns the pin of the root that was shown. */
async function checkChain(
  list: Checklist,
  chain: Chain,
  report: SnpReport,
  leaf: SnpLeaf,
  { crypto, nowMs, clockSkewMs = DEFAULT_CLOCK_SKEW_MS, roots = AMD_ROOTS }: SnpContext,
): Promise<string> {
  const rootKeyPin = await keyPinOf(crypto, chain[2])
  const pins = roots.map((root) => root.keyPin)
  const fault = await faultOfChain(crypto, chain, pins)
  const code: ErrorCode = fault === null ? 'attestation.snp-chain' : CHAIN_CODES[fault.problem]
  list.require(
    'snp-chain',
    fault === null,
    code,
    { passed: 'Leaf, intermediate and pinned root are one chain.', failed: SNP_ERRORS[code as SnpErrorCode] },
    {
      leaf: subjectText(chain[0]),
      intermediate: subjectText(chain[1]),
      root: subjectText(chain[2]),
      rootKeyPin,
      ...(fault === null ? {} : { problem: fault.problem, at: fault.subject }),
    },
  )
  const rootProduct = roots.find((root) => root.keyPin === rootKeyPin)?.product ?? null
  const cpuProduct = snpProductOf(report)
  list.require(
    'snp-product',
    leaf.product === rootProduct && (report.cpuid === null || cpuProduct === leaf.product),
    'attestation.snp-product',
    said('Report, leaf and root are of one product line.', 'snp-product'),
    { report: report.cpuid === null ? 'not stated' : cpuProduct, leaf: leaf.productName, root: rootProduct },
  )
  const date = dateFaultOf(chain, nowMs, clockSkewMs)
  list.require(
    'snp-dates',
    date === null,
    `attestation.snp-certificate-${date?.problem ?? 'expired'}`,
    said('All three certificates are valid now.', `snp-certificate-${date?.problem ?? 'expired'}`),
    { now: isoOf(nowMs), leafUntil: isoOf(chain[0].notAfterMs), ...(date === null ? {} : { at: date.subject }) },
  )
  return rootKeyPin
}

/** The list, when it was given and could be read. */
async function checkCrl(
  list: Checklist,
  bytes: Uint8Array | null,
  chain: Chain,
  expected: SnpExpectations,
  { crypto, nowMs }: SnpContext,
): Promise<Crl | null> {
  const id = 'snp-crl'
  if (bytes === null) {
    if (expected.crl === 'required')
      list.fail(id, 'attestation.snp-crl-missing', SNP_ERRORS['attestation.snp-crl-missing'])
    else list.info(id, 'Revocation was not checked: no list was given.')
    return null
  }
  const [, intermediate, root] = chain
  let crl: Crl
  try {
    crl = parseCrl(bytes)
  } catch (error) {
    const found = error instanceof CocoonError ? error.message : 'not readable'
    list.fail(id, 'attestation.snp-crl-format', SNP_ERRORS['attestation.snp-crl-format'], { found })
    return null
  }
  const code = await faultOfCrl(crypto, crl, root, nowMs)
  const { nextUpdateMs } = crl
  const inputs: CheckInputs = {
    thisUpdate: isoOf(crl.thisUpdateMs),
    nextUpdate: nextUpdateMs === null ? null : isoOf(nextUpdateMs),
    revoked: crl.revoked.count,
  }
  const passed = 'The revocation list is signed by the root and current.'
  list.require(
    id,
    code === null,
    code ?? 'attestation.snp-crl-format',
    { passed, failed: SNP_ERRORS[code ?? 'attestation.snp-crl-format'] },
    inputs,
  )
  const serial = serialText(intermediate.serial)
  list.require(
    'snp-revocation',
    !crl.revoked.has(intermediate.serial),
    'attestation.snp-revoked',
    said('The intermediate is not on the list.', 'snp-revoked'),
    { serial, subject: subjectText(intermediate) },
  )
  return crl
}

/** A critical extension would narrow the list's scope (for one to a few reasons), so that absence would prove less. */
async function faultOfCrl(
  crypto: VerifyCrypto,
  crl: Crl,
  root: Certificate,
  nowMs: number,
): Promise<SnpErrorCode | null> {
  if (crl.extensions.some((extension) => extension.critical)) return 'attestation.snp-crl-format'
  if (!equalBytes(crl.issuer, root.subject)) return 'attestation.snp-crl-issuer'
  if (!(await isSignedBy(crypto, crl, root.spki))) return 'attestation.snp-crl-signature'
  return crl.nextUpdateMs === null || wholeSeconds(nowMs) > crl.nextUpdateMs ? 'attestation.snp-crl-expired' : null
}

function checkBinding(list: Checklist, report: SnpReport, leaf: SnpLeaf, reported: SnpTcb): void {
  list.require(
    'snp-tcb',
    TCB_PARTS.every((part) => leaf.tcb[part] === reported[part]),
    'attestation.snp-tcb-mismatch',
    said('The leaf was issued for the reported TCB.', 'snp-tcb-mismatch'),
    { leaf: formatTcb(leaf.tcb), reported: formatTcb(reported) },
  )
  const { hardwareId } = leaf
  if (hardwareId === null) {
    list.info('snp-chip-id', 'A VLEK belongs to a provider; it names no chip.', { providerId: leaf.providerId })
    return
  }
  const { chipId } = report
  list.require(
    'snp-chip-id',
    !report.chipIdMasked &&
      equalBytes(chipId.subarray(0, hardwareId.length), hardwareId) &&
      isZero(chipId.subarray(hardwareId.length)),
    'attestation.snp-chip-id',
    said('The leaf belongs to the chip of the report.', 'snp-chip-id'),
    { leaf: toHex(hardwareId), report: report.chipIdMasked ? 'masked' : toHex(chipId) },
  )
}

async function checkSignature(
  list: Checklist,
  report: SnpReport,
  leaf: Certificate,
  crypto: VerifyCrypto,
): Promise<void> {
  const key = await crypto.importKey('ecdsa-p384-sha384', leaf.spki)
  list.require(
    'snp-report-signature',
    key !== null && (await key.verify(report.signature, report.signed)),
    'attestation.snp-report-signature',
    said('The report is signed by the leaf key.', 'snp-report-signature'),
    { algorithm: 'ECDSA P-384 with SHA-384', signedBytes: report.signed.length },
  )
}

const isoOf = (ms: number): string => new Date(ms).toISOString()
