/**
 * A small Intel of our own: root, CAs, PCK, TCB data and quotes, signed with keys made on the spot, so that tests can have
 * what Intel never publishes: revoked platforms, expired parts, wrong signers. Everything is overridable, one part at a time.
 */
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import type { DcapCollateralSource } from '../../src/tee/verify/dcap/index.ts'
import {
  bitString,
  der,
  explicitTag,
  octetString,
  oid,
  printableString,
  sequence,
  TAG,
  TRUE,
  unsignedInteger,
  utcTime,
  utf8String,
} from '../../src/tee/x509/der.ts'
import { concatBytes, fromHex, toBase64, toHex, utf8 } from '../../src/util/index.ts'

export const NOW_MS = Date.parse('2026-06-01T12:00:00Z')
export const DAY_MS = 86_400_000

export interface KeyPair {
  readonly privateKey: KeyObject
  readonly spki: Uint8Array
}

export function makeKey(): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { privateKey, spki: Uint8Array.from(publicKey.export({ format: 'der', type: 'spki' })) }
}

/** X ‖ Y. */
export const pointOf = (key: KeyPair): Uint8Array => key.spki.subarray(-64)

/** r ‖ s. */
export const signRaw = (key: KeyPair, bytes: Uint8Array): Uint8Array =>
  Uint8Array.from(sign('sha256', bytes, { key: key.privateKey, dsaEncoding: 'ieee-p1363' }))

const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'))

function signed(tbs: Uint8Array, key: KeyPair): Uint8Array {
  const signature = Uint8Array.from(sign('sha256', tbs, key.privateKey))
  return sequence(tbs, ECDSA_SHA256, bitString(signature))
}

export const nameOf = (commonName: string): Uint8Array =>
  sequence(
    der(TAG.set, sequence(oid('2.5.4.3'), utf8String(commonName))),
    der(TAG.set, sequence(oid('2.5.4.6'), printableString('US'))),
  )

export interface CertificateParts {
  readonly subject: string
  readonly issuer: string
  readonly serial: number
  readonly key: KeyPair
  readonly signedBy: KeyPair
  readonly isCa: boolean
  readonly notBeforeMs: number
  readonly notAfterMs: number
  /** Whole extensions, after the usual ones. */
  readonly more: readonly Uint8Array[]
  /** Replaces basicConstraints and keyUsage. */
  readonly usual?: readonly Uint8Array[]
}

export const extension = (name: string, critical: boolean, value: Uint8Array): Uint8Array =>
  sequence(oid(name), ...(critical ? [TRUE] : []), octetString(value))

export const BASIC_CA = extension('2.5.29.19', true, sequence(TRUE))
export const BASIC_END = extension('2.5.29.19', true, sequence())
export const USAGE_CA = extension('2.5.29.15', true, der(TAG.bitString, Uint8Array.of(1, 0x06)))
const USAGE_END = extension('2.5.29.15', true, der(TAG.bitString, Uint8Array.of(6, 0xc0)))

export function makeCertificate(parts: CertificateParts): Uint8Array {
  const usual = parts.usual ?? (parts.isCa ? [BASIC_CA, USAGE_CA] : [BASIC_END, USAGE_END])
  const tbs = sequence(
    der(explicitTag(0), unsignedInteger(Uint8Array.of(2))),
    integer(parts.serial),
    ECDSA_SHA256,
    nameOf(parts.issuer),
    sequence(utcTime(parts.notBeforeMs), utcTime(parts.notAfterMs)),
    nameOf(parts.subject),
    parts.key.spki,
    der(explicitTag(3), sequence(...usual, ...parts.more)),
  )
  return signed(tbs, parts.signedBy)
}

const integer = (value: number): Uint8Array =>
  unsignedInteger(Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff))

export interface CrlParts {
  readonly issuer: string
  readonly signedBy: KeyPair
  readonly thisUpdateMs: number
  readonly nextUpdateMs: number | null
  readonly revoked: readonly number[]
  readonly extensions: readonly Uint8Array[]
}

export function makeCrl(parts: CrlParts): Uint8Array {
  const entries = parts.revoked.map((serial) => sequence(integer(serial), utcTime(parts.thisUpdateMs)))
  const tbs = sequence(
    unsignedInteger(Uint8Array.of(1)),
    ECDSA_SHA256,
    nameOf(parts.issuer),
    utcTime(parts.thisUpdateMs),
    ...(parts.nextUpdateMs === null ? [] : [utcTime(parts.nextUpdateMs)]),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
    ...(parts.extensions.length === 0 ? [] : [der(explicitTag(0), sequence(...parts.extensions))]),
  )
  return signed(tbs, parts.signedBy)
}

