/** Making our own certificate: an Ed25519 key of its own for every certificate, signed by itself. */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { concatBytes, utf8 } from '../../util/index.ts'
import type { EvidenceKind } from '../policy/evidence.ts'
import { type Claims, encodeClaims, type SignedClaims, signedClaims } from '../quote/index.ts'
import type { SourcedEvidence } from '../source/source.ts'
import {
  bitString,
  der,
  explicitTag,
  implicitTag,
  octetString,
  oid,
  printableString,
  sequence,
  TAG,
  TRUE,
  unsignedInteger,
  utcTime,
  utf8String,
} from '../x509/der.ts'
import { writePem } from '../x509/pem.ts'
import { OID } from './oids.ts'
import { SERVER_NAME } from './rules.ts'
import { reportDataOf } from './verify.ts'

export interface NodeCertificate {
  readonly certificatePem: string
  readonly privateKeyPem: string
  /** 32 raw bytes. */
  readonly publicKey: Uint8Array
  /** What is proven beside the certificate, to peers that ask for it; null for nothing. */
  readonly claims: SignedClaims | null
}

/** A peer's clock may be behind ours by this much. */
const BACKDATE_MS = 3_600_000
/** What the reference makes; a renewal comes long before the end. */
const LIFETIME_MS = 86_400_000

export interface CreateCertificateOptions {
  readonly evidence: EvidenceKind
  readonly nowMs: number
  /** Secure random bytes: the key is made from them. */
  readonly random: (count: number) => Uint8Array
}

/** Valid from an hour ago, for a day. Form and order of the extensions are the reference's; the version is 3. */
export function createCertificate({ evidence, nowMs, random }: CreateCertificateOptions): NodeCertificate {
  return certify(createNodeKey(random), evidence, nowMs, random)
}

/** What a node claims beside its certificate. */
export type Claimed = Pick<Claims, 'gpus' | 'provider' | 'region'>

/** A key that has no certificate yet: evidence can be made for it. */
export interface NodeKey {
  readonly privateKey: KeyObject
  /** 32 raw bytes. */
  readonly publicKey: Uint8Array
  /** 64 bytes: what evidence must contain to belong to this key. */
  readonly reportData: Uint8Array
}

export function createNodeKey(random: (count: number) => Uint8Array): NodeKey {
  // PKCS #8 around a 32-byte seed (RFC 8410): so the key comes from the randomness that was passed in.
  const pkcs8 = sequence(unsignedInteger(Uint8Array.of(0)), ED25519, octetString(octetString(random(32))))
  const privateKey = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' })
  const publicKey = Uint8Array.from(spkiOf(privateKey).subarray(-32))
  return { privateKey, publicKey, reportData: reportDataOf(publicKey) }
}

const spkiOf = (key: KeyObject): Uint8Array => createPublicKey(key).export({ format: 'der', type: 'spki' })

/** When a certificate made at `nowMs` ends. */
export const endOfCertificate = (nowMs: number): number => nowMs - BACKDATE_MS + LIFETIME_MS

/**
 * The certificate of a key, signed with it. Evidence of hardware must have been made for the key; that is not checked here.
 * @param claims null where the node claims nothing beside it
 */
export function certify(
  { privateKey, publicKey }: NodeKey,
  evidence: EvidenceKind | SourcedEvidence,
  nowMs: number,
  random: (count: number) => Uint8Array,
  claims: Claimed | null = null,
): NodeCertificate {
  const tbs = sequence(
    der(explicitTag(0), unsignedInteger(Uint8Array.of(2))),
    unsignedInteger(random(16)),
    ED25519,
    NAME,
    sequence(utcTime(nowMs - BACKDATE_MS), utcTime(endOfCertificate(nowMs))),
    NAME,
    spkiOf(privateKey),
    der(explicitTag(3), sequence(...evidenceExtensions(evidence, publicKey), ...usualExtensions(publicKey))),
  )
  const certificate = sequence(tbs, ED25519, bitString(sign(null, tbs, privateKey)))
  return {
    certificatePem: writePem(certificate),
    privateKeyPem: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    publicKey,
    claims: claims === null ? null : claim({ privateKey, publicKey }, claims, nowMs),
  }
}

/** The key signs what it claims, so that it can be shown to others as well. */
function claim(
  { privateKey, publicKey }: Pick<NodeKey, 'privateKey' | 'publicKey'>,
  claimed: Claimed,
  nowMs: number,
): SignedClaims {
  const claims = encodeClaims({ publicKey, issuedAtMs: nowMs, ...claimed })
  return { claims, signature: new Uint8Array(sign(null, signedClaims(claims), privateKey)) }
}

export const extension = (name: string, critical: boolean, value: Uint8Array): Uint8Array =>
  sequence(oid(name), critical ? TRUE : new Uint8Array(0), octetString(value))

const ED25519 = sequence(oid(OID.ed25519))
const attribute = (name: string, value: Uint8Array): Uint8Array => der(TAG.set, sequence(oid(name), value))

/** Peers compare issuer with subject and look at nothing else; one name for all nodes tells nothing about any. */
const NAME = sequence(
  attribute(OID.countryName, printableString('AE')),
  attribute(OID.stateOrProvinceName, utf8String('DUBAI')),
  attribute(OID.organizationName, utf8String('TDLib Development')),
  attribute(OID.organizationalUnitName, utf8String('Security')),
  attribute(OID.commonName, utf8String('localhost')),
)

function evidenceExtensions(evidence: EvidenceKind | SourcedEvidence, publicKey: Uint8Array): Uint8Array[] {
  if (evidence === 'none') return []
  const claims = extension(OID.tdxClaims, true, publicKey)
  if (evidence === 'simulated') return [extension(OID.tdxQuote, true, reportDataOf(publicKey)), claims]
  if (evidence.kind === 'tdx') return [extension(OID.tdxQuote, true, evidence.quote), claims]
  const { report, chipCertificate } = evidence
  return [
    extension(OID.sevReportData, true, reportDataOf(publicKey)),
    extension(OID.sevReport, true, report),
    ...(chipCertificate === null ? [] : [extension(OID.sevVcek, true, utf8(writePem(chipCertificate)))]),
  ]
}

function usualExtensions(publicKey: Uint8Array): Uint8Array[] {
  const keyId = createHash('sha1').update(publicKey).digest()
  const ipv6Loopback = concatBytes(new Uint8Array(15), Uint8Array.of(1))
  return [
    extension(OID.basicConstraints, true, sequence()),
    // One byte with the first bit set (digitalSignature), seven bits unused.
    extension(OID.keyUsage, true, der(TAG.bitString, Uint8Array.of(7, 0x80))),
    extension(OID.extKeyUsage, true, sequence(oid(OID.serverAuth), oid(OID.clientAuth))),
    extension(OID.subjectKeyIdentifier, false, octetString(keyId)),
    extension(
      OID.subjectAltName,
      false,
      sequence(
        der(implicitTag(2), utf8('localhost')),
        der(implicitTag(2), utf8(SERVER_NAME)),
        der(implicitTag(7), ipv6Loopback),
      ),
    ),
  ]
}
