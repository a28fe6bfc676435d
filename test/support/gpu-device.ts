/** A GPU, a driver and a VBIOS that exist in tests only: report, device chain, manifests. */
import { canonicalXml } from '../../src/tee/verify/nvidia/canonical.ts'
import type { GpuProof } from '../../src/tee/quote/claims.ts'
import type { GpuCollateral } from '../../src/tee/verify/nvidia/verify.ts'
import { parseXml } from '../../src/tee/verify/nvidia/xml.ts'
import { nodeVerifyCrypto } from '../../src/tee/x509/crypto-node.ts'
import { oid, octetString, sequence } from '../../src/tee/x509/der.ts'
import { concatBytes, toBase64, utf8 } from '../../src/util/index.ts'
import { createTestAnswer, type TestAnswer } from './ocsp-maker.ts'
import {
  authority,
  createTestCertificate,
  createTestKey,
  integer,
  keyPin,
  signRaw,
  type TestCertificate,
  type TestKey,
  type TestExtension,
} from './test-pki.ts'

export const NONCE = new Uint8Array(32).fill(0x5a)
export const FWID = new Uint8Array(48).fill(0xf1)
const BLOCKS = 6

export interface ManifestChanges {
  readonly version?: string
  /** Active values by index: hex bytes to repeat 48 times, one per alternative. */
  readonly values?: Readonly<Record<number, readonly string[]>>
  /** On the text that is signed. */
  readonly edit?: (xml: string) => string
  /** On the text with its signature. */
  readonly tamper?: (xml: string) => string
  readonly signer?: Partial<TestCertificate>
  readonly middle?: Partial<TestCertificate>
  readonly certificates?: number
}

export interface DeviceChanges {
  readonly leaf?: Partial<TestCertificate>
  /** In the leaf. */
  readonly fwid?: Uint8Array | null
  readonly opaque?: Readonly<Record<number, Uint8Array | null>>
  readonly driver?: ManifestChanges | 'none'
  readonly vbios?: ManifestChanges | 'none'
  readonly certificates?: number
  /** What the report answers. */
  readonly nonce?: Uint8Array
  /** Another GPU of the same maker: a byte of its chip's serial number. */
  readonly chip?: number
  /** On NVIDIA's answer about the link of that number, from the chip on: of the device, or of both manifests. */
  readonly answers?: Partial<
    Readonly<Record<'device' | 'manifests', Readonly<Record<number, Partial<TestAnswer> | 'none'>>>>
  >
}

export interface TestGpu {
  readonly proof: GpuProof
  readonly collateral: GpuCollateral
  readonly deviceRoots: readonly string[]
  readonly manifestRoots: readonly string[]
}

export type TestDevice = (changes?: DeviceChanges) => Promise<TestGpu>