export const pem = (...certificates: readonly Uint8Array[]): string =>
  certificates
    .map(
      (one) =>
        `-----BEGIN CERTIFICATE-----\n${toBase64(one).replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
    )
    .join('')

/** Facts of the platform, as the leaf's SGX extension holds them. */
export interface PlatformParts {
  readonly fmspc: string
  readonly pceId: string
  readonly components: readonly number[]
  readonly pceSvn: number
}

const SGX = '1.2.840.113741.1.13.1'

export function sgxExtension({ fmspc, pceId, components, pceSvn }: PlatformParts): Uint8Array {
  const field = (suffix: string, value: Uint8Array): Uint8Array => sequence(oid(`${SGX}.${suffix}`), value)
  const tcb = [
    ...components.map((svn, i) => field(`2.${i + 1}`, integer(svn))),
    field('2.17', integer(pceSvn)),
    field('2.18', octetString(Uint8Array.from(components, (svn) => svn & 0xff))),
  ]
  const value = sequence(
    field('1', octetString(new Uint8Array(16))),
    field('2', sequence(...tcb)),
    field('3', octetString(fromHex(pceId))),
    field('4', octetString(fromHex(fmspc))),
    field('5', der(0x0a, Uint8Array.of(0))),
  )
  return extension(SGX, false, value)
}

/** A level as JSON: platform levels have components, others an `isvsvn`. */
export interface LevelJson {
  readonly tcb: Readonly<Record<string, unknown>>
  readonly tcbDate: string
  readonly tcbStatus: string
  readonly advisoryIDs?: readonly string[]
}

export function platformLevelJson(
  sgx: number,
  pcesvn: number,
  tdx: readonly number[],
  tcbStatus: string,
  ...advisoryIDs: string[]
): LevelJson {
  const of = (svns: readonly number[]): { svn: number }[] =>
    Array.from({ length: 16 }, (_, i) => ({ svn: svns[i] ?? 0 }))
  const tcb = { sgxtcbcomponents: of(Array<number>(16).fill(sgx)), pcesvn, tdxtcbcomponents: of(tdx) }
  return { tcb, tcbDate: '2026-01-01T00:00:00Z', tcbStatus, advisoryIDs }
}

export const enclaveLevelJson = (isvsvn: number, tcbStatus: string, ...advisoryIDs: string[]): LevelJson => ({
  tcb: { isvsvn },
  tcbDate: '2025-01-01T00:00:00Z',
  tcbStatus,
  advisoryIDs,
})

export const iso = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z')

/** `{"<name>":{…},"signature":"…"}`. */
export function signedJson(name: string, body: unknown, key: KeyPair): string {
  const inner = JSON.stringify(body)
  return `{"${name}":${inner},"signature":"${toHex(signRaw(key, utf8(inner)))}"}`
}

export interface WorldParts {
  readonly version: 4 | 5
  readonly form: '1.0' | '1.5' | '1.5-extended'
  readonly teeTcbSvn: readonly number[]
  readonly teeTcbSvn2: readonly number[]
  readonly mrSignerSeam: Uint8Array
  readonly seamAttributes: Uint8Array
  readonly tdAttributes: Uint8Array
  /** 64 bytes. */
  readonly reportData: Uint8Array
  readonly qeIsvSvn: number
  readonly platform: PlatformParts
  readonly ca: 'Platform' | 'Processor'
  readonly root: Partial<CertificateParts>
  readonly caCertificate: Partial<CertificateParts>
  readonly leaf: Partial<CertificateParts>
  readonly signer: Partial<CertificateParts>
  readonly rootCrl: Partial<CrlParts>
  readonly pckCrl: Partial<CrlParts>
  readonly tcbInfo: Readonly<Record<string, unknown>>
  readonly tcbInfoSignedBy: KeyPair | null
  readonly qeIdentity: Readonly<Record<string, unknown>>
  readonly qeIdentitySignedBy: KeyPair | null
  readonly chainOrder: readonly ('leaf' | 'ca' | 'root')[]
  readonly afterChain: string
  readonly bindTo: Uint8Array | null
  readonly qeReportSignedBy: KeyPair | null
  readonly quoteSignedBy: KeyPair | null
  /** Around which everything is valid. */
  readonly nowMs: number
  /** Those that are given are not made: worlds with the same root and the same CA are one. */
  readonly keys: Partial<World['keys']>
  /** What each of the eight registers is filled with, MRTD first, RTMR3 last. */
  readonly registers: readonly number[]
}

export interface World {
  readonly rootKey: Uint8Array
  readonly source: DcapCollateralSource
  readonly quote: Uint8Array
  readonly keys: { readonly root: KeyPair; readonly ca: KeyPair; readonly leaf: KeyPair; readonly signer: KeyPair }
  readonly certificates: {
    readonly root: Uint8Array
    readonly ca: Uint8Array
    readonly leaf: Uint8Array
    readonly signer: Uint8Array
  }
}

export const SERIALS = { root: 1, ca: 0x00c0ffee, leaf: 0x00beef01, signer: 0x00510001 } as const
const QE_SIGNER = new Uint8Array(32).fill(0xdc)
const FMSPC = '00A0B1C2D3E4'

const DEFAULTS: WorldParts = {
  version: 4,
  form: '1.0',
  teeTcbSvn: [5, 1, 3],
  teeTcbSvn2: [5, 1, 3],
  mrSignerSeam: new Uint8Array(48),
  seamAttributes: new Uint8Array(8),
  tdAttributes: Uint8Array.of(0, 0, 0, 0x10, 0, 0, 0, 0),
  reportData: new Uint8Array(64).fill(0xab),
  qeIsvSvn: 6,
  platform: { fmspc: FMSPC, pceId: '0000', components: Array<number>(16).fill(3), pceSvn: 13 },
  ca: 'Platform',
  root: {},
  caCertificate: {},
  leaf: {},
  signer: {},
  rootCrl: {},
  pckCrl: {},
  tcbInfo: {},
  tcbInfoSignedBy: null,
  qeIdentity: {},
  qeIdentitySignedBy: null,
  chainOrder: ['leaf', 'ca', 'root'],
  afterChain: '\0',
  bindTo: null,
  qeReportSignedBy: null,
  quoteSignedBy: null,
  nowMs: NOW_MS,
  keys: {},
  registers: [1, 0, 0, 0, 2, 3, 4, 5],
}

const ROOT = 'Intel SGX Root CA'
const SIGNER = 'Intel SGX TCB Signing'
const LEAF = 'Intel SGX PCK Certificate'

/** A whole platform with its quote and collateral, good at `NOW_MS` but for what is overridden. */
export function makeWorld(overrides: Partial<WorldParts> = {}): World {
  const parts = { ...DEFAULTS, ...overrides }
  const { root = makeKey(), ca = makeKey(), leaf = makeKey(), signer = makeKey() } = parts.keys
  const keys = { root, ca, leaf, signer }
  const caName = `Intel SGX PCK ${parts.ca} CA`
  const { nowMs } = parts
  const dates = { notBeforeMs: nowMs - 1000 * DAY_MS, notAfterMs: nowMs + 1000 * DAY_MS, more: [] }
  const certificates = {
    root: makeCertificate({
      ...{
        subject: ROOT,
        issuer: ROOT,
        serial: SERIALS.root,
        key: keys.root,
        signedBy: keys.root,
        isCa: true,
        ...dates,
      },
      ...parts.root,
    }),
    ca: makeCertificate({
      ...{ subject: caName, issuer: ROOT, serial: SERIALS.ca, key: keys.ca, signedBy: keys.root, isCa: true, ...dates },
      ...parts.caCertificate,
    }),
    leaf: makeCertificate({
      ...{
        subject: LEAF,
        issuer: caName,
        serial: SERIALS.leaf,
        key: keys.leaf,
        signedBy: keys.ca,
        isCa: false,
        ...dates,
      },
      more: [sgxExtension(parts.platform)],
      ...parts.leaf,
    }),
    signer: makeCertificate({
      ...{ subject: SIGNER, issuer: ROOT, serial: SERIALS.signer, key: keys.signer, signedBy: keys.root, isCa: false },
      ...dates,
      ...parts.signer,
    }),
  }
  const crlDates = {
    thisUpdateMs: nowMs - DAY_MS,
    nextUpdateMs: nowMs + 20 * DAY_MS,
    revoked: [0x77],
    extensions: [],
  }
  const signingChain = pem(certificates.signer, certificates.root)
  const chain = pem(...parts.chainOrder.map((place) => certificates[place])) + parts.afterChain
  return {
    keys,
    certificates,
    rootKey: pointOf(keys.root),
    source: {
      tcbInfo: signedJson('tcbInfo', tcbInfoBody(parts), parts.tcbInfoSignedBy ?? keys.signer),
      tcbInfoIssuerChain: signingChain,
      qeIdentity: signedJson('enclaveIdentity', qeIdentityBody(parts), parts.qeIdentitySignedBy ?? keys.signer),
      qeIdentityIssuerChain: signingChain,
      rootCaCrl: makeCrl({ issuer: ROOT, signedBy: keys.root, ...crlDates, ...parts.rootCrl }),
      pckCrl: makeCrl({ issuer: caName, signedBy: keys.ca, ...crlDates, ...parts.pckCrl }),
    },
    quote: makeQuote(parts, keys.leaf, utf8(chain)),
  }
}

const issued = (nowMs: number) => ({
  issueDate: iso(nowMs - DAY_MS),
  nextUpdate: iso(nowMs + 10 * DAY_MS),
  tcbEvaluationDataNumber: 20,
})

function tcbInfoBody(parts: WorldParts): unknown {
  const module = { mrsigner: '00'.repeat(48), attributes: '00'.repeat(8), attributesMask: 'FF'.repeat(8) }
  return {
    id: 'TDX',
    version: 3,
    ...issued(parts.nowMs),
    fmspc: FMSPC,
    pceId: '0000',
    tcbType: 0,
    tdxModule: module,
    tdxModuleIdentities: [
      {
        id: 'TDX_01',
        ...module,
        tcbLevels: [enclaveLevelJson(5, 'UpToDate'), enclaveLevelJson(2, 'OutOfDate', 'INTEL-SA-00002')],
      },
    ],
    tcbLevels: [
      platformLevelJson(3, 13, [5, 0, 3], 'UpToDate'),
      platformLevelJson(2, 11, [2, 0, 2], 'OutOfDate', 'INTEL-SA-00001'),
    ],
    ...parts.tcbInfo,
  }
}

function qeIdentityBody(parts: WorldParts): unknown {
  return {
    id: 'TD_QE',
    version: 2,
    ...issued(parts.nowMs),
    tcbEvaluationDataNumber: 21,
    miscselect: '00000000',
    miscselectMask: 'FFFFFFFF',
    attributes: '11000000000000000000000000000000',
    attributesMask: 'FBFFFFFFFFFFFFFF0000000000000000',
    mrsigner: toHex(QE_SIGNER).toUpperCase(),
    isvprodid: 2,
    tcbLevels: [enclaveLevelJson(6, 'UpToDate'), enclaveLevelJson(4, 'OutOfDate', 'INTEL-SA-00003')],
    ...parts.qeIdentity,
  }
}

const u16 = (value: number): Uint8Array => Uint8Array.of(value & 0xff, value >>> 8)
const u32 = (value: number): Uint8Array => concatBytes(u16(value & 0xffff), u16(value >>> 16))
const padded = (bytes: readonly number[], length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => bytes[i] ?? 0)

const BODY_TYPES = { '1.0': 2, '1.5': 3, '1.5-extended': 4 } as const

function makeQuote(parts: WorldParts, pck: KeyPair, chain: Uint8Array): Uint8Array {
  const attestationKey = makeKey()
  const body = concatBytes(
    padded(parts.teeTcbSvn, 16),
    new Uint8Array(48).fill(0x5e),
    parts.mrSignerSeam,
    parts.seamAttributes,
    parts.tdAttributes,
    fromHex('e702060000000000'),
    ...parts.registers.map((fill) => new Uint8Array(48).fill(fill)),
    parts.reportData,
    ...(parts.form === '1.0' ? [] : [padded(parts.teeTcbSvn2, 16), new Uint8Array(48)]),
    ...(parts.form === '1.5-extended' ? [new Uint8Array(237)] : []),
  )
  const header = concatBytes(
    ...[u16(parts.version), u16(2), u32(0x81), u32(0), fromHex('939a7233f79c4ca9940a0db3957f0607'), new Uint8Array(20)],
    ...(parts.version === 5 ? [u16(BODY_TYPES[parts.form]), u32(body.length)] : []),
  )
  const signedPart = concatBytes(header, body)
  const point = pointOf(attestationKey)
  const authentication = Uint8Array.from({ length: 32 }, (_, i) => i)
  const binding = createHash('sha256').update(point).update(authentication).digest()
  const report = qeReport(parts.qeIsvSvn, parts.bindTo ?? binding)
  const certification = concatBytes(
    ...[report, signRaw(parts.qeReportSignedBy ?? pck, report), u16(32), authentication],
    ...[u16(5), u32(chain.length), chain],
  )
  const signatureData = concatBytes(
    ...[signRaw(parts.quoteSignedBy ?? attestationKey, signedPart), point],
    ...[u16(6), u32(certification.length), certification],
  )
  return concatBytes(signedPart, u32(signatureData.length), signatureData)
}

function qeReport(isvSvn: number, binding: Uint8Array): Uint8Array {
  const report = new Uint8Array(384)
  report.set(fromHex('1500000000000000e700000000000000'), 48)
  report.set(QE_SIGNER, 128)
  report.set(u16(2), 256)
  report.set(u16(isvSvn), 258)
  report.set(binding, 320)
  return report
}
