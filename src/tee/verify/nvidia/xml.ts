/**
 * The part of XML that NVIDIA's manifests use, and no more: elements, attributes in double quotes, text in ASCII. No
 * declaration, document type, entity, reference, comment, instruction or CDATA: what is not here cannot be abused. Every
 * refusal names its offset. Browser-safe. Form: spec/attestation-snp-gpu.md, "The XML of manifests".
 */
import type { CocoonError } from '../../../util/index.ts'
import { evidenceError } from '../../quote/evidence-reader.ts'
import { GPU_ERRORS } from '../../quote/nvidia-errors.ts'

export interface XmlName {
  /** Empty for none. */
  readonly prefix: string
  readonly local: string
  /** The namespace; empty for none. */
  readonly uri: string
}

export interface XmlAttribute {
  readonly name: XmlName
  readonly value: string
}

export interface XmlElement {
  readonly name: XmlName
  /** Without namespace declarations. */
  readonly attributes: readonly XmlAttribute[]
  /** All that hold here, by prefix; the default one under the empty prefix. */
  readonly namespaces: ReadonlyMap<string, string>
  readonly children: readonly (XmlElement | string)[]
  /** Where its `<` stands. */
  readonly at: number
}

/** Manifests have 21 kB and some 80 elements, four deep and eleven attributes wide. */
export const MAX_XML_BYTES = 256 * 1024
const MAX_ELEMENTS = 2048
const MAX_DEPTH = 16
const MAX_ATTRIBUTES = 64

