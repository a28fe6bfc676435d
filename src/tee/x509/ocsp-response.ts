/** Bytes of an OCSP answer to its fields, without trust. Source: RFC 6960, sections 4.2.1 and 4.4. Browser-safe. */
import { equalBytes } from '../../util/index.ts'
import { readTime } from './certificate.ts'
import { DerReader, explicitTag, implicitTag, malformed, readBits, readOid, TAG } from './der.ts'
import { x509Error } from './errors.ts'
import { readExtensions } from './extensions.ts'
import { asOcsp, nonceIn, type OcspCertId, readCertId } from './ocsp-request.ts'

/** One answer with one responder certificate has some 1.5 kB. */
export const MAX_OCSP_BYTES = 16 * 1024
/** Asked is one; a responder may say more. */
const MAX_ANSWERS = 16
/** The responder's own, and what stands over it. */
const MAX_CERTIFICATES = 4

export type OcspStatus = 'good' | 'revoked' | 'unknown'

/** What the responder says of one certificate. */
export interface OcspAnswer {
  /** Null where it is named by another hash than SHA-384. */
  readonly certId: OcspCertId | null
  readonly status: OcspStatus
  /** Null unless revoked. */
  readonly revokedAtMs: number | null
  /** CRLReason, RFC 5280, 5.3.1; 6 is on hold. Null when not given. */
  readonly reason: number | null
  readonly thisUpdateMs: number
  /** Null when the responder does not say until when it holds. */
  readonly nextUpdateMs: number | null
}

export interface OcspResponse {
  /** ResponseData, tag and length included: what is signed. */
  readonly tbs: Uint8Array
  /** The responder's name as DER, or null where it names its key. Says which certificate to try, and proves nothing. */
  readonly responderName: Uint8Array | null
  readonly producedAtMs: number
  readonly answers: readonly OcspAnswer[]
  readonly nonce: Uint8Array | null
  readonly signatureAlgorithm: Uint8Array
  readonly signature: Uint8Array
  /** DER; nobody has signed that they belong here. */
  readonly certificates: readonly Uint8Array[]
}

const ENUMERATED = 0x0a
const BASIC = '1.3.6.1.5.5.7.48.1.1'
const REFUSALS: Readonly<Record<number, string>> = {
  1: 'malformed request',
  2: 'internal error',
  3: 'try later',
  5: 'request must be signed',
  6: 'unauthorized: it does not answer for this certificate',
}

/** Throws `attestation.ocsp-malformed`, and `attestation.ocsp-refused` for the responder's own word that it does not answer. */
export const parseOcspResponse = (bytes: Uint8Array): OcspResponse => asOcsp(() => readResponse(bytes))

function readResponse(bytes: Uint8Array): OcspResponse {
  if (bytes.length > MAX_OCSP_BYTES) throw malformed('answer', `more than ${MAX_OCSP_BYTES} bytes`)
  const outer = DerReader.inside(bytes, TAG.sequence, 'answer')
  const status = readEnumerated(outer)
  if (status !== 0) {
    outer.end()
    throw x509Error('attestation.ocsp-refused', { status, meaning: REFUSALS[status] ?? 'unknown' })
  }
  const typed = DerReader.only(outer.read(explicitTag(0)).content, TAG.sequence, 'responseBytes')
  outer.end()
  const pair = new DerReader(typed.content, 'responseBytes')
  if (readOid(pair.read(TAG.oid), 'responseType') !== BASIC) throw malformed('responseType', 'not basic')
  const basic = pair.read(TAG.octetString).content
  pair.end()
  return readBasic(basic)
}

