import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CocoonError } from '../util/index.ts'
import { MAX_HEAD_BYTES } from './http-client.ts'
import { ResponseReader } from './response-reader.ts'

interface Seen {
  status: number
  headers: readonly (readonly [string, string])[]
  body: string
  bodies: number
  /** Undefined before the end. */
  reusable: boolean | undefined
}

/** What one answer came to, fed in these pieces; its error's code where it is refused. */
function read(pieces: readonly string[], closed = false): Seen | string {
  const seen: Seen = { status: 0, headers: [], body: '', bodies: 0, reusable: undefined }
  const reader = new ResponseReader()
  reader.begin({
    head: ({ status, headers }) => void Object.assign(seen, { status, headers }),
    body(bytes) {
      seen.body += bytes.toString('latin1')
      seen.bodies++
    },
    end: (reusable) => void (seen.reusable = reusable),
  })
  try {
    for (const piece of pieces) reader.push(Buffer.from(piece, 'latin1'))
    if (closed) reader.close()
  } catch (error) {
    return (error as CocoonError).code
  }
  return seen
}

const whole = (text: string, closed = false): Seen | string => read([text], closed)
const chunked = (body: string): string => `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}`

describe('an answer', () => {
  test.each<[string, string, boolean, Partial<Seen>]>([
    ['of known length', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab', false, { body: 'ab', reusable: true }],
    ['without body', 'HTTP/1.1 204 No Content\r\n\r\n', false, { status: 204, body: '', reusable: true }],
    ['of length 0', 'HTTP/1.1 500 \r\ncontent-length: 0\r\n\r\n', false, { status: 500, reusable: true }],
    ['without reason', 'HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n', false, { status: 200, reusable: true }],
    ['until the end', 'HTTP/1.1 200 OK\r\n\r\nab', true, { body: 'ab', reusable: false }],
    ['of HTTP/1.0', 'HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nab', false, { body: 'ab', reusable: false }],
    [
      'that closes',
      'HTTP/1.1 200 OK\r\nconnection: x, Close\r\ncontent-length: 1\r\n\r\na',
      false,
      { body: 'a', reusable: false },
    ],
    ['in chunks', chunked('2\r\nab\r\n0A\r\n0123456789\r\n0\r\n\r\n'), false, { body: 'ab0123456789', reusable: true }],
    ['with extensions', chunked('1;a="b"\r\nx\r\n0 ;c\r\n\r\n'), false, { body: 'x', reusable: true }],
    ['with trailers', chunked('1\r\nx\r\n0\r\na: b\r\nc: d\r\n\r\n'), false, { body: 'x', reusable: true }],
    [
      'after interim ones',
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\na: b\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx',
      false,
      { status: 200, headers: [['content-length', '1']], body: 'x', reusable: true },
    ],
    [
      'with more behind it',
      'HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nxHTTP/1.1 200 OK',
      false,
      { body: 'x', reusable: false },
    ],
    ['in chunks with more behind', `${chunked('0\r\n\r\n')}x`, false, { body: '', reusable: false }],
    [
      'with white space around values and bytes above ASCII',
      'HTTP/1.1 200 \xe9\r\nA: \t \xff \r\nB:\r\ncontent-length:0\r\n\r\n',
      false,
      {
        headers: [
          ['A', '\xff'],
          ['B', ''],
          ['content-length', '0'],
        ],
      },
    ],
  ])('%s is read, cut anywhere', (_, text, closed, expected) => {
    expect(whole(text, closed)).toMatchObject(expected)
    if (expected.reusable === false && !closed) return
    // Whether more follows is only known of what comes together.
    expect(read(text.split(''), closed)).toMatchObject(expected)
    for (let at = 1; at < text.length; at++)
      expect(read([text.slice(0, at), text.slice(at)], closed)).toMatchObject(expected)
  })

  test('in many chunks comes as one piece a push', () => {
    const seen = whole(chunked(`${'3\r\nabc\r\n'.repeat(50)}0\r\n\r\n`))
    expect(seen).toMatchObject({ body: 'abc'.repeat(50), bodies: 1, reusable: true })
  })

  test('in any chunks, cut at random, is the body', () => {
    const texts = fc.array(fc.string({ minLength: 1, maxLength: 300, unit: 'binary-ascii' }), { maxLength: 12 })
    fc.assert(
      fc.property(texts, fc.array(fc.nat(), { maxLength: 8 }), (chunks, cuts) => {
        const text = chunked(`${chunks.map((c) => `${c.length.toString(16)}\r\n${c}\r\n`).join('')}0\r\n\r\n`)
        const places = [0, ...cuts.map((cut) => cut % text.length).toSorted((a, b) => a - b), text.length]
        const pieces = places.slice(1).map((end, i) => text.slice(places[i], end))
        expect(read(pieces)).toMatchObject({ body: chunks.join(''), reusable: true })
      }),
    )
  })
})

test.each([
  ['another protocol', 'SSH-2.0-x\r\n\r\n'],
  ['another version', 'HTTP/2.0 200 OK\r\n\r\n'],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
  ['a status above 599', 'HTTP/1.1 600 OK\r\n\r\n'],
  ['two spaces before the status', 'HTTP/1.1  200 OK\r\n\r\n'],
  ['a switch of protocols', 'HTTP/1.1 101 x\r\n\r\n'],
  ['a folded header', 'HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n'],
  ['a header without colon', 'HTTP/1.1 200 OK\r\nab\r\n\r\n'],
  ['a header without name', 'HTTP/1.1 200 OK\r\n: b\r\n\r\n'],
  ['white space before the colon', 'HTTP/1.1 200 OK\r\ncontent-length : 1\r\n\r\n'],
  ['a lone line feed in a header', 'HTTP/1.1 200 OK\r\na: b\nc: d\r\n\r\n'],
  ['a lone carriage return in a header', 'HTTP/1.1 200 OK\r\na: b\rc\r\n\r\n'],
  ['a null in a header', 'HTTP/1.1 200 OK\r\na: \0\r\n\r\n'],
  ['two framings', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n'],
  ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n'],
  ['a list of lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1, 1\r\n\r\n'],
  ['a signed length', 'HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\n'],
  ['a length in hex', 'HTTP/1.1 200 OK\r\ncontent-length: 0x1\r\n\r\n'],
  ['an empty length', 'HTTP/1.1 200 OK\r\ncontent-length:\r\n\r\n'],
  ['a huge length', 'HTTP/1.1 200 OK\r\ncontent-length: 9999999999999999\r\n\r\n'],
  ['another coding', 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n'],
  ['a coding twice', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n'],
  ['chunks in HTTP/1.0', 'HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n'],
  ['a chunk without size', chunked('\r\nx')],
  ['a size that is no number', chunked('zz\r\n')],
  ['a signed size', chunked('-1\r\n')],
  ['a size with a prefix', chunked('0x1\r\n')],
  ['a size above the limit', chunked('100000000\r\n')],
  ['a size ended by a line feed', chunked('1\nx\r\n')],
  ['a chunk longer than its size', chunked('1\r\nxy\r\n')],
  ['a chunk ended by a line feed', chunked('1\r\nx\n')],
  ['a line feed in an extension', chunked('1;a\n\r\nx')],
  ['an extension without end', chunked(`1;${'a'.repeat(300)}`)],
  ['a line feed in a trailer', chunked('0\r\na: b\n\r\n')],
  ['trailers without end', chunked(`0\r\n${'a: b\r\n'.repeat(3000)}`)],
  ['a head without end', `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(MAX_HEAD_BYTES / 6)}`],
  ['interim answers without end', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(MAX_HEAD_BYTES / 20)],
])('%s is refused, at once and byte by byte', (_, text) => {
  expect(whole(text)).toBe('engine.bad-answer')
  if (text.length < 1000) expect(read(text.split(''))).toBe('engine.bad-answer')
})

test.each([
  ['a status line', 'HTTP/1.1 20'],
  ['nothing', ''],
  ['half a body', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\na'],
  ['chunks without the last', chunked('1\r\nx\r\n')],
  ['a last chunk without its line', chunked('0\r\n')],
])('an end after %s is a cut', (_, text) => {
  expect(whole(text, true)).toBe('engine.cut-off')
})

test('bytes that nothing was asked for are refused, and answers follow each other', () => {
  const reader = new ResponseReader()
  expect(() => reader.push(Buffer.from('x'))).toThrow(expect.objectContaining({ code: 'engine.bad-answer' }))
  let ends = 0
  for (let i = 0; i < 3; i++) {
    reader.begin({ head() {}, body() {}, end: () => void ends++ })
    reader.push(Buffer.from(chunked('1\r\nx\r\n0\r\n\r\n')))
  }
  expect(ends).toBe(3)
})

test('whatever comes is an answer, an unfinished one, or refused by code', () => {
  const bits = fc.constantFrom('HTTP/1.1 200 OK', '\r\n', '\r\n\r\n', 'content-length: 3', 'transfer-encoding: chunked')
  const texts = fc.array(fc.oneof(bits, fc.string({ maxLength: 8, unit: 'binary-ascii' })), { maxLength: 12 })
  fc.assert(
    fc.property(texts, fc.boolean(), (pieces, closed) => {
      const seen = read(pieces, closed)
      if (typeof seen === 'string') expect(seen).toMatch(/^engine\.(bad-answer|cut-off)$/)
    }),
    { numRuns: 2000 },
  )
})
