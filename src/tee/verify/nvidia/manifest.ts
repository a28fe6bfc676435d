/**
 * Reference integrity manifests: SWID tags with an enveloped XML signature. Here, bytes to a value, without trust; nothing
 * but the one form that NVIDIA publishes is accepted. Browser-safe. Form: spec/attestation-snp-gpu.md, "Manifests".
 */
import { fromBase64 } from '../../../util/index.ts'
import { canonicalXml } from './canonical.ts'
import { manifestError, parseXml, type XmlElement } from './xml.ts'
import { attributeCount, AttributePlace, attributeValue, contentOf, isNamed, localName } from './xml-read.ts'

export interface ReferenceValue {
  /** 0 is measurement block 1. */
  readonly index: number
  readonly name: string
  /** Only active values are compared. */
  readonly isActive: boolean
  /** Lower-case hex; the GPU must show one of them. */
  readonly alternatives: readonly string[]
}

export interface Manifest {
  readonly tagId: string
  /** `GH100`. */
  readonly product: string
  /** Of the driver or of the VBIOS, as the report writes it. */
  readonly version: string
  readonly values: readonly ReferenceValue[]
}

/** A manifest and what its signature is about. */
export interface SignedManifest {
  readonly manifest: Manifest
  /** The document without its signature, canonical: what the digest is of. */
  readonly content: Uint8Array
  /** SHA-384, 48 bytes, as the signature states it. */
  readonly contentDigest: Uint8Array
  /** SignedInfo, canonical: what is signed. */
  readonly signed: Uint8Array
  /** r ‖ s, 48 bytes each. */
  readonly signature: Uint8Array
  /** DER, signer first. */
  readonly certificates: readonly Uint8Array[]
}

const SWID = 'http://standards.iso.org/iso/19770/-2/2015/schema.xsd'
const SHA384_ATTRIBUTES = 'http://www.w3.org/2001/04/xmlenc#sha384'
const RIM = 'https://trustedcomputinggroup.org/resource/tcg-reference-integrity-manifest-rim-information-model/'
const DSIG = 'http://www.w3.org/2000/09/xmldsig#'
const CANONICAL_XML = 'http://www.w3.org/2006/12/xml-c14n11'
const ENVELOPED = 'http://www.w3.org/2000/09/xmldsig#enveloped-signature'
const ECDSA_SHA384 = 'http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384'
const SHA384 = 'http://www.w3.org/2001/04/xmldsig-more#sha384'

/** Measurement blocks have an index of one byte. */
const MAX_INDEX = 254
/** Real manifests have up to four. */
const MAX_ALTERNATIVES = 64
const MAX_VALUE_BYTES = 1024
/** The signer, two authorities, the root; one more for good measure. */
const MAX_CERTIFICATES = 5

const NUMBER = /^(?:0|[1-9]\d{0,3})$/
const HEX = /^[0-9a-fA-F]*$/
const CAPITAL = /[A-F]/

/** Throws `attestation.gpu-rim-format` with field and offset. */
export function parseManifest(bytes: Uint8Array): SignedManifest {
  const { root, signatureElement, signedInfo, ...read } = readManifest(bytes)
  return { ...read, content: canonicalXml(root, signatureElement), signed: canonicalXml(signedInfo) }
}

/** As strict as `parseManifest`, for those who do not verify: what is signed takes as much memory as all the rest. Throws the same. */
export function parseManifestLabels(bytes: Uint8Array): Pick<SignedManifest, 'manifest' | 'certificates'> {
  const { manifest, certificates } = readManifest(bytes)
  return { manifest, certificates }
}

interface ReadManifest extends Omit<SignedManifest, 'content' | 'signed'> {
  readonly root: XmlElement
  readonly signatureElement: XmlElement
  readonly signedInfo: XmlElement
}

function readManifest(bytes: Uint8Array): ReadManifest {
  const root = parseXml(bytes)
  is(root, SWID, 'SoftwareIdentity')
  const [entity, meta, payload, signatureElement] = childrenOf(root, 4)
  is(entity, SWID, 'Entity')
  is(meta, SWID, 'Meta')
  is(payload, SWID, 'Payload')
  is(signatureElement, DSIG, 'Signature')
  const manifest: Manifest = {
    tagId: attributeOf(root, 'tagId'),
    product: attributeOf(meta, 'product'),
    version: attributeOf(meta, 'colloquialVersion'),
    values: readValues(payload),
  }
  if (attributeOf(meta, 'PayloadType') !== 'direct' || attributeOf(meta, 'BindingSpec', RIM) !== 'RIMIM')
    throw manifestError('Meta', meta.at, 'another payload or binding')
  return { root, signatureElement, manifest, ...readSignature(signatureElement) }
}

function readValues(payload: XmlElement): ReferenceValue[] {
  // One for all: a manifest has hundreds of attributes.
  const place = new AttributePlace()
  const values = elementsOf(payload).map((resource) => readValue(resource, place))
  if (new Set(values.map((value) => value.index)).size < values.length)
    throw manifestError('Payload', payload.at, 'an index twice')
  if (!values.some((value) => value.isActive)) throw manifestError('Payload', payload.at, 'nothing to compare')
  return values
}

