/** Names, attributes and texts of what `parseXml` found, read where they stand. Browser-safe. */
import { isDeclaration, type Namespace, namespaceOf, type XmlDocument, type XmlElement } from './xml.ts'

/** Whether the element has this name in this namespace; empty for none. */
export const isNamed = ({ document, namespace, localFrom, nameTo }: XmlElement, uri: string, local: string): boolean =>
  isWord(document, localFrom, nameTo, local) && isUri(document, namespace, uri)

/** Without the prefix. */
export const localName = ({ document: { text }, localFrom, nameTo }: XmlElement): string =>
  text.slice(localFrom, nameTo)

/** What stands between the tags; null where elements do, or nothing. */
export function contentOf({ document, contentFrom, contentTo, children }: XmlElement): string | null {
  return children.length > 0 || contentFrom === contentTo ? null : document.text.slice(contentFrom, contentTo)
}

/** The value of the attribute with this name; null when it is absent. `uri` is empty for no namespace, `one` is left anywhere. */
export function attributeValue(
  element: XmlElement,
  local: string,
  uri = '',
  one = new AttributePlace(),
): string | null {
  const { document } = element
  for (let at = element.nameTo; one.readBehind(element, at); at = one.to)
    if (isWord(document, one.localFrom, one.nameTo, local) && isUri(document, one.namespace, uri))
      return document.text.slice(one.nameTo + 2, one.to - 1)
  return null
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

  /** Reads the first at or behind `at`, declarations left out; false when there is none. `parseXml` has seen that all are well formed. */
  readBehind({ document, attributesTo, namespaces }: XmlElement, at: number): boolean {
    const { bytes, text } = document
    this.to = at
    do {
      this.from = this.to
      while (this.from < attributesTo && (bytes[this.from] as number) <= SPACE) this.from++
      if (this.from === attributesTo) return false
      this.localFrom = this.from
      this.nameTo = this.from
      for (; bytes[this.nameTo] !== EQUALS; this.nameTo++)
        if (bytes[this.nameTo] === COLON) this.localFrom = this.nameTo + 1
      this.to = text.indexOf('"', this.nameTo + 2) + 1
    } while (isDeclaration(document, this.from, this.localFrom, this.nameTo))
    const hasPrefix = this.localFrom > this.from
    this.namespace = hasPrefix ? namespaceOf(bytes, namespaces, null, this.from, this.localFrom - 1) : null
    return true
  }
}

const SPACE = 0x20
const EQUALS = 0x3d
const COLON = 0x3a

const isWord = ({ text }: XmlDocument, from: number, to: number, word: string): boolean =>
  to - from === word.length && text.startsWith(word, from)

const isUri = (document: XmlDocument, namespace: Namespace | null, uri: string): boolean =>
  namespace === null ? uri === '' : isWord(document, namespace.uriFrom, namespace.uriTo, uri)
