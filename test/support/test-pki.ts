/** Certificates and revocation lists of authorities that exist in tests only. */
import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import {
  bitString,
  der,
  explicitTag,
  octetString,
  oid,
  sequence,
  TAG,
  TRUE,
  unsignedInteger,
  utcTime,
  utf8String,
} from '../../src/tee/x509/der.ts'
import { fromHex, toHex } from '../../src/util/index.ts'

export interface TestKey {
  readonly kind: 'p384' | 'rsa'
  readonly privateKey: KeyObject
  readonly spki: Uint8Array
}

/** RSA of 2048 bits: the length is the root's affair, and larger ones take seconds to make. */
export function createTestKey(kind: TestKey['kind']): TestKey {
  const { privateKey, publicKey } =
    kind === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-384' })
  return { kind, privateKey, spki: new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })) }
}

export interface TestExtension {
  readonly oid: string
  readonly critical?: boolean
  readonly value: Uint8Array
}

export interface TestCertificate {
  readonly subject: string
  readonly issuer: string
  /** DER; in the place of one made of `issuer`. */
  readonly issuerName?: Uint8Array
  /** Of the subject. */
  readonly key: TestKey
  readonly signer: TestKey
  readonly serial?: Uint8Array
  readonly fromMs?: number
  readonly untilMs?: number
  readonly extensions?: readonly TestExtension[]
}

export const TEST_FROM_MS = Date.parse('2026-01-01T00:00:00Z')
export const TEST_UNTIL_MS = Date.parse('2027-01-01T00:00:00Z')
export const TEST_NOW_MS = Date.parse('2026-06-01T12:00:00Z')

export const ECDSA_SHA384 = fromHex('300a06082a8648ce3d040303')
const PSS_SHA384 = fromHex(
  '304106092a864886f70d01010a3034a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130',
)

export const integer = (n: number): Uint8Array => unsignedInteger(fromHex(n.toString(16).padStart(8, '0')))
export const ia5 = (text: string): Uint8Array => der(0x16, new TextEncoder().encode(text))

/** An authority with room for `pathLength` others below it. */
export const authority = (pathLength?: number): readonly TestExtension[] => [
  {
    oid: '2.5.29.19',
    critical: true,
    value: sequence(TRUE, ...(pathLength === undefined ? [] : [integer(pathLength)])),
  },
  // certSign and cRLSign.
  { oid: '2.5.29.15', critical: true, value: fromHex('03020106') },
]

export function createTestCertificate(one: TestCertificate): Uint8Array {
  const tbs = sequence(
    der(explicitTag(0), integer(2)),
    unsignedInteger(one.serial ?? Uint8Array.of(0)),
    algorithmOf(one.signer),
    one.issuerName ?? nameOf(one.issuer),
    sequence(utcTime(one.fromMs ?? TEST_FROM_MS), utcTime(one.untilMs ?? TEST_UNTIL_MS)),
    nameOf(one.subject),
    one.key.spki,
    der(explicitTag(3), sequence(...(one.extensions ?? []).map(extensionOf))),
  )
  return signed(tbs, one.signer)
}

export interface TestCrl {
  readonly issuer: string
  readonly signer: TestKey
  readonly fromMs?: number
  /** Null leaves it out. */
  readonly untilMs?: number | null
  readonly revoked?: readonly Uint8Array[]
  readonly extensions?: readonly TestExtension[]
}

export function createTestCrl(one: TestCrl): Uint8Array {
  const until = one.untilMs === undefined ? TEST_UNTIL_MS : one.untilMs
  const entries = (one.revoked ?? []).map((serial) => sequence(unsignedInteger(serial), utcTime(TEST_FROM_MS)))
  const tbs = sequence(
    integer(1),
    algorithmOf(one.signer),
    nameOf(one.issuer),
    utcTime(one.fromMs ?? TEST_FROM_MS),
    ...(until === null ? [] : [utcTime(until)]),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
    ...(one.extensions === undefined ? [] : [der(explicitTag(0), sequence(...one.extensions.map(extensionOf)))]),
  )
  return signed(tbs, one.signer)
}

/** r ‖ s of 48 bytes each. */
export const signRaw = (key: TestKey, message: Uint8Array): Uint8Array =>
  new Uint8Array(sign('sha384', message, { key: key.privateKey, dsaEncoding: 'ieee-p1363' }))

/** DER, as certificates carry it. */
export const signDer = (key: TestKey, message: Uint8Array): Uint8Array =>
  new Uint8Array(sign('sha384', message, { key: key.privateKey, dsaEncoding: 'der' }))

export const keyPin = (key: TestKey, sha256: (bytes: Uint8Array) => Uint8Array): string => toHex(sha256(key.spki))

function signed(tbs: Uint8Array, signer: TestKey): Uint8Array {
  const signature =
    signer.kind === 'rsa'
      ? sign('sha384', tbs, { key: signer.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 48 })
      : sign('sha384', tbs, { key: signer.privateKey, dsaEncoding: 'der' })
  return sequence(tbs, algorithmOf(signer), bitString(new Uint8Array(signature)))
}

const algorithmOf = (key: TestKey): Uint8Array => (key.kind === 'rsa' ? PSS_SHA384 : ECDSA_SHA384)

const nameOf = (commonName: string): Uint8Array =>
  sequence(der(TAG.set, sequence(oid('2.5.4.3'), utf8String(commonName))))

const extensionOf = ({ oid: id, critical = false, value }: TestExtension): Uint8Array =>
  sequence(oid(id), ...(critical ? [TRUE] : []), octetString(value))
