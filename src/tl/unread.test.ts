import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CocoonError } from '../util/index.ts'
import { decode, encode, httpRequest, httpRequestToPass, httpResponse, httpResponseToPass } from './index.ts'

const header = fc.record({ name: fc.string({ maxLength: 300 }), value: fc.string({ maxLength: 300 }) })
const latin1 = (h: { name: string; value: string }): boolean => !/[^\x00-\xff]/.test(h.name + h.value)
const headers = fc.array(header.filter(latin1), { maxLength: 20 })
const payload = fc.uint8Array({ maxLength: 300 })
const head = { httpVersion: 'HTTP/1.1', statusCode: 200, reason: 'OK' }
const line = { method: 'POST', url: '/', httpVersion: 'HTTP/1.1' }

const outcome = (run: () => unknown): unknown => {
  try {
    return run()
  } catch (error) {
    return (error as CocoonError).code
  }
}

describe('messages to pass on', () => {
  test('have the ids and lines of the ones that are read', () => {
    expect([httpRequestToPass.id, httpResponseToPass.id]).toEqual([httpRequest.id, httpResponse.id])
    expect([httpRequestToPass.line, httpResponseToPass.line]).toEqual([httpRequest.line, httpResponse.line])
  })

  test('encode to the bytes they came from, and with more headers to what a reader would write', () => {
    fc.assert(
      fc.property(headers, headers, payload, (before, more, body) => {
        const bytes = encode(httpResponse, { ...head, headers: before, payload: body })
        const passed = decode(httpResponseToPass, bytes)
        expect(encode(httpResponseToPass, passed)).toEqual(bytes)
        expect(encode(httpResponseToPass, { ...passed, headers: { ...passed.headers, more } })).toEqual(
          encode(httpResponse, { ...head, headers: [...before, ...more], payload: body }),
        )
      }),
    )
  })

  test('are refused for the same reason as by a reader, wherever a byte is wrong or missing', () => {
    fc.assert(
      fc.property(
        headers,
        payload,
        fc.nat(),
        fc.integer({ min: 0, max: 255 }),
        fc.boolean(),
        (hs, body, at, to, cut) => {
          const bytes = encode(httpRequest, { ...line, headers: hs, payload: body })
          const place = at % bytes.length
          if (!cut) bytes[place] = to
          const given = cut ? bytes.subarray(0, place) : bytes
          const read = outcome(() => decode(httpRequest, given).payload)
          expect(outcome(() => decode(httpRequestToPass, given).payload)).toEqual(read)
        },
      ),
      { numRuns: 500 },
    )
  })

  test('cannot grow beyond the number of headers that a message may have', () => {
    const many = Array.from({ length: 200 }, () => ({ name: 'a', value: 'b' }))
    const most = outcome(() =>
      encode(httpResponse, { ...head, headers: [...many, ...many], payload: new Uint8Array() }),
    )
    const passed = decode(
      httpResponseToPass,
      encode(httpResponse, { ...head, headers: many.slice(0, 50), payload: new Uint8Array() }),
    )
    const grown = { ...passed, headers: { ...passed.headers, more: Array.from({ length: 1000 }, () => many[0]) } }
    expect(outcome(() => encode(httpResponseToPass, grown as typeof passed))).toBe('tl.count')
    if (typeof most === 'string') expect(most).toBe('tl.count')
  })
})
