/** Answers of a responder that exists in tests only, in the form of RFC 6960. */
import { encodeOcspRequest, ocspCertIdOf, parseCertificate } from '../../src/tee/x509/index.ts'
import { nodeVerifyCrypto } from '../../src/tee/x509/crypto-node.ts'
import { bitString, der, DerReader, explicitTag, octetString, oid, sequence, TAG } from '../../src/tee/x509/der.ts'
import { fromHex, utf8 } from '../../src/util/index.ts'
import {
  createTestCertificate,
  createTestKey,
  ECDSA_SHA384,
  signDer,
  TEST_NOW_MS,
  type TestCertificate,
  type TestExtension,
  type TestKey,
} from './test-pki.ts'

const DAY_MS = 86_400_000
const BASIC = '1.3.6.1.5.5.7.48.1.1'
const NONCE = '1.3.6.1.5.5.7.48.1.2'

export interface TestAnswer {
  /** DER of the certificate in question and of its issuer. */
  readonly certificate: Uint8Array
  readonly issuer: Uint8Array
  /** The issuer's key; it certifies a responder, unless `signer` says otherwise. */
  readonly issuerKey: TestKey
  readonly status?: 'good' | 'unknown' | 'revoked' | 'on-hold'
  readonly fromMs?: number
  /** Null leaves it out. */
  readonly untilMs?: number | null
  readonly nonce?: Uint8Array
  /** `issuer` answers itself. */
  readonly signer?: 'issuer' | 'delegated'
  /** On the responder's certificate. */
  readonly responder?: Partial<TestCertificate>
  /** Other than the responder's signs. */
  readonly wrongKey?: TestKey
  /** How often it says it. */
  readonly times?: number
}

const RESPONDER_KEY = createTestKey('p384')
/** extendedKeyUsage OCSPSigning, keyUsage digitalSignature. */
export const MAY_ANSWER: readonly TestExtension[] = [
  { oid: '2.5.29.15', critical: true, value: fromHex('03020780') },
  { oid: '2.5.29.37', critical: true, value: sequence(oid('1.3.6.1.5.5.7.3.9')) },
]

export async function createTestAnswer(one: TestAnswer): Promise<Uint8Array> {
  const [certificate, issuer] = [parseCertificate(one.certificate), parseCertificate(one.issuer)]
  const certId = await ocspCertIdOf(nodeVerifyCrypto, certificate, issuer)
  const fromMs = one.fromMs ?? TEST_NOW_MS
  const untilMs = one.untilMs === undefined ? fromMs + DAY_MS : one.untilMs
  const single = sequence(
    certIdIn(encodeOcspRequest({ certId, nonce: null })),
    STATUSES[one.status ?? 'good'],
    time(fromMs),
    ...(untilMs === null ? [] : [der(explicitTag(0), time(untilMs))]),
  )
  const responder = createTestCertificate({
    subject: 'Test responder',
    issuer: 'replaced',
    issuerName: issuer.subject,
    key: RESPONDER_KEY,
    signer: one.issuerKey,
    extensions: MAY_ANSWER,
    ...one.responder,
  })
  const isDelegated = one.signer !== 'issuer'
  const name = isDelegated ? parseCertificate(responder).subject : issuer.subject
  const tbs = sequence(
    der(explicitTag(1), name),
    time(fromMs),
    sequence(...Array.from({ length: one.times ?? 1 }, () => single)),
    ...(one.nonce === undefined
      ? []
      : [der(explicitTag(1), sequence(sequence(oid(NONCE), octetString(octetString(one.nonce)))))]),
  )
  const key = one.wrongKey ?? (isDelegated ? RESPONDER_KEY : one.issuerKey)
  const basic = sequence(
    tbs,
    ECDSA_SHA384,
    bitString(signDer(key, tbs)),
    ...(isDelegated ? [der(explicitTag(0), sequence(responder))] : []),
  )
  return sequence(SUCCESSFUL, der(explicitTag(0), sequence(oid(BASIC), octetString(basic))))
}

/** What a responder says that does not answer; 6 is unauthorized. */
export const createTestRefusal = (status: number): Uint8Array => sequence(der(0x0a, Uint8Array.of(status)))

const SUCCESSFUL = der(0x0a, Uint8Array.of(0))
const REVOKED_AT_MS = Date.parse('2026-05-01T00:00:00Z')

/** `YYYYMMDDHHMMSSZ` */
const time = (ms: number): Uint8Array =>
  der(TAG.generalizedTime, utf8(`${new Date(ms).toISOString().slice(0, 19).replace(/[-T:]/g, '')}Z`))

const revoked = (reason: number): Uint8Array =>
  der(explicitTag(1), time(REVOKED_AT_MS), der(explicitTag(0), der(0x0a, Uint8Array.of(reason))))
const STATUSES = {
  good: der(0x80),
  unknown: der(0x82),
  revoked: revoked(1),
  'on-hold': revoked(6),
} as const

/** The CertID inside a request for it. */
function certIdIn(request: Uint8Array): Uint8Array {
  let at = new DerReader(request, 'request')
  for (let depth = 0; depth < 4; depth++) at = new DerReader(at.read(TAG.sequence).content, 'request')
  return at.read(TAG.sequence).whole
}
