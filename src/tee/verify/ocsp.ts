/**
 * Whether an OCSP answer about a certificate is genuine, current and authorised, and what it says. No network and no clock.
 * Browser-safe. Source: RFC 6960, sections 3.2 and 4.2.2.
 */
import { equalBytes } from '../../util/index.ts'
import {
  type Certificate,
  extensionOf,
  isSameCertId,
  isSignedBy,
  type OcspAnswer,
  ocspCertIdOf,
  type OcspResponse,
  parseCertificate,
  parseExtendedKeyUsage,
  type VerifyCrypto,
} from '../x509/index.ts'
import { dateFaultOf, maySignData, subjectText, wholeSeconds } from './chain.ts'
import type { OcspErrorCode } from './ocsp-errors.ts'

export interface OcspContext {
  readonly crypto: VerifyCrypto
  readonly nowMs: number
  /** How far our clock may lag behind the responder's. */
  readonly clockSkewMs: number
}

/** `said` is there once the responder's signature held, also where the answer has expired. */
export interface OcspFinding {
  /** Null when the answer is genuine and current, whatever it says. */
  readonly fault: OcspErrorCode | null
  readonly said: OcspAnswer | null
  /** Who signed, by name. */
  readonly responder: string | null
}

const EXTENDED_KEY_USAGE = '2.5.29.37'
const KEY_USAGE = '2.5.29.15'
const BASIC_CONSTRAINTS = '2.5.29.19'
const OCSP_SIGNING = '1.3.6.1.5.5.7.3.9'
const KNOWN_CRITICAL: readonly string[] = [EXTENDED_KEY_USAGE, KEY_USAGE, BASIC_CONSTRAINTS]

/** @param issuer of the certificate in question, in which the caller trusts */
export async function examineOcsp(
  response: OcspResponse,
  certificate: Pick<Certificate, 'serial'>,
  issuer: Certificate,
  context: OcspContext,
): Promise<OcspFinding> {
  const { crypto, nowMs, clockSkewMs } = context
  const wanted = await ocspCertIdOf(crypto, certificate, issuer)
  const about = response.answers.filter(({ certId }) => certId !== null && isSameCertId(certId, wanted))
  const [said] = about
  if (said === undefined || about.length > 1) return failed('attestation.ocsp-other-certificate')
  const responder = await responderOf(response, issuer, context)
  if (typeof responder === 'string') return failed(responder)
  const now = wholeSeconds(nowMs)
  const found = { said, responder: subjectText(responder) }
  if (now + clockSkewMs < said.thisUpdateMs) return { ...found, fault: 'attestation.ocsp-not-yet-valid' }
  // An answer without an end would hold for ever.
  if (said.nextUpdateMs === null || now > said.nextUpdateMs) return { ...found, fault: 'attestation.ocsp-expired' }
  return { ...found, fault: null }
}

const failed = (fault: OcspErrorCode): OcspFinding => ({ fault, said: null, responder: null })

/** The issuer itself, or one that it has certified for nothing but this and that is valid now. */
async function responderOf(
  response: OcspResponse,
  issuer: Certificate,
  { crypto, nowMs, clockSkewMs }: OcspContext,
): Promise<Certificate | OcspErrorCode> {
  if (isNamed(response, issuer) && (await isSignedBy(crypto, response, issuer.spki))) return issuer
  const claimsIssuer = response.responderName !== null && isNamed(response, issuer)
  let why: OcspErrorCode = claimsIssuer ? 'attestation.ocsp-signature' : 'attestation.ocsp-responder'
  for (const bytes of response.certificates) {
    const one = certificateOrNull(bytes)
    if (one === null || !isNamed(response, one) || !mayAnswer(one)) continue
    if (!equalBytes(one.issuer, issuer.subject) || !(await isSignedBy(crypto, one, issuer.spki))) continue
    if (dateFaultOf([one], nowMs, clockSkewMs) !== null) {
      why = 'attestation.ocsp-responder-expired'
      continue
    }
    if (await isSignedBy(crypto, response, one.spki)) return one
    why = 'attestation.ocsp-signature'
  }
  return why
}

/** Where it names its key instead, whoever's signature holds is meant. */
const isNamed = ({ responderName }: OcspResponse, one: Certificate): boolean =>
  responderName === null || equalBytes(responderName, one.subject)

/** RFC 6960, 4.2.2.2: only who is certified for signing answers, by name. */
function mayAnswer(one: Certificate): boolean {
  const usage = extensionOf(one, EXTENDED_KEY_USAGE)
  if (usage === null || !maySignData(one)) return false
  if (one.extensions.some((e) => e.critical && !KNOWN_CRITICAL.includes(e.oid))) return false
  return parseExtendedKeyUsage(usage)?.includes(OCSP_SIGNING) === true
}

function certificateOrNull(bytes: Uint8Array): Certificate | null {
  try {
    return parseCertificate(bytes)
  } catch {
    return null
  }
}
