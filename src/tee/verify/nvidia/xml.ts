/**
 * The part of XML that NVIDIA's manifests use, and no more: elements, attributes in double quotes, text in ASCII. No
 * declaration, document type, entity, reference, comment, instruction or CDATA: what is not here cannot be abused. Every
 * refusal names its offset. Elements say where things stand in the text, and names, values and texts are read there when
 * somebody asks (xml-read.ts): a manifest is read with little more memory than itself. Browser-safe.
 * Form: spec/attestation-snp-gpu.md, "The XML of manifests".
 */
import type { CocoonError } from '../../../util/index.ts'
import { evidenceError } from '../../quote/evidence-reader.ts'
import { GPU_ERRORS } from '../../quote/nvidia-errors.ts'

/** ASCII throughout, so that a byte's offset is a character's. */
export class XmlDocument {
  readonly bytes: Uint8Array
  #text: string | null = null

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  /** All of it: made when it is asked for first, so that who reads little makes little. */
  get text(): string {
    this.#text ??= new TextDecoder().decode(this.bytes)
    return this.#text
  }

  slice(from: number, to: number): string {
    return this.#text?.slice(from, to) ?? new TextDecoder().decode(this.bytes.subarray(from, to))
  }

  /** Whether `word` stands here. */
  has(word: string, at: number): boolean {
    for (let i = 0; i < word.length; i++) if (this.bytes[at + i] !== word.charCodeAt(i)) return false
    return true
  }

  /** Whether `word`, and no more, stands between these offsets. */
  isWord(word: string, from: number, to: number): boolean {
    return to - from === word.length && this.has(word, from)
  }
}

/** `xmlns:prefix="uri"`, and what is declared around it. All are offsets. */
export interface Namespace {
  /** An empty prefix for the default namespace. */
  readonly prefixFrom: number
  readonly prefixTo: number
  /** Where this URI is written first: of those that hold at one place, the same ones have the same number here. */
  readonly uriFrom: number
  readonly uriTo: number
  readonly outer: Namespace | null
}

/** All numbers are offsets. */
export interface XmlElement {
  readonly document: XmlDocument
  /** Of its `<`. */
  readonly at: number
  /** Without the prefix. */
  readonly localFrom: number
  readonly nameTo: number
  /** Of the bracket, or the slash, that ends the start tag. */
  readonly attributesTo: number
  /** Of its name; null for none. */
  readonly namespace: Namespace | null
  /** The innermost of those that hold here. */
  readonly namespaces: Namespace | null
  /** Between the tags; both are 0 where there is one tag. */
  readonly contentFrom: number
  readonly contentTo: number
  /** Behind the end tag, or behind the start tag where that ends the element. */
  readonly to: number
  readonly children: readonly XmlElement[]
  /** Other than white space, between the children. */
  readonly hasText: boolean
}

/** Manifests have 21 kB and some 80 elements, four deep and eleven attributes wide. */
export const MAX_XML_BYTES = 256 * 1024
/** 255 measurements, which is what an index of one byte can tell apart, and what stands around them. */
const MAX_ELEMENTS = 320
const MAX_DEPTH = 16
const MAX_ATTRIBUTES = 64
/** Real manifests declare up to six. */
const MAX_NAMESPACES = 64

/** A refusal as `attestation.gpu-rim-format` with field and offset. */
export function manifestError(field: string, at: number, found?: string): CocoonError {
  return evidenceError('attestation.gpu-rim-format', GPU_ERRORS['attestation.gpu-rim-format'], field, at, found)
}

/** The root element; white space may follow it, nothing may precede it. Throws `attestation.gpu-rim-format`. */
export function parseXml(bytes: Uint8Array): XmlElement {
  if (bytes.length > MAX_XML_BYTES) throw manifestError('length', MAX_XML_BYTES, `${bytes.length} bytes`)
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number
    if (byte >= 0x7f || (byte < 0x20 && byte !== 0x0a && byte !== 0x09))
      throw manifestError('characters', at, 'outside printable ASCII')
  }
  return new Parser(new XmlDocument(bytes)).document()
}