function readValue(resource: XmlElement, place: AttributePlace): ReferenceValue {
  is(resource, SWID, 'Resource')
  childrenOf(resource, 0)
  const active = attributeOf(resource, 'active', '', place)
  const count = numberOf(resource, 'alternatives', MAX_ALTERNATIVES, place)
  const hexDigits = 2 * numberOf(resource, 'size', MAX_VALUE_BYTES, place)
  const type = attributeOf(resource, 'type', '', place)
  if (type !== 'Measurement' || (active !== 'True' && active !== 'False') || count === 0)
    throw manifestError('Resource', resource.at, 'another type, state or count')
  const alternatives = Array.from<string>({ length: count })
  for (let i = 0; i < count; i++) {
    const hex = attributeOf(resource, `Hash${i}`, SHA384_ATTRIBUTES, place)
    if (hex.length !== hexDigits || !HEX.test(hex)) throw manifestError(`Hash${i}`, resource.at, hex)
    alternatives[i] = CAPITAL.test(hex) ? hex.toLowerCase() : hex
  }
  // type, index, active, alternatives, name, size: another attribute would be a condition that goes unseen.
  if (attributeCount(resource, place) !== 6 + count) throw manifestError('Resource', resource.at, 'unknown attributes')
  return {
    index: numberOf(resource, 'index', MAX_INDEX, place),
    name: attributeOf(resource, 'name', '', place),
    isActive: active === 'True',
    alternatives,
  }
}

function numberOf(resource: XmlElement, name: string, max: number, place: AttributePlace): number {
  const text = attributeOf(resource, name, '', place)
  if (!NUMBER.test(text) || Number(text) > max) throw manifestError(name, resource.at, text)
  return Number(text)
}

function readSignature(
  signature: XmlElement,
): Pick<ReadManifest, 'signedInfo' | 'contentDigest' | 'signature' | 'certificates'> {
  const [signedInfo, value, keyInfo] = childrenOf(signature, 3)
  is(signedInfo, DSIG, 'SignedInfo')
  const [canonicalization, method, reference] = childrenOf(signedInfo, 3)
  isAlgorithm(canonicalization, 'CanonicalizationMethod', CANONICAL_XML)
  isAlgorithm(method, 'SignatureMethod', ECDSA_SHA384)
  is(reference, DSIG, 'Reference')
  // The empty URI is the whole document: there is nothing to wrap, and nothing outside it is read.
  if (attributeOf(reference, 'URI') !== '' || attributeCount(reference) !== 1)
    throw manifestError('Reference', reference.at, 'not the whole document')
  const [transforms, digestMethod, digest] = childrenOf(reference, 3)
  is(transforms, DSIG, 'Transforms')
  const [first, second] = childrenOf(transforms, 2)
  isAlgorithm(first, 'Transform', ENVELOPED)
  isAlgorithm(second, 'Transform', CANONICAL_XML)
  isAlgorithm(digestMethod, 'DigestMethod', SHA384)
  is(keyInfo, DSIG, 'KeyInfo')
  const [x509] = childrenOf(keyInfo, 1)
  is(x509, DSIG, 'X509Data')
  const certificates = elementsOf(x509)
  if (certificates.length === 0 || certificates.length > MAX_CERTIFICATES)
    throw manifestError('X509Data', x509.at, `${certificates.length} certificates`)
  return {
    signedInfo,
    contentDigest: base64Of(digest, 'DigestValue', 48),
    signature: base64Of(value, 'SignatureValue', 96),
    certificates: certificates.map((one) => base64Of(one, 'X509Certificate', null)),
  }
}

function is(element: XmlElement, uri: string, local: string): void {
  if (!isNamed(element, uri, local)) throw manifestError(local, element.at, localName(element))
}

function isAlgorithm(element: XmlElement, local: string, algorithm: string): void {
  is(element, DSIG, local)
  childrenOf(element, 0)
  if (attributeOf(element, 'Algorithm') !== algorithm || attributeCount(element) !== 1)
    throw manifestError(local, element.at, 'another algorithm')
}

/** The children; text between them may be white space only. */
function elementsOf(element: XmlElement): readonly XmlElement[] {
  if (element.hasText) throw manifestError(localName(element), element.at, 'text')
  return element.children
}

type Tuple<N extends number> = N extends 0
  ? readonly []
  : N extends 1
    ? readonly [XmlElement]
    : N extends 2
      ? readonly [XmlElement, XmlElement]
      : N extends 3
        ? readonly [XmlElement, XmlElement, XmlElement]
        : readonly [XmlElement, XmlElement, XmlElement, XmlElement]

function childrenOf<N extends 0 | 1 | 2 | 3 | 4>(element: XmlElement, count: N): Tuple<N> {
  const children = elementsOf(element)
  if (children.length !== count) throw manifestError(localName(element), element.at, `${children.length} children`)
  return children as unknown as Tuple<N>
}

function attributeOf(element: XmlElement, local: string, uri = '', place = new AttributePlace()): string {
  const value = attributeValue(element, local, uri, place)
  if (value === null) throw manifestError(local, element.at, 'absent')
  return value
}

/** The bytes of an element with Base64, lines allowed; `bytes` of them where that is known. */
function base64Of(element: XmlElement, local: string, bytes: number | null): Uint8Array {
  is(element, DSIG, local)
  const text = contentOf(element)
  if (text === null || attributeCount(element) !== 0) throw manifestError(local, element.at, 'no text')
  const base64 = text.replaceAll('\n', '')
  const isWhole = base64.length > 0 && base64.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(base64)
  const decoded = isWhole ? fromBase64(base64) : null
  if (decoded === null || (bytes !== null && decoded.length !== bytes)) throw manifestError(local, element.at, 'Base64')
  return decoded
}
