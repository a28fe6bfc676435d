/**
 * Reference integrity manifests: SWID tags with an enveloped XML signature. Here, bytes to a value, without trust; nothing
 * but the one form that NVIDIA publishes is accepted. Browser-safe. Form: spec/attestation-snp-gpu.md, "Manifests".
 */
import { fromBase64 } from '../../../util/index.ts'
import { canonicalXml } from './canonical.ts'
import { manifestError, parseXml, type XmlElement } from './xml.ts'
import { attributeCount, AttributePlace, contentOf, findAttribute, isNamed, localName } from './xml-read.ts'

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

/** Throws `attestation.gpu-rim-format` with field and offset. */
export function parseManifest(bytes: Uint8Array): SignedManifest {
  const { root, meta, payload, signatureElement, signedInfo, ...read } = readManifest(bytes)
  const manifest: Manifest = {
    tagId: attributeOf(root, 'tagId'),
    product: attributeOf(meta, 'product'),
    version: attributeOf(meta, 'colloquialVersion'),
    values: valuesOf(payload),
  }
  return { manifest, ...read, content: canonicalXml(root, signatureElement), signed: canonicalXml(signedInfo) }
}

/** As strict, for those who only ask what the manifest is of: values and what is signed take as much memory as it has. Throws the same. */
export function parseManifestLabels(
  bytes: Uint8Array,
): Pick<Manifest, 'product' | 'version'> & Pick<SignedManifest, 'certificates'> {
  const { meta, certificates } = readManifest(bytes)
  return { product: attributeOf(meta, 'product'), version: attributeOf(meta, 'colloquialVersion'), certificates }
}

interface ReadManifest extends Omit<SignedManifest, 'manifest' | 'content' | 'signed'> {
  readonly root: XmlElement
  readonly meta: XmlElement
  /** Its values have been checked. */
  readonly payload: XmlElement
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
  needAttribute(root, 'tagId')
  needAttribute(meta, 'product')
  needAttribute(meta, 'colloquialVersion')
  checkValues(payload)
  if (attributeOf(meta, 'PayloadType') !== 'direct' || attributeOf(meta, 'BindingSpec', RIM) !== 'RIMIM')
    throw manifestError('Meta', meta.at, 'another payload or binding')
  return { root, meta, payload, signatureElement, ...readSignature(signatureElement) }
}

/** Where they stand: a manifest has hundreds of attributes, and not everybody wants their texts. */
function checkValues(payload: XmlElement): void {
  const place = new AttributePlace()
  const isSeen = new Uint8Array(MAX_INDEX + 1)
  let isTwice = false
  let anyActive = false
  for (const resource of elementsOf(payload)) {
    const index = checkValue(resource, place)
    isTwice ||= isSeen[index] === 1
    isSeen[index] = 1
    anyActive ||= isValue(resource, 'active', 'True', place)
  }
  if (isTwice) throw manifestError('Payload', payload.at, 'an index twice')
  if (!anyActive) throw manifestError('Payload', payload.at, 'nothing to compare')
}

/** Returns the index. */
function checkValue(resource: XmlElement, place: AttributePlace): number {
  is(resource, SWID, 'Resource')
  childrenOf(resource, 0)
  const hasState = isValue(resource, 'active', 'True', place) || isValue(resource, 'active', 'False', place)
  const count = numberOf(resource, 'alternatives', MAX_ALTERNATIVES, place)
  const hexDigits = 2 * numberOf(resource, 'size', MAX_VALUE_BYTES, place)
  if (!isValue(resource, 'type', 'Measurement', place) || !hasState || count === 0)
    throw manifestError('Resource', resource.at, 'another type, state or count')
  for (let i = 0; i < count; i++) {
    needAttribute(resource, `Hash${i}`, SHA384_ATTRIBUTES, place)
    if (place.valueTo - place.valueFrom !== hexDigits || !isHex(resource.document.bytes, place))
      throw manifestError(`Hash${i}`, resource.at, resource.document.slice(place.valueFrom, place.valueTo))
  }
  // type, index, active, alternatives, name, size: another attribute would be a condition that goes unseen.
  if (attributeCount(resource, place) !== 6 + count) throw manifestError('Resource', resource.at, 'unknown attributes')
  const index = numberOf(resource, 'index', MAX_INDEX, place)
  needAttribute(resource, 'name', '', place)
  return index
}

/** After `checkValues`. */
function valuesOf(payload: XmlElement): ReferenceValue[] {
  const place = new AttributePlace()
  const { text } = payload.document
  return payload.children.map((resource) => ({
    index: numberOf(resource, 'index', MAX_INDEX, place),
    name: attributeOf(resource, 'name', '', place),
    isActive: isValue(resource, 'active', 'True', place),
    alternatives: Array.from({ length: numberOf(resource, 'alternatives', MAX_ALTERNATIVES, place) }, (_, i) => {
      needAttribute(resource, `Hash${i}`, SHA384_ATTRIBUTES, place)
      const hex = text.slice(place.valueFrom, place.valueTo)
      return CAPITAL.test(hex) ? hex.toLowerCase() : hex
    }),
  }))
}

const CAPITAL = /[A-F]/

/** Up to four digits in the shortest form. */
function numberOf(resource: XmlElement, name: string, max: number, place: AttributePlace): number {
  needAttribute(resource, name, '', place)
  const { bytes } = resource.document
  const { valueFrom, valueTo } = place
  let number = 0
  let isNumber =
    valueTo > valueFrom && valueTo - valueFrom <= 4 && (bytes[valueFrom] !== ZERO || valueTo - valueFrom === 1)
  for (let at = valueFrom; at < valueTo && isNumber; at++) {
    const digit = (bytes[at] as number) - ZERO
    isNumber = digit >= 0 && digit <= 9
    number = number * 10 + digit
  }
  if (!isNumber || number > max) throw manifestError(name, resource.at, resource.document.slice(valueFrom, valueTo))
  return number
}

const ZERO = 0x30

/** Of either case. */
function isHex(bytes: Uint8Array, { valueFrom, valueTo }: AttributePlace): boolean {
  for (let at = valueFrom; at < valueTo; at++) {
    const byte = bytes[at] as number
    const letter = byte | 0x20
    if ((byte < ZERO || byte > 0x39) && (letter < 0x61 || letter > 0x66)) return false
  }
  return true
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

/** Moves `place` to it. */
function needAttribute(element: XmlElement, local: string, uri = '', place = new AttributePlace()): void {
  if (!findAttribute(element, local, uri, place)) throw manifestError(local, element.at, 'absent')
}

function attributeOf(element: XmlElement, local: string, uri = '', place = new AttributePlace()): string {
  needAttribute(element, local, uri, place)
  return element.document.slice(place.valueFrom, place.valueTo)
}

function isValue(element: XmlElement, local: string, word: string, place: AttributePlace): boolean {
  needAttribute(element, local, '', place)
  return element.document.isWord(word, place.valueFrom, place.valueTo)
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
