/** Names, attributes and texts of what `parseXml` found, read where they stand. Browser-safe. */
import { isDeclaration, type Namespace, namespaceOf, type XmlDocument, type XmlElement } from './xml.ts'

/** Whether the element has this name in this namespace; empty for none. */
export const isNamed = ({ document, namespace, localFrom, nameTo }: XmlElement, uri: string, local: string): boolean =>
  document.isWord(local, localFrom, nameTo) && isUri(document, namespace, uri)

/** Without the prefix. */
export const localName = ({ document, localFrom, nameTo }: XmlElement): string => document.slice(localFrom, nameTo)

/** What stands between the tags; null where elements do, or nothing. */
export function contentOf({ document, contentFrom, contentTo, children }: XmlElement): string | null {
  return children.length > 0 || contentFrom === contentTo ? null : document.slice(contentFrom, contentTo)
}

/** Moves `one` to the attribute with this name; false when it is absent. `uri` is empty for no namespace. */
export function findAttribute(element: XmlElement, local: string, uri: string, one: AttributePlace): boolean {
  const { document } = element
  for (let at = element.nameTo; one.readBehind(element, at); at = one.to)
    if (document.isWord(local, one.localFrom, one.nameTo) && isUri(document, one.namespace, uri)) return true
  return false
}

/** Without declarations of namespaces. */
export function attributeCount(element: XmlElement, one = new AttributePlace()): number {
  let count = 0
  for (let at = element.nameTo; one.readBehind(element, at); at = one.to) count++
  return count
}

/** Where an attribute stands. Moves on, so that one object goes through them all. All numbers are offsets. */
export class AttributePlace {
  /** Of the name. */
  from = 0
  localFrom = 0
  nameTo = 0
  /** Behind the quote. */
  to = 0
  /** Of the name; null for none. */
  namespace: Namespace | null = null

  /** Between the quotes. */
  get valueFrom(): number {
    return this.nameTo + 2
  }

  get valueTo(): number {
    return this.to - 1
  }

  /** Reads the first at or behind `at`, declarations left out; false when there is none. `parseXml` has seen that all are well formed. */
  readBehind({ document, attributesTo, namespaces }: XmlElement, at: number): boolean {
    const { bytes } = document
    this.to = at
    do {
      this.from = this.to
      while (this.from < attributesTo && (bytes[this.from] as number) <= SPACE) this.from++
      if (this.from === attributesTo) return false
      this.localFrom = this.from
      this.nameTo = this.from
      for (; bytes[this.nameTo] !== EQUALS; this.nameTo++)
        if (bytes[this.nameTo] === COLON) this.localFrom = this.nameTo + 1
      this.to = bytes.indexOf(QUOTE, this.nameTo + 2) + 1
    } while (isDeclaration(document, this.from, this.localFrom, this.nameTo))
    const hasPrefix = this.localFrom > this.from
    this.namespace = hasPrefix ? namespaceOf(bytes, namespaces, null, this.from, this.localFrom - 1) : null
    return true
  }
}

const SPACE = 0x20
const QUOTE = 0x22
const EQUALS = 0x3d
const COLON = 0x3a

const isUri = (document: XmlDocument, namespace: Namespace | null, uri: string): boolean =>
  namespace === null ? uri === '' : document.isWord(uri, namespace.uriFrom, namespace.uriTo)