/** What a character may be part of. */
const NAME_START = 1
const NAME_PART = 2
const VALUE = 4
const TEXT = 8
const SPACE = 16
const KINDS = Uint8Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code)
  return (
    (/[A-Za-z_]/.test(character) ? NAME_START : 0) |
    (/[A-Za-z0-9_.-]/.test(character) ? NAME_PART : 0) |
    // Printable ASCII without what would need escaping, so that the canonical form is the text itself.
    (/[ !#-%'-;=?-~]/.test(character) ? VALUE : 0) |
    (/[\t\n -%'-;=?-~]/.test(character) ? TEXT : 0) |
    (/[ \t\n]/.test(character) ? SPACE : 0)
  )
})
const COLON = 0x3a
const SLASH = 0x2f
const GREATER = 0x3e
const NO_CHILDREN: readonly XmlElement[] = []

class Parser {
  readonly #document: XmlDocument
  readonly #bytes: Uint8Array
  /** Of the start tag that is being read, for each attribute: where it begins, its local name, the end of that, and its namespace. */
  readonly #froms = new Uint32Array(MAX_ATTRIBUTES)
  readonly #locals = new Uint32Array(MAX_ATTRIBUTES)
  readonly #tos = new Uint32Array(MAX_ATTRIBUTES)
  readonly #spaces: (Namespace | null)[] = []
  #attributeCount = 0
  /** Of the name that was read last: where it begins behind its prefix. */
  #local = 0
  #at = 0
  #elementCount = 0
  #namespaceCount = 0

  constructor(document: XmlDocument) {
    this.#document = document
    this.#bytes = document.bytes
  }

  document(): XmlElement {
    const root = this.#element(null, 1)
    this.#skip(SPACE)
    if (this.#at < this.#bytes.length) throw manifestError('document', this.#at, 'something behind the root')
    return root
  }

  #element(outer: Namespace | null, depth: number): XmlElement {
    const at = this.#at
    if (depth > MAX_DEPTH) throw manifestError('depth', at, `more than ${MAX_DEPTH}`)
    if (++this.#elementCount > MAX_ELEMENTS) throw manifestError('elements', at, `more than ${MAX_ELEMENTS}`)
    this.#expect('<')
    const nameFrom = this.#at
    this.#name()
    const localFrom = this.#local
    const nameTo = this.#at
    const namespaces = this.#attributes(outer)
    const attributesTo = this.#at
    const namespace = this.#resolve(nameFrom, localFrom, nameTo, namespaces, at, true)
    this.#resolveAttributes(namespaces, at)
    let children = NO_CHILDREN
    let hasText = false
    let contentFrom = 0
    let contentTo = 0
    if (!this.#take('/>')) {
      this.#expect('>')
      contentFrom = this.#at
      const found: XmlElement[] = []
      while (!this.#take('</')) {
        const textAt = this.#at
        if (this.#skip(TEXT)) hasText ||= !this.#isAll(SPACE, textAt, this.#at)
        else found.push(this.#element(namespaces, depth + 1))
      }
      contentTo = this.#at - 2
      children = found
      this.#endTag(nameFrom, nameTo)
    }
    return {
      document: this.#document,
      at,
      localFrom,
      nameTo,
      attributesTo,
      namespace,
      namespaces,
      contentFrom,
      contentTo,
      to: this.#at,
      children,
      hasText,
    }
  }

  /** The rest of a tag that must name what is between these offsets. */
  #endTag(nameFrom: number, nameTo: number): void {
    const at = this.#at
    this.#name()
    if (!isSameText(this.#bytes, nameFrom, nameTo, at, this.#at))
      throw manifestError('end tag', at, this.#textOf(at, this.#at))
    this.#skip(SPACE)
    this.#expect('>')
  }

  /** Reads those of a start tag. Returns the innermost namespace that holds behind them. */
  #attributes(outer: Namespace | null): Namespace | null {
    const bytes = this.#bytes
    let namespaces = outer
    let declared = 0
    this.#attributeCount = 0
    while (this.#skip(SPACE)) {
      const at = this.#at
      if (bytes[at] === GREATER || bytes[at] === SLASH) break
      this.#name()
      const local = this.#local
      const nameTo = this.#at
      this.#value(at)
      if (this.#attributeCount + declared === MAX_ATTRIBUTES)
        throw manifestError('attributes', at, `more than ${MAX_ATTRIBUTES}`)
      if (isDeclaration(this.#document, at, local, nameTo)) {
        namespaces = this.#declare(at, local, nameTo, namespaces, outer)
        declared++
      } else {
        const i = this.#attributeCount++
        this.#froms[i] = at
        this.#locals[i] = local
        this.#tos[i] = nameTo
      }
    }
    return namespaces
  }

  /** The attribute at `at` with its value, up to here, is a declaration; `outer` are those around the element. */
  #declare(at: number, local: number, nameTo: number, inner: Namespace | null, outer: Namespace | null): Namespace {
    const bytes = this.#bytes
    // `xmlns="…"` declares the empty prefix.
    const prefixFrom = local === at ? nameTo : local
    const uriFrom = nameTo + 2
    const uriTo = this.#at - 1
    const isRepeated = namespaceOf(bytes, inner, outer, prefixFrom, nameTo) !== null
    if (uriFrom === uriTo || beginsWithXml(bytes, prefixFrom, nameTo) || isRepeated)
      throw manifestError('namespace', at, this.#textOf(at, nameTo))
    if (++this.#namespaceCount > MAX_NAMESPACES) throw manifestError('namespaces', at, `more than ${MAX_NAMESPACES}`)
    let same = inner
    while (same !== null && !isSameText(bytes, uriFrom, uriTo, same.uriFrom, same.uriTo)) same = same.outer
    const uri = same ?? { uriFrom, uriTo }
    return { prefixFrom, prefixTo: nameTo, uriFrom: uri.uriFrom, uriTo: uri.uriTo, outer: inner }
  }

  #resolveAttributes(namespaces: Namespace | null, elementAt: number): void {
    for (let i = 0; i < this.#attributeCount; i++) {
      const from = this.#froms[i] as number
      this.#spaces[i] = this.#resolve(from, this.#locals[i] as number, this.#tos[i] as number, namespaces, from, false)
    }
    // At most 64, which need no set.
    for (let i = 1; i < this.#attributeCount; i++)
      for (let j = 0; j < i; j++) if (this.#isSameName(i, j)) throw manifestError('attribute', elementAt, 'twice')
  }

  #isSameName(i: number, j: number): boolean {
    const from = this.#locals[i] as number
    const to = this.#tos[i] as number
    return (
      this.#spaces[i]?.uriFrom === this.#spaces[j]?.uriFrom &&
      isSameText(this.#bytes, from, to, this.#locals[j] as number, this.#tos[j] as number)
    )
  }

  /** The namespace of the name at `from`. An attribute without a prefix is in none; an element without one is in the default one. */
  #resolve(
    from: number,
    local: number,
    to: number,
    namespaces: Namespace | null,
    at: number,
    isElement: boolean,
  ): Namespace | null {
    const bytes = this.#bytes
    const prefixTo = local === from ? from : local - 1
    // `xml:` attributes are inherited by what is signed; the manifests have none.
    if (beginsWithXml(bytes, from, prefixTo) || isXmlns(bytes, local, to))
      throw manifestError('name', at, this.#textOf(from, to))
    if (prefixTo === from && !isElement) return null
    const found = namespaceOf(bytes, namespaces, null, from, prefixTo)
    if (found === null && prefixTo > from) throw manifestError('prefix', at, this.#textOf(from, prefixTo))
    return found
  }

  /** Passes a name, with or without a prefix. */
  #name(): void {
    const from = this.#at
    this.#local = from
    if (!this.#part()) throw manifestError('name', from)
    if (this.#bytes[this.#at] !== COLON) return
    const colon = this.#at++
    if (this.#part()) this.#local = colon + 1
    // The colon is none of the name, then, and the next to read will refuse it.
    else this.#at = colon
  }

  #part(): boolean {
    if ((this.#kind() & NAME_START) === 0) return false
    this.#skip(NAME_PART)
    return true
  }

  /** Passes `="…"`; the attribute begins at `from`. */
  #value(from: number): void {
    const at = this.#at
    if (this.#take('="')) {
      this.#skip(VALUE)
      if (this.#take('"')) return
    }
    throw manifestError('attribute', at, this.#textOf(from, at))
  }

  #kind(): number {
    return KINDS[this.#bytes[this.#at] as number] ?? 0
  }

  /** Passes what is of this kind; whether there was any. */
  #skip(kind: number): boolean {
    const from = this.#at
    while ((this.#kind() & kind) !== 0) this.#at++
    return this.#at > from
  }

  #isAll(kind: number, from: number, to: number): boolean {
    for (let at = from; at < to; at++) if (((KINDS[this.#bytes[at] as number] as number) & kind) === 0) return false
    return true
  }

  #take(what: string): boolean {
    if (!this.#document.has(what, this.#at)) return false
    this.#at += what.length
    return true
  }

  #expect(what: string): void {
    if (!this.#take(what)) throw manifestError('markup', this.#at, `no ${what}`)
  }

  #textOf(from: number, to: number): string {
    return this.#document.slice(from, to)
  }
}

/** The declaration of a prefix, from the innermost on, without those from `until` on; null when there is none. */
export function namespaceOf(
  bytes: Uint8Array,
  innermost: Namespace | null,
  until: Namespace | null,
  prefixFrom: number,
  prefixTo: number,
): Namespace | null {
  for (let one = innermost; one !== null && one !== until; one = one.outer)
    if (isSameText(bytes, one.prefixFrom, one.prefixTo, prefixFrom, prefixTo)) return one
  return null
}

/** Whether the attribute whose name stands here declares a namespace: `xmlns` or `xmlns:prefix`. */
export const isDeclaration = (document: XmlDocument, from: number, local: number, to: number): boolean =>
  document.isWord('xmlns', from, local === from ? to : local - 1)

export function isSameText(bytes: Uint8Array, aFrom: number, aTo: number, bFrom: number, bTo: number): boolean {
  if (aTo - aFrom !== bTo - bFrom) return false
  for (let i = 0; i < aTo - aFrom; i++) if (bytes[aFrom + i] !== bytes[bFrom + i]) return false
  return true
}

/** In either case; so is `isXmlns`. */
const beginsWithXml = (bytes: Uint8Array, from: number, to: number): boolean =>
  to - from >= 3 && lower(bytes, from) === 0x78 && lower(bytes, from + 1) === 0x6d && lower(bytes, from + 2) === 0x6c

const isXmlns = (bytes: Uint8Array, from: number, to: number): boolean =>
  to - from === 5 &&
  beginsWithXml(bytes, from, to) &&
  lower(bytes, from + 3) === 0x6e &&
  lower(bytes, from + 4) === 0x73

/** Of a letter in a name. */
const lower = (bytes: Uint8Array, at: number): number => (bytes[at] as number) | 0x20
