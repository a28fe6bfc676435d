import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  addMembers,
  applyEdits,
  createDocumentScanner,
  cutMember,
  findMember,
  findMembers,
  INVALID,
  MORE,
} from './json-scan.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (b: Uint8Array): string => Buffer.from(b).toString()

function valueOf(json: string, name: string): string | undefined {
  const member = findMember(bytes(json), name)
  return member && text(bytes(json).subarray(member.valueStart, member.valueEnd))
}

describe('findMembers', () => {
  test.each([
    ['{"usage":null}', 'null'],
    ['{"a":1,"usage":{"b":[1,{"}":"]"}]}}', '{"b":[1,{"}":"]"}]}'],
    ['{"content":"\\"usage\\":1","usage":2}', '2'],
    ['{"content":"usage","usage":3}', '3'],
    ['{"deep":{"usage":1},"list":["usage",{"usage":2}]}', undefined],
    ['{"us\\u0061ge":4}', '4'],
    [' {\r\n\t"usage" :\n 5 } ', '5'],
    ['{"usage":1,"usage":2}', '2'],
    ['{"a":"\\\\","usage":-1.5e+3}', '-1.5e+3'],
    ['{"usages":1,"usag":2}', undefined],
    ['{}', undefined],
  ])('%s has usage %s at its top level', (json, value) => {
    expect(valueOf(json, 'usage')).toBe(value)
  })

  test.each([
    '',
    '[]',
    '"usage"',
    '{"usage":1',
    '{"usage":',
    '{"usage"',
    '{usage:1}',
    '{"usage":1 2}',
    '{"usage":"1',
    '{,}',
  ])('what is not one complete object has no members: %s', (json) => {
    expect(findMembers(bytes(json), ['usage'])).toBeUndefined()
  })

  test('every member of any object is found where JSON.parse has it', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom(0, 1, 2), (object, indent) => {
        const json = bytes(JSON.stringify(object, null, indent))
        for (const [name, value] of Object.entries(object)) {
          // Names are ASCII by contract.
          if (!/^[\x20-\x7e]+$/.test(name)) continue
          const member = findMember(json, name)
          expect(member).toBeDefined()
          if (member)
            expect(JSON.stringify(JSON.parse(text(json.subarray(member.valueStart, member.valueEnd))))).toBe(
              JSON.stringify(value),
            )
        }
      }),
    )
  })

  test('a member cut out of any object leaves the others', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.stringMatching(/^[a-z]{1,4}$/), fc.jsonValue(), { minKeys: 1 }),
        fc.nat(),
        fc.constantFrom(0, 2),
        (object, pick, indent) => {
          const names = Object.keys(object)
          const name = names[pick % names.length] as string
          const json = bytes(JSON.stringify(object, null, indent))
          const member = findMember(json, name)
          if (member === undefined) throw new Error('not found')
          const { [name]: _, ...rest } = object
          expect(JSON.stringify(JSON.parse(text(applyEdits(json, [cutMember(json, member)]))))).toBe(
            JSON.stringify(rest),
          )
        },
      ),
    )
  })

  test('members are added to empty and to filled objects', () => {
    for (const [json, out] of [
      ['{ }', '{ "b":1}'],
      ['{"a":0}', '{"a":0,"b":1}'],
    ] as const) {
      const scan = findMembers(bytes(json), [])
      if (scan === undefined) throw new Error('not an object')
      expect(text(applyEdits(bytes(json), [addMembers(bytes(json), scan.open, scan.close, '"b":1')]))).toBe(out)
    }
  })

  test('a megabyte of opening brackets is scanned without recursion', () => {
    expect(findMember(bytes(`{"a":${'['.repeat(1 << 20)}`), 'a')).toBeUndefined()
  })
})

describe('createDocumentScanner', () => {
  /** The documents of a stream cut into chunks of `size`. */
  function split(stream: Uint8Array, size: number): string[] {
    const scanner = createDocumentScanner()
    const out: string[] = []
    let from = 0
    for (let chunk = 0; chunk < stream.length; chunk += size) {
      const part = stream.subarray(chunk, chunk + size)
      for (let at = 0, end = scanner.scan(part, 0); end >= 0; at = end, end = scanner.scan(part, at)) {
        out.push(text(stream.subarray(from, chunk + end)).trim())
        from = chunk + end
      }
    }
    if (scanner.mayEnd) out.push(text(stream.subarray(from)).trim())
    return out
  }

  test('concatenated documents are told apart wherever the chunks are cut', () => {
    const nested = fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.array(fc.jsonValue()), fc.string())
    const spaced = fc.tuple(
      fc.oneof(nested, fc.integer(), fc.boolean(), fc.constant(null)),
      fc.constantFrom('\n', ' ', '\r\n'),
    )
    fc.assert(
      fc.property(fc.array(spaced, { minLength: 1 }), fc.integer({ min: 1, max: 20 }), (documents, size) => {
        const stream = bytes(documents.map(([value, space]) => JSON.stringify(value) + space).join(''))
        expect(split(stream, size)).toEqual(documents.map(([value]) => JSON.stringify(value)))
      }),
    )
  })

  test('objects need nothing between them', () => {
    for (const size of [1, 2, 3, 100])
      expect(split(bytes('{"a":"}{"}{"b":[]}[1]"x"7'), size)).toEqual(['{"a":"}{"}', '{"b":[]}', '[1]', '"x"', '7'])
  })

  test.each(['<html>', 'data: {}', 'Not found', '}', 'null<', '1:2'])('%s is no JSON, and stays so', (stream) => {
    const scanner = createDocumentScanner()
    expect(scanner.scan(bytes(stream), 0)).toBe(INVALID)
    expect(scanner.scan(bytes('{}'), 0)).toBe(INVALID)
  })

  test('inside a document it is not between documents', () => {
    const scanner = createDocumentScanner()
    expect(scanner.scan(bytes(' \n'), 0)).toBe(MORE)
    expect(scanner.between).toBe(true)
    expect(scanner.scan(bytes('{"a"'), 0)).toBe(MORE)
    expect([scanner.between, scanner.mayEnd]).toEqual([false, false])
  })
})
