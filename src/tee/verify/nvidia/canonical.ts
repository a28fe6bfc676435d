/**
 * Canonical XML 1.1 of what `parseXml` yields: the bytes that are hashed and signed. Inclusive, without comments. Little is
 * left to do, because the parser refuses all that would need escaping or normalising. Browser-safe.
 * Source: W3C "Canonical XML Version 1.1", sections 2.3 and 2.4.
 */
import { type Namespace, namespaceOf, type XmlDocument, type XmlElement } from './xml.ts'
import { AttributePlace } from './xml-read.ts'

/**
 * The canonical bytes of an element with its descendants, `omitted` left out. All namespaces that hold at the element are
 * written at it, whether it uses them or not: that is what "inclusive" means for a part of a document.
 */
export function canonicalXml(element: XmlElement, omitted: XmlElement | null = null): Uint8Array {
  // Twice, so that the bytes are made once and in their length: first it is only counted.
  const counted = new Writer(element.document, new Uint8Array(0), omitted)
  counted.element(element, null)
  const written = new Writer(element.document, new Uint8Array(counted.length), omitted)
  written.element(element, null)
  return written.bytes
}

class Writer {
  readonly bytes: Uint8Array
  /** Of what was written, or would have been. */
  length = 0
  readonly #document: XmlDocument
  readonly #omitted: XmlElement | null
  /** Of the element that is being written; used again for the next one. */
  readonly #attributes: AttributePlace[] = []

  constructor(document: XmlDocument, bytes: Uint8Array, omitted: XmlElement | null) {
    this.bytes = bytes
    this.#document = document
    this.#omitted = omitted
  }

  /** `written` is the innermost namespace of those that were written around it. */
  element(element: XmlElement, written: Namespace | null): void {
    const { at, nameTo, contentFrom, contentTo, children, namespaces } = element
    this.#text(at, nameTo)
    if (namespaces !== written) this.#namespaces(namespaces, written)
    this.#writeAttributes(element)
    this.#word('>')
    let from = contentFrom
    // Counted: what iterates makes objects, which cold code would make for every element.
    for (let i = 0; i < children.length; i++) {
      const child = children[i] as XmlElement
      this.#text(from, child.at)
      if (child !== this.#omitted) this.element(child, namespaces)
      from = child.to
    }
    this.#text(from, contentTo)
    this.#word('</')
    this.#text(at + 1, nameTo)
    this.#word('>')
  }

  /** Those that hold here and are not written already, in order of prefix. */
  #namespaces(innermost: Namespace | null, written: Namespace | null): void {
    const { bytes } = this.#document
    const fresh: Namespace[] = []
    for (let one = innermost; one !== null; one = one.outer) {
      const { prefixFrom, prefixTo } = one
      // One that is declared again further in does not hold.
      if (namespaceOf(bytes, innermost, null, prefixFrom, prefixTo) !== one) continue
      if (namespaceOf(bytes, written, null, prefixFrom, prefixTo)?.uriFrom !== one.uriFrom) fresh.push(one)
    }
    fresh.sort((a, b) => order(bytes, a.prefixFrom, a.prefixTo, b.prefixFrom, b.prefixTo))
    for (const { prefixFrom, prefixTo, uriFrom, uriTo } of fresh) {
      this.#word(prefixFrom === prefixTo ? ' xmlns' : ' xmlns:')
      this.#text(prefixFrom, prefixTo)
      this.#word('="')
      this.#text(uriFrom, uriTo)
      this.#word('"')
    }
  }

  /** In order of namespace and local name. */
  #writeAttributes(element: XmlElement): void {
    const found = this.#attributes
    let count = 0
    for (let at = element.nameTo; ; count++) {
      const place = found[count] ?? new AttributePlace()
      found[count] = place
      if (!place.readBehind(element, at)) break
      at = place.to
      // In its place among those before it: a list to sort would be made anew for every element.
      for (let i = count; i > 0 && this.#order(found[i - 1] as AttributePlace, place) > 0; i--) {
        found[i] = found[i - 1] as AttributePlace
        found[i - 1] = place
      }
    }
    for (let i = 0; i < count; i++) {
      const { from, to } = found[i] as AttributePlace
      this.#word(' ')
      this.#text(from, to)
    }
  }

  #order(a: AttributePlace, b: AttributePlace): number {
    const { bytes } = this.#document
    const one = a.namespace
    const other = b.namespace
    const bySpace =
      one?.uriFrom === other?.uriFrom
        ? 0
        : order(bytes, one?.uriFrom ?? 0, one?.uriTo ?? 0, other?.uriFrom ?? 0, other?.uriTo ?? 0)
    return bySpace === 0 ? order(bytes, a.localFrom, a.nameTo, b.localFrom, b.nameTo) : bySpace
  }

  /** What stands between these offsets. */
  #text(from: number, to: number): void {
    const source = this.#document.bytes
    const { bytes } = this
    const isCounting = bytes.length === 0
    if (!isCounting) for (let i = 0; i < to - from; i++) bytes[this.length + i] = source[from + i] as number
    this.length += to - from
  }

  #word(word: string): void {
    if (this.bytes.length > 0) for (let i = 0; i < word.length; i++) this.bytes[this.length + i] = word.charCodeAt(i)
    this.length += word.length
  }
}

/** By code point; names and URIs are ASCII here. */
function order(bytes: Uint8Array, aFrom: number, aTo: number, bFrom: number, bTo: number): number {
  const common = Math.min(aTo - aFrom, bTo - bFrom)
  for (let i = 0; i < common; i++) {
    const difference = (bytes[aFrom + i] as number) - (bytes[bFrom + i] as number)
    if (difference !== 0) return difference
  }
  return aTo - aFrom - (bTo - bFrom)
}