/** Makes keys once; then each call makes evidence that verifies, but for the changes. */
export function createTestDevice(): TestDevice {
  const keys = Array.from({ length: 5 }, () => createTestKey('p384'))
  const manifestKeys = Array.from({ length: 4 }, () => createTestKey('p384'))
  const sha256 = (bytes: Uint8Array): Uint8Array => nodeVerifyCrypto.sha256(bytes) as Uint8Array
  const chainOf = (
    names: readonly string[],
    of: typeof keys,
    changes: Readonly<Record<number, Partial<TestCertificate> | undefined>>,
    leafExtensions: readonly TestExtension[],
  ): Uint8Array[] =>
    names.map((subject, i) =>
      createTestCertificate({
        subject,
        issuer: names[Math.min(i + 1, names.length - 1)] as string,
        key: of[i] as TestKey,
        signer: of[Math.min(i + 1, names.length - 1)] as TestKey,
        extensions: i === 0 ? leafExtensions : authority(),
        ...changes[i],
      }),
    )

  const manifest = (
    label: string,
    version: string,
    values: Readonly<Record<number, readonly string[]>>,
    changes: ManifestChanges,
  ): Uint8Array => {
    const certificates = chainOf(
      MANIFEST_NAMES,
      manifestKeys,
      {
        ...serials(0x20, 0),
        0: { ...serials(0x20, 0)[0], ...changes.signer },
        1: { ...serials(0x20, 0)[1], ...changes.middle },
      },
      [],
    )
    const unsigned = manifestText(label, changes.version ?? version, changes.values ?? values)
    const content = (changes.edit ?? ((xml: string) => xml))(unsigned)
    const digest = nodeVerifyCrypto.sha384(canonicalXml(parseXml(utf8(content)))) as Uint8Array
    const signedInfo = SIGNED_INFO.replace('%', toBase64(digest))
    const signature = signRaw(manifestKeys[0] as TestKey, canonicalXml(parseXml(utf8(inScope(signedInfo)))))
    const shown = certificates.slice(0, changes.certificates ?? certificates.length)
    const block = `<ds:Signature xmlns:ds="${DSIG}">${signedInfo}<ds:SignatureValue>${toBase64(signature)}</ds:SignatureValue><ds:KeyInfo><ds:X509Data>${shown.map((one) => `<ds:X509Certificate>${toBase64(one)}</ds:X509Certificate>`).join('')}</ds:X509Data></ds:KeyInfo></ds:Signature>`
    const whole = content.replace('</SoftwareIdentity>', `${block}</SoftwareIdentity>`)
    return utf8((changes.tamper ?? ((xml: string) => xml))(whole))
  }

  /** One per certificate but the first of a device and the root. */
  const answersOf = async (
    chain: readonly Uint8Array[],
    of: typeof keys,
    first: number,
    changes: Readonly<Record<number, Partial<TestAnswer> | 'none'>> = {},
  ): Promise<Uint8Array[]> => {
    const links = Array.from({ length: Math.max(0, chain.length - 1 - first) }, (_, i) => i)
    return Promise.all(
      links.flatMap((i) => {
        const change = changes[i]
        if (change === 'none') return []
        const [certificate, issuer] = [chain[first + i], chain[first + i + 1]] as [Uint8Array, Uint8Array]
        return [createTestAnswer({ certificate, issuer, issuerKey: of[first + i + 1] as TestKey, ...change })]
      }),
    )
  }

  return async (changes = {}) => {
    const { leaf, fwid = FWID, opaque = {}, driver = {}, vbios = {}, certificates = 5, nonce = NONCE } = changes
    const { chip = 1, answers = {} } = changes
    const names = ['GH100 A01 GSP FMC LF', 'GH100 A01 GSP BROM', 'provisioner', 'identity', 'device root']
    const leafExtensions = fwid === null ? [] : [compositeDeviceId((keys[1] as TestKey).spki, fwid)]
    const report = reportOf(opaque, nonce)
    const chain = chainOf(names, keys, { ...serials(0x10, chip), 0: leaf }, leafExtensions)
    const manifestChain = chainOf(MANIFEST_NAMES, manifestKeys, serials(0x20, 0), [])
    return {
      proof: {
        report: concatBytes(report, signRaw(keys[0] as TestKey, report)),
        certificates: chain.slice(0, certificates),
      },
      collateral: {
        driverManifest: driver === 'none' ? null : manifest('driver', '550.1', { 0: ['01'], 3: ['ee', '04'] }, driver),
        vbiosManifest: vbios === 'none' ? null : manifest('vbios', '96.00.5E.00.01', { 1: ['02'], 2: ['03'] }, vbios),
        answers: [
          ...(await answersOf(chain, keys, 1, answers.device)),
          ...(await answersOf(manifestChain, manifestKeys, 0, answers.manifests)),
        ],
      },
      deviceRoots: [keyPin(keys[4] as TestKey, sha256)],
      manifestRoots: [keyPin(manifestKeys[3] as TestKey, sha256)],
    }
  }
}

const MANIFEST_NAMES = ['signer', 'L3', 'CA', 'root'] as const

/** Different ones for all but a device's firmware and the roots; `chip` is in that of its chip. */
const serials = (base: number, chip: number): Readonly<Record<number, Partial<TestCertificate>>> =>
  Object.fromEntries([0, 1, 2, 3].map((i) => [i, { serial: Uint8Array.of(base + i, i === 1 ? chip : 0, 1) }]))

