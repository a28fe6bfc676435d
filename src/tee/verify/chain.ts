/**
 * A chain of certificates from a leaf to a pinned root: names, signatures, what each may do, dates. It is walked from the
 * root down, so that no key is used before somebody trusted has signed it. Browser-safe. Source: RFC 5280, section 6.1.
 */
import { equalBytes, toHex } from '../../util/index.ts'
import {
  type Certificate,
  commonNameOf,
  DerReader,
  extensionOf,
  isSignedBy,
  TAG,
  type VerifyCrypto,
} from '../x509/index.ts'

/** Why a chain does not hold, in order of weight. */
export type ChainProblem = 'untrusted-root' | 'issuer' | 'signature' | 'authority' | 'critical-extension'
export type DateProblem = 'expired' | 'not-yet-valid'

export interface ChainFault<Problem> {
  readonly problem: Problem
  /** The common name of the certificate that it is about, or its subject in hex. */
  readonly subject: string
}

const BASIC_CONSTRAINTS = '2.5.29.19'
const KEY_USAGE = '2.5.29.15'
/** What is understood here; any other critical extension is a demand that would go unmet. */
const KNOWN_CRITICAL: readonly string[] = [BASIC_CONSTRAINTS, KEY_USAGE]
/** In the first byte of KeyUsage. */
const DIGITAL_SIGNATURE = 0x80
const CERTIFICATE_SIGN = 0x04

/** SHA-256 of the root's SubjectPublicKeyInfo, in hex: how roots are pinned. */
export async function keyPinOf(crypto: VerifyCrypto, certificate: Certificate): Promise<string> {
  return toHex(await crypto.sha256(certificate.spki))
}

/**
 * The first fault; null when there is none. `chain` is leaf first, root last, two or more. Dates are apart, because
 * expired is not forged: `dateFaultOf`.
 */
export function faultOfChain(
  crypto: VerifyCrypto,
  chain: readonly Certificate[],
  trustedKeyPins: readonly string[],
): Promise<ChainFault<ChainProblem> | null> {
  if (chain.length < 2) return Promise.resolve({ problem: 'issuer', subject: 'no chain' })
  return faultOf(crypto, chain, trustedKeyPins, maySignData)
}

/** The same for a chain whose first certificate is an authority as well; it may be the root itself. */
export const faultOfAuthorities = (
  crypto: VerifyCrypto,
  chain: readonly Certificate[],
  trustedKeyPins: readonly string[],
): Promise<ChainFault<ChainProblem> | null> =>
  faultOf(crypto, chain, trustedKeyPins, (first) => maySignCertificates(first, 0))

async function faultOf(
  crypto: VerifyCrypto,
  chain: readonly Certificate[],
  trustedKeyPins: readonly string[],
  isFirstGood: (first: Certificate) => boolean,
): Promise<ChainFault<ChainProblem> | null> {
  const root = chain.at(-1)
  if (root === undefined) return { problem: 'issuer', subject: 'no chain' }
  if (!trustedKeyPins.includes(await keyPinOf(crypto, root))) return fault('untrusted-root', root)
  for (let i = chain.length - 1; i >= 0; i--) {
    const certificate = chain[i] as Certificate
    const issuer = chain[i + 1] ?? root
    if (!equalBytes(certificate.issuer, issuer.subject)) return fault('issuer', certificate)
    if (!(await isSignedBy(crypto, certificate, issuer.spki))) return fault('signature', certificate)
    if (certificate.extensions.some((e) => e.critical && !KNOWN_CRITICAL.includes(e.oid)))
      return fault('critical-extension', certificate)
    if (!(i === 0 ? isFirstGood(certificate) : maySignCertificates(certificate, i - 1)))
      return fault('authority', certificate)
  }
  return null
}

/** Times in certificates are whole seconds, and the last one still counts. */
export const wholeSeconds = (ms: number): number => Math.floor(ms / 1000) * 1000

/** The first certificate that is not valid at `nowMs`; `skewMs` is how far our clock may lag behind the issuer's. */
export function dateFaultOf(
  chain: readonly Certificate[],
  nowMs: number,
  skewMs: number,
): ChainFault<DateProblem> | null {
  const now = wholeSeconds(nowMs)
  for (const certificate of chain) {
    if (now > certificate.notAfterMs) return fault('expired', certificate)
    if (now + skewMs < certificate.notBeforeMs) return fault('not-yet-valid', certificate)
  }
  return null
}

/** For people: the common name, else the subject in hex. */
export function subjectText(certificate: Certificate): string {
  try {
    return commonNameOf(certificate.subject) ?? toHex(certificate.subject)
  } catch {
    return toHex(certificate.subject)
  }
}

const fault = <Problem>(problem: Problem, certificate: Certificate): ChainFault<Problem> => ({
  problem,
  subject: subjectText(certificate),
})

/** CA true, certSign, and room for `below` authorities between it and the leaf. */
function maySignCertificates(certificate: Certificate, below: number): boolean {
  const constraints = readBasicConstraints(certificate)
  const usage = readKeyUsage(certificate)
  if (constraints === null || !constraints.isAuthority || usage === null) return false
  return (usage & CERTIFICATE_SIGN) !== 0 && (constraints.pathLength === null || constraints.pathLength >= below)
}

/** No authority; where it names its uses, signing is one. AMD's leaves name none. */
export function maySignData(certificate: Certificate): boolean {
  if (readBasicConstraints(certificate)?.isAuthority !== false) return false
  return extensionOf(certificate, KEY_USAGE) === null || ((readKeyUsage(certificate) ?? 0) & DIGITAL_SIGNATURE) !== 0
}

/** Null when it cannot be read; absent means no authority. */
function readBasicConstraints(
  certificate: Certificate,
): { readonly isAuthority: boolean; readonly pathLength: number | null } | null {
  const value = extensionOf(certificate, BASIC_CONSTRAINTS)
  if (value === null) return { isAuthority: false, pathLength: null }
  try {
    const fields = DerReader.inside(value, TAG.sequence, 'basicConstraints')
    const isAuthority = fields.optional(TAG.boolean)?.content[0] === 0xff
    const length = fields.optional(TAG.integer)?.content
    fields.end()
    if (length !== undefined && (length.length !== 1 || (length[0] as number) > 0x7f)) return null
    return { isAuthority, pathLength: length?.[0] ?? null }
  } catch {
    return null
  }
}

/** The first eight uses; null when absent or not readable. */
function readKeyUsage(certificate: Certificate): number | null {
  const value = extensionOf(certificate, KEY_USAGE)
  if (value === null) return null
  try {
    const { content } = DerReader.only(value, TAG.bitString, 'keyUsage')
    return content.length < 2 ? null : (content[1] as number)
  } catch {
    return null
  }
}
