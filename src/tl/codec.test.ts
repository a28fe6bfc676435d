/** The encoding of single types, in bytes. */
import { describe, expect, expectTypeOf, test } from 'vitest'
import { toHex } from '../util/index.ts'
import {
  bytes,
  clientQueryAnswerPartEx,
  type clientRunQueryEx,
  type ClientToProxyQuery,
  constructorId,
  ctor,
  decode,
  decodeOneOf,
  encode,
  encodeUnion,
  httpRequest,
  int,
  latin1,
  long,
  sizeOf,
  string,
  stringSize,
  tcpPacket,
  tcpPackets,
  tcpPing,
  type ValueOf,
  vector,
} from './index.ts'

const text = ctor('t.text', { value: string({ max: 70_000 }) }, 't.T')
const http = ctor('t.http', { value: latin1({ max: 70_000 }) }, 't.T')
const raw = ctor('t.raw', { value: bytes({ max: 70_000 }) }, 't.T')
const ints = ctor('t.ints', { value: vector(int, { max: 10 }) }, 't.T')
const wide = ctor('t.wide', { value: long }, 't.T')

/** The fields alone, in hex. */
const hexOf = (encoded: Uint8Array): string => toHex(encoded.subarray(4))

describe('strings and bytes', () => {
  test.each([
    ['', '00000000'],
    ['a', '01610000'],
    ['abc', '03616263'],
    ['abcd', '0461626364000000'],
    ['é€😀', '09c3a9e282acf09f98800000'],
    ['\ufeffa', '04efbbbf61000000'],
    ['a\0b', '03610062'],
  ])('the text %j is %s', (value, hex) => {
    expect(hexOf(encode(text, { value }))).toBe(hex)
    expect(decode(text, encode(text, { value })).value).toBe(value)
  })

  test('the prefix has one byte up to 253 and four from 254 on', () => {
    expect(hexOf(encode(text, { value: 'a'.repeat(253) })).slice(0, 4)).toBe('fd61')
    expect(hexOf(encode(text, { value: 'a'.repeat(254) })).slice(0, 10)).toBe('fefe000061')
    expect(hexOf(encode(text, { value: 'a'.repeat(65_793) })).slice(0, 10)).toBe('fe01010161')
    expect([0, 3, 4, 252, 253, 254, 256, 257].map(stringSize)).toEqual([4, 4, 8, 256, 256, 260, 260, 264])
  })

  test('a text of HTTP has a byte a character, and none of its bytes is lost', () => {
    const every = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join('')
    expect(hexOf(encode(http, { value: '\xe9\xff' }))).toBe('02e9ff00')
    for (const value of [every.slice(240), every, every.repeat(100)])
      expect(decode(http, encode(http, { value })).value).toBe(value)
  })

  test('decoded bytes are a view of the input and a plain Uint8Array, also of a Buffer', () => {
    const wire = Buffer.from(encode(raw, { value: new Uint8Array([1, 2, 3]) }))
    const { value } = decode(raw, wire)
    expect(Object.getPrototypeOf(value)).toBe(Uint8Array.prototype)
    expect(value.buffer).toBe(wire.buffer)
    wire[5] = 9
    expect([...value]).toEqual([9, 2, 3])
  })
})

describe('numbers', () => {
  test('ints and longs are little-endian two’s complement', () => {
    expect(hexOf(encode(ints, { value: [1, -1, -0x8000_0000] }))).toBe('0300000001000000ffffffff00000080')
    expect(hexOf(encode(wide, { value: -2n }))).toBe('feffffffffffffff')
    expect(decode(wide, encode(wide, { value: -(2n ** 63n) })).value).toBe(-(2n ** 63n))
  })
})

describe('objects', () => {
  const requestId = new Uint8Array(32).fill(7)

  test('an optional field is there exactly while its bit is set, and absent otherwise, not undefined', () => {
    const part = { requestId, answer: new Uint8Array(), flags: 0 }
    const decoded = decode(clientQueryAnswerPartEx, encode(clientQueryAnswerPartEx, part))
    expect(Object.keys(decoded)).toEqual(['_', 'requestId', 'answer', 'flags'])
  })

  test('flag bits that nobody knows survive a round trip', () => {
    const part = { requestId, answer: new Uint8Array(), flags: 0x4000_0f00 }
    expect(decode(clientQueryAnswerPartEx, encode(clientQueryAnswerPartEx, part)).flags).toBe(0x4000_0f00)
  })

  test('the id can be read without the rest, and says which member of a union it is', () => {
    const ping = encode(tcpPing, { id: 5n })
    expect(constructorId(ping)).toBe(tcpPing.id)
    expect(decodeOneOf(tcpPackets, ping)).toEqual({ _: 'tcp.ping', id: 5n })
    expect(encodeUnion(tcpPackets, { _: 'tcp.ping', id: 5n })).toEqual(ping)
    expect(sizeOf(tcpPing, { id: 5n })).toBe(ping.length)
  })

  test('memory from a caller’s allocator is asked for once, in the exact size, and its old content is overwritten', () => {
    const asked: number[] = []
    const used = (byteCount: number): Uint8Array => {
      asked.push(byteCount)
      return new Uint8Array(byteCount).fill(0xee)
    }
    const part = { requestId, answer: new Uint8Array([1]), flags: 0 }
    const wire = encode(clientQueryAnswerPartEx, part)
    expect(encode(clientQueryAnswerPartEx, part, used)).toEqual(wire)
    expect(encodeUnion(tcpPackets, { _: 'tcp.packet', data: wire }, used)).toEqual(encode(tcpPacket, { data: wire }))
    expect(asked).toEqual([wire.length, wire.length + 8])
  })

  test('a payload as large as a frame allows goes through, and one byte more is refused', () => {
    const data = new Uint8Array(16_777_208)
    expect(sizeOf(tcpPacket, { data })).toBe(16_777_216)
    expect(() => sizeOf(tcpPacket, { data: new Uint8Array(16_777_209) })).toThrow(
      expect.objectContaining({ code: 'tl.too-long' }),
    )
  })

  test('many headers of the longest kind cost no more than their bytes', () => {
    const headers = Array.from({ length: 200 }, () => ({ name: 'n'.repeat(1024), value: 'v'.repeat(65_536) }))
    const request = { method: 'GET', url: '/', httpVersion: 'HTTP/1.1', headers, payload: new Uint8Array() }
    expect(decode(httpRequest, encode(httpRequest, request)).headers).toEqual(headers)
  })
})

test('the types of values follow from the definitions', () => {
  expectTypeOf<ValueOf<typeof tcpPing>>().toEqualTypeOf<{ readonly _: 'tcp.ping'; readonly id: bigint }>()
  expectTypeOf<ValueOf<typeof clientRunQueryEx>['publicKey']>().toEqualTypeOf<Uint8Array | undefined>()
  expectTypeOf<ClientToProxyQuery['_']>().toEqualTypeOf<
    | 'client.connectToProxy'
    | 'client.authorizeWithProxyShort'
    | 'client.authorizeWithProxyLong'
    | 'client.updatePaymentStatus'
    | 'client.getWorkerTypes'
    | 'client.getWorkerTypesV2'
    | 'client.requestRefund'
  >()
})