const compositeDeviceId = (spki: Uint8Array, fwid: Uint8Array): TestExtension => ({
  oid: '2.23.133.5.4.1',
  value: sequence(integer(1), spki, sequence(oid('2.16.840.1.101.3.4.2.2'), octetString(fwid))),
})

const u16 = (n: number): Uint8Array => Uint8Array.of(n & 0xff, n >> 8)

/** Block i has 48 times the byte i. */
function reportOf(changes: Readonly<Record<number, Uint8Array | null>>, nonce: Uint8Array): Uint8Array {
  const blocks = Array.from({ length: BLOCKS }, (_, i) =>
    concatBytes(Uint8Array.of(i + 1, 1), u16(51), Uint8Array.of(1), u16(48), new Uint8Array(48).fill(i + 1)),
  )
  const record = concatBytes(...blocks)
  const fields: Record<number, Uint8Array | null> = {
    3: utf8('550.1\0'),
    6: Uint8Array.of(0, 0x5e, 0, 0x96, 1, 0, 0, 0),
    11: Uint8Array.of(0x55),
    15: utf8('885\0'),
    17: utf8('G520\0'),
    18: utf8('0200\0'),
    20: FWID,
    36: Uint8Array.of(0, 0),
    ...changes,
  }
  const opaque = concatBytes(
    ...Object.entries(fields).flatMap(([type, bytes]) =>
      bytes === null ? [] : [u16(Number(type)), u16(bytes.length), bytes],
    ),
  )
  return concatBytes(
    Uint8Array.of(0x11, 0xe0, 1, 0xff),
    nonce,
    Uint8Array.of(0, 0x11, 0x60, 0, 0, BLOCKS),
    u16(record.length),
    Uint8Array.of(0),
    record,
    new Uint8Array(32).fill(0xdd),
    u16(opaque.length),
    opaque,
  )
}

const SWID = 'http://standards.iso.org/iso/19770/-2/2015/schema.xsd'
const SHA384 = 'http://www.w3.org/2001/04/xmlenc#sha384'
const DSIG = 'http://www.w3.org/2000/09/xmldsig#'
const NAMESPACES = `xmlns="${SWID}" xmlns:ns0="${SWID}" xmlns:ns2="${SHA384}"`
const SIGNED_INFO =
  '<ds:SignedInfo><ds:CanonicalizationMethod Algorithm="http://www.w3.org/2006/12/xml-c14n11"/><ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"/><ds:Reference URI=""><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/><ds:Transform Algorithm="http://www.w3.org/2006/12/xml-c14n11"/></ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#sha384"/><ds:DigestValue>%</ds:DigestValue></ds:Reference></ds:SignedInfo>'

/** SignedInfo as a document of its own, with the namespaces that hold where it stands. */
const inScope = (signedInfo: string): string =>
  signedInfo.replace('<ds:SignedInfo>', `<ds:SignedInfo ${NAMESPACES} xmlns:ds="${DSIG}">`)

function manifestText(label: string, version: string, values: Readonly<Record<number, readonly string[]>>): string {
  const resources = Object.entries(values).map(([index, alternatives]) => {
    const hashes = alternatives.map((byte, i) => `ns2:Hash${i}="${byte.repeat(48)}"`).join(' ')
    return `<ns0:Resource type="Measurement" index="${index}" active="True" alternatives="${alternatives.length}" ${hashes} name="M${index}" size="48"/>`
  })
  return `<SoftwareIdentity ${NAMESPACES} name="GH100" tagId="${label}">
  <ns0:Entity name="NVIDIA Corporation"/>
  <ns0:Meta xmlns:ns1="https://trustedcomputinggroup.org/resource/tcg-reference-integrity-manifest-rim-information-model/" colloquialVersion="${version}" product="GH100" PayloadType="direct" ns1:BindingSpec="RIMIM"/>
  <ns0:Payload>
    ${resources.join('\n    ')}
    <ns0:Resource type="Measurement" index="9" active="False" alternatives="1" ns2:Hash0="${'00'.repeat(48)}" name="M9" size="48"/>
  </ns0:Payload>
</SoftwareIdentity>
`
}