function readBasic(bytes: Uint8Array): OcspResponse {
  const outer = DerReader.inside(bytes, TAG.sequence, 'basic')
  const tbs = outer.read(TAG.sequence)
  const signatureAlgorithm = outer.read(TAG.sequence).whole
  const signature = readBits(outer.read(TAG.bitString).content, 'signature')
  const certificates = readCertificates(outer.optional(explicitTag(0))?.content)
  outer.end()

  const fields = new DerReader(tbs.content, 'responseData')
  // DER leaves the default version out.
  if (fields.nextTag === explicitTag(0)) throw malformed('version', 'not v1')
  const byName = fields.optional(explicitTag(1))
  const responderName = byName === null ? null : DerReader.only(byName.content, TAG.sequence, 'responderId').whole
  if (byName === null) DerReader.only(fields.read(explicitTag(2)).content, TAG.octetString, 'responderId')
  const producedAtMs = readGeneralizedTime(fields)
  const answers = readAnswers(fields.read(TAG.sequence).content)
  const nonce = nonceIn(readExtensions(fields, 1))
  fields.end()
  const { whole } = tbs
  return {
    tbs: whole,
    responderName,
    producedAtMs,
    answers,
    nonce,
    signatureAlgorithm,
    signature,
    certificates,
  }
}

function readCertificates(content: Uint8Array | undefined): readonly Uint8Array[] {
  if (content === undefined) return []
  const list = DerReader.inside(content, TAG.sequence, 'certs')
  const found: Uint8Array[] = []
  while (list.more) {
    if (found.length === MAX_CERTIFICATES) throw malformed('certs', `more than ${MAX_CERTIFICATES}`)
    found.push(list.read(TAG.sequence).whole)
  }
  return found
}

function readAnswers(content: Uint8Array): readonly OcspAnswer[] {
  const list = new DerReader(content, 'responses')
  const found: OcspAnswer[] = []
  while (list.more) {
    if (found.length === MAX_ANSWERS) throw malformed('responses', `more than ${MAX_ANSWERS}`)
    found.push(readAnswer(list.enter(TAG.sequence, 'singleResponse')))
  }
  return found
}

function readAnswer(fields: DerReader): OcspAnswer {
  const certId = readCertId(fields)
  const said = readStatus(fields)
  const thisUpdateMs = readGeneralizedTime(fields)
  const next = fields.optional(explicitTag(0))
  const nextUpdateMs = next === null ? null : onlyTime(next.content)
  if (readExtensions(fields, 1).some((extension) => extension.critical))
    throw malformed('singleResponse', 'critical extension')
  fields.end()
  return { certId, ...said, thisUpdateMs, nextUpdateMs }
}

function readStatus(fields: DerReader): Pick<OcspAnswer, 'status' | 'revokedAtMs' | 'reason'> {
  const { tag, content } = fields.any()
  if (tag === implicitTag(0) || tag === implicitTag(2)) {
    if (!equalBytes(content, NOTHING)) throw malformed('certStatus', 'not empty')
    return { status: tag === implicitTag(0) ? 'good' : 'unknown', revokedAtMs: null, reason: null }
  }
  if (tag !== explicitTag(1)) throw malformed('certStatus', 'none of the three')
  const revoked = new DerReader(content, 'revokedInfo')
  const revokedAtMs = readGeneralizedTime(revoked)
  const wrapped = revoked.optional(explicitTag(0))
  revoked.end()
  if (wrapped === null) return { status: 'revoked', revokedAtMs, reason: null }
  const inner = new DerReader(wrapped.content, 'reason')
  const reason = readEnumerated(inner)
  inner.end()
  return { status: 'revoked', revokedAtMs, reason }
}

const NOTHING = new Uint8Array()

function readEnumerated(from: DerReader): number {
  const { content } = from.read(ENUMERATED)
  const [value = 0x80] = content
  if (content.length !== 1 || value >= 0x80) throw malformed('enumerated', 'not one small number')
  return value
}

function readGeneralizedTime(from: DerReader): number {
  if (from.nextTag !== TAG.generalizedTime) throw malformed('time', 'not a GeneralizedTime')
  return readTime(from)
}

function onlyTime(content: Uint8Array): number {
  const reader = new DerReader(content, 'time')
  const ms = readGeneralizedTime(reader)
  reader.end()
  return ms
}
