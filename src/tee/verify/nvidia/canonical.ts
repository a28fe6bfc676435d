/**
 * Canonical XML 1.1 of what `parseXml` yields: the bytes that are hashed and signed. Inclusive, without comments. Little is
 * left to do, because the parser refuses all that would need escaping or normalising. Browser-safe.
 * Source: W3C "Canonical XML Version 1.1", sections 2.3 and 2.4.
 */
import { utf8 } from '../../../util/index.ts'
import type { XmlElement, XmlName } from './xml.ts'

/**
 * The canonical bytes of an element with its descendants, `omitted` left out. All namespaces that hold at the element are
 * written at it, whether it uses them or not: that is what "inclusive" means for a part of a document.
 */
export function canonicalXml(element: XmlElement, omitted: XmlElement | null = null): Uint8Array {
  const parts: string[] = []
  write(element, new Map(), omitted, parts)
  return utf8(parts.join(''))
}

function write(
  element: XmlElement,
  written: ReadonlyMap<string, string>,
  omitted: XmlElement | null,
  parts: string[],
): void {
  const name = qualified(element.name)
  parts.push('<', name)
  // An element that declares nothing has its parent's.
  const fresh =
    element.namespaces === written ? [] : [...element.namespaces].filter(([prefix, uri]) => written.get(prefix) !== uri)
  for (const [prefix, uri] of fresh.toSorted(([a], [b]) => order(a, b)))
    parts.push(' xmlns', prefix === '' ? '' : ':', prefix, '="', uri, '"')
  const attributes = element.attributes.toSorted(
    ({ name: a }, { name: b }) => order(a.uri, b.uri) || order(a.local, b.local),
  )
  for (const { name: one, value } of attributes) parts.push(' ', qualified(one), '="', value, '"')
  parts.push('>')
  for (const child of element.children) {
    if (typeof child === 'string') parts.push(child)
    else if (child !== omitted) write(child, element.namespaces, omitted, parts)
  }
  parts.push('</', name, '>')
}

const qualified = ({ prefix, local }: XmlName): string => (prefix === '' ? local : `${prefix}:${local}`)

/** By code point; names and URIs are ASCII here. */
const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
