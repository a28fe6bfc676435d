import { describe, expect, test } from 'vitest'
import { utf8 } from '../../../util/index.ts'
import { canonicalXml } from './canonical.ts'
import { MAX_XML_BYTES, parseXml, type XmlElement } from './xml.ts'
import { localName } from './xml-read.ts'

const canonical = (text: string): string => new TextDecoder().decode(canonicalXml(parseXml(utf8(text))))

describe('canonical XML', () => {
  test.each([
    ['an empty element gets an end tag', '<a/>', '<a></a>'],
    [
      'white space inside tags goes, between them stays',
      '<a  b="1"\n c="2" >\n <d />\t</a >',
      '<a b="1" c="2">\n <d></d>\t</a>',
    ],
    ['what follows the root goes', '<a/>\n\n', '<a></a>'],
    ['attributes are in order of name, capitals first', '<a b="" B="" _="" a=""/>', '<a B="" _="" a="" b=""></a>'],
    [
      'those without a namespace precede those with one, which are in order of the namespace, not of the prefix',
      '<a xmlns:z="urn:1" xmlns:y="urn:2" y:a="1" z:b="2" c="3"/>',
      '<a xmlns:y="urn:2" xmlns:z="urn:1" c="3" z:b="2" y:a="1"></a>',
    ],
    [
      'namespaces are in order of prefix, the default one first',
      '<b:a xmlns:b="urn:b" xmlns:a="urn:a" xmlns="urn:d"/>',
      '<b:a xmlns="urn:d" xmlns:a="urn:a" xmlns:b="urn:b"></b:a>',
    ],
    ['a repeated declaration goes', '<a xmlns="urn:d"><b xmlns="urn:d"/></a>', '<a xmlns="urn:d"><b></b></a>'],
    ['a changed one stays', '<a xmlns="urn:d"><b xmlns="urn:e"/></a>', '<a xmlns="urn:d"><b xmlns="urn:e"></b></a>'],
    ['an unused one stays', '<a xmlns:q="urn:q"/>', '<a xmlns:q="urn:q"></a>'],
  ])('%s', (_, text, due) => expect(canonical(text)).toBe(due))

  test('a part of a document carries all namespaces that hold there, used or not', () => {
    const root = parseXml(utf8('<a xmlns="urn:d" xmlns:u="urn:u"><b xmlns:v="urn:v"><c/></b></a>'))
    const b = root.children[0] as XmlElement
    expect(new TextDecoder().decode(canonicalXml(b))).toBe(
      '<b xmlns="urn:d" xmlns:u="urn:u" xmlns:v="urn:v"><c></c></b>',
    )
  })

  test('what is omitted leaves the text around it', () => {
    const root = parseXml(utf8('<a>1<b/>2<c/></a>'))
    expect(new TextDecoder().decode(canonicalXml(root, root.children[0] as XmlElement))).toBe('<a>12<c></c></a>')
  })

  test('the canonical form is its own', () => {
    const once = canonical('<a xmlns:z="urn:1" z:b="2"  c="3"><d xmlns="urn:e"/>text</a>')
    expect(canonical(once)).toBe(once)
  })
})

test.each([
  ['nothing', '', 0],
  ['a declaration', '<?xml version="1.0"?><a/>', 1],
  ['a document type', '<!DOCTYPE a><a/>', 1],
  ['a comment', '<a><!-- --></a>', 4],
  ['CDATA', '<a><![CDATA[x]]></a>', 4],
  ['an entity in text', '<a>&lt;</a>', 3],
  ['an entity in a value', '<a b="&#65;"/>', 4],
  ['a carriage return', '<a>\r</a>', 3],
  ['a character outside ASCII', '<a>é</a>', 3],
  ['single quotes', "<a b='1'/>", 4],
  ['a value with a line break', '<a b="1\n2"/>', 4],
  ['a bracket in text', '<a>></a>', 3],
  ['no space between attributes', '<a b="1"c="2"/>', 8],
  ['the same attribute twice', '<a b="1" b="2"/>', 0],
  ['the same attribute under two prefixes', '<a xmlns:p="urn:u" xmlns:q="urn:u" p:b="1" q:b="2"/>', 0],
  ['a prefix that is not declared', '<p:a/>', 0],
  ['an attribute’s prefix that is not declared', '<a p:b="1"/>', 3],
  ['an inherited attribute', '<a xml:lang="en"/>', 3],
  ['a declaration that takes one back', '<a xmlns=""/>', 3],
  ['a prefix of the standard', '<a xmlns:xml="urn:x"/>', 3],
  ['another end tag', '<a></b>', 5],
  ['no end tag', '<a>', 3],
  ['two roots', '<a/><b/>', 4],
  ['a colon without a name behind it', '<a b:="1"/>', 4],
  ['a name of three parts', '<a b:c:d="1"/>', 6],
  ['a prefix declared twice', '<a xmlns:p="urn:1" xmlns:p="urn:2"/>', 19],
  ['space before the root', ' <a/>', 0],
])('%s is refused where it stands', (_, text, offset) => {
  expect(() => parseXml(utf8(text))).toThrow(
    expect.objectContaining({ code: 'attestation.gpu-rim-format', info: expect.objectContaining({ offset }) }),
  )
})

test('depth, width, count and length have bounds', () => {
  const refused = (text: string): void =>
    expect(() => parseXml(utf8(text))).toThrow(expect.objectContaining({ code: 'attestation.gpu-rim-format' }))
  expect(localName(parseXml(utf8('<a>'.repeat(16) + '</a>'.repeat(16))))).toBe('a')
  refused('<a>'.repeat(17) + '</a>'.repeat(17))
  refused('<a>'.repeat(200_000))
  expect(parseXml(utf8(`<a>${'<b/>'.repeat(319)}</a>`)).children).toHaveLength(319)
  refused(`<a>${'<b/>'.repeat(320)}</a>`)
  refused(`<a ${Array.from({ length: 65 }, (_, i) => `b${i}=""`).join(' ')}/>`)
  const declared = (n: number): string => Array.from({ length: n }, (_, i) => ` xmlns:p${i}="urn:${i}"`).join('')
  expect(parseXml(utf8(`<a${declared(64)}/>`)).namespaces).not.toBeNull()
  refused(`<a${declared(60)}><b${declared(5)}/></a>`)
  refused(`<a>${' '.repeat(MAX_XML_BYTES)}</a>`)
})