const SPACE = /[ \t\n]+/y
const NAME = /(?:[A-Za-z_][A-Za-z0-9_.-]*:)?[A-Za-z_][A-Za-z0-9_.-]*/y
/** Printable ASCII without what would need escaping, so that the canonical form is the text itself. */
const VALUE = /="[ !#-%'-;=?-~]*"/y
const TEXT = /[\t\n -%'-;=?-~]+/y

/** A refusal as `attestation.gpu-rim-format` with field and offset. */
export function manifestError(field: string, at: number, found?: string): CocoonError {
  return evidenceError('attestation.gpu-rim-format', GPU_ERRORS['attestation.gpu-rim-format'], field, at, found)
}

/** The root element; white space may follow it, nothing may precede it. Throws `attestation.gpu-rim-format`. */
export function parseXml(bytes: Uint8Array): XmlElement {
  if (bytes.length > MAX_XML_BYTES) throw manifestError('length', MAX_XML_BYTES, `${bytes.length} bytes`)
  const odd = bytes.findIndex((b) => b >= 0x7f || (b < 0x20 && b !== 0x0a && b !== 0x09))
  if (odd >= 0) throw manifestError('characters', odd, 'outside printable ASCII')
  const parser = new Parser(new TextDecoder().decode(bytes))
  return parser.document()
}

class Parser {
  readonly #text: string
  #at = 0
  #elements = 0

  constructor(text: string) {
    this.#text = text
  }

  document(): XmlElement {
    const root = this.#element(new Map(), 1)
    this.#match(SPACE)
    if (this.#at < this.#text.length) throw manifestError('document', this.#at, 'something behind the root')
    return root
  }

  #element(outer: ReadonlyMap<string, string>, depth: number): XmlElement {
    const at = this.#at
    if (depth > MAX_DEPTH) throw manifestError('depth', at, `more than ${MAX_DEPTH}`)
    if (++this.#elements > MAX_ELEMENTS) throw manifestError('elements', at, `more than ${MAX_ELEMENTS}`)
    this.#expect('<')
    const written = this.#name()
    const { attributes, declared } = this.#attributes()
    const namespaces = declared.size === 0 ? outer : new Map([...outer, ...declared])
    const name = resolve(written, namespaces, true, at)
    const resolved = attributes.map(({ name: one, value, at: where }) => ({
      name: resolve(one, namespaces, false, where),
      value,
    }))
    if (hasRepetition(resolved)) throw manifestError('attribute', at, 'twice')
    if (this.#skip('/>')) return { name, attributes: resolved, namespaces, children: [], at }
    this.#expect('>')
    const children: (XmlElement | string)[] = []
    while (!this.#skip('</')) {
      const textAt = this.#at
      const isText = this.#match(TEXT)
      children.push(isText ? this.#text.slice(textAt, this.#at) : this.#element(namespaces, depth + 1))
    }
    const endAt = this.#at
    const end = this.#name()
    if (end.prefix !== written.prefix || end.local !== written.local) throw manifestError('end tag', endAt, textOf(end))
    this.#match(SPACE)
    this.#expect('>')
    return { name, attributes: resolved, namespaces, children, at }
  }

  #attributes(): { attributes: Written[]; declared: Map<string, string> } {
    const attributes: Written[] = []
    const declared = new Map<string, string>()
    while (this.#match(SPACE)) {
      const at = this.#at
      if (this.#text[at] === '>' || this.#text[at] === '/') break
      const name = this.#name()
      const valueAt = this.#at
      if (!this.#match(VALUE)) throw manifestError('attribute', this.#at, textOf(name))
      // Without the equals sign and the quotes.
      const value = this.#text.slice(valueAt + 2, this.#at - 1)
      if (attributes.length + declared.size === MAX_ATTRIBUTES)
        throw manifestError('attributes', at, `more than ${MAX_ATTRIBUTES}`)
      const declares = name.prefix === 'xmlns' ? name.local : name.prefix === '' && name.local === 'xmlns' ? '' : null
      if (declares === null) attributes.push({ name, value, at })
      else {
        if (value === '' || /^xml/i.test(declares) || declared.has(declares))
          throw manifestError('namespace', at, textOf(name))
        declared.set(declares, value)
      }
    }
    return { attributes, declared }
  }

  #name(): WrittenName {
    const at = this.#at
    if (!this.#match(NAME)) throw manifestError('name', at)
    const written = this.#text.slice(at, this.#at)
    const colon = written.indexOf(':')
    return { prefix: colon === -1 ? '' : written.slice(0, colon), local: written.slice(colon + 1) }
  }

  /** Whether it stands here; then it is passed. Nothing is made of what it matched. */
  #match(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at
    if (!pattern.test(this.#text)) return false
    this.#at = pattern.lastIndex
    return true
  }

  #skip(what: string): boolean {
    if (!this.#text.startsWith(what, this.#at)) return false
    this.#at += what.length
    return true
  }

  #expect(what: string): void {
    if (!this.#skip(what)) throw manifestError('markup', this.#at, `no ${what}`)
  }
}

interface WrittenName {
  readonly prefix: string
  readonly local: string
}

interface Written {
  readonly name: WrittenName
  readonly value: string
  readonly at: number
}

/** At most 64, which need no set. */
const hasRepetition = (attributes: readonly { readonly name: XmlName }[]): boolean =>
  attributes.some(({ name }, i) =>
    attributes.some((other, j) => j < i && other.name.local === name.local && other.name.uri === name.uri),
  )

const textOf = ({ prefix, local }: WrittenName): string => (prefix === '' ? local : `${prefix}:${local}`)

/** An attribute without a prefix is in no namespace; an element without one is in the default namespace. */
function resolve(
  { prefix, local }: WrittenName,
  namespaces: ReadonlyMap<string, string>,
  isElement: boolean,
  at: number,
): XmlName {
  // `xml:` attributes are inherited by what is signed; the manifests have none.
  if (/^xml/i.test(prefix) || /^xmlns$/i.test(local)) throw manifestError('name', at, textOf({ prefix, local }))
  const uri = prefix === '' && !isElement ? '' : namespaces.get(prefix)
  if (uri === undefined && prefix !== '') throw manifestError('prefix', at, prefix)
  return { prefix, local, uri: uri ?? '' }
}
