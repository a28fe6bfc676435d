import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type FormPart, parseForm, utf8, writeForm } from './index.ts'

const TYPE = 'multipart/form-data; boundary=XyZ'
const form = (text: string): Uint8Array => utf8(text.replaceAll('\n', '\r\n'))
const ONE = '--XyZ\nContent-Disposition: form-data; name="a"\n\nvalue\n--XyZ--\n'

describe('a form', () => {
  test('is read as other libraries write it', async () => {
    const data = new FormData()
    data.append('model', 'whisper')
    data.append('file', new File([new Uint8Array([1, 13, 10, 45, 45, 255])], 'a b.wav', { type: 'audio/wav' }))
    const request = new Request('http://x', { method: 'POST', body: data })
    const read = parseForm(await request.bytes(), request.headers.get('content-type') ?? '')
    expect(read.parts).toEqual([
      { name: 'model', value: utf8('whisper') },
      { name: 'file', fileName: 'a b.wav', contentType: 'audio/wav', value: new Uint8Array([1, 13, 10, 45, 45, 255]) },
    ])
  })

  test('is written so that other libraries read it', async () => {
    const parts: FormPart[] = [
      { name: 'model', value: utf8('whisper') },
      { name: 'file', fileName: 'a.wav', contentType: 'audio/wav', value: new Uint8Array([0, 13, 10, 255]) },
    ]
    const body = writeForm({ boundary: 'XyZ', parts })
    const data = await new Response(new Uint8Array(body), { headers: { 'content-type': TYPE } }).formData()
    expect(data.get('model')).toBe('whisper')
    const file = data.get('file') as File
    expect([file.name, file.type]).toEqual(['a.wav', 'audio/wav'])
    expect(await file.bytes()).toEqual(new Uint8Array([0, 13, 10, 255]))
  })

  test('comes back the same after writing and reading, whatever bytes it holds', () => {
    const part = fc.record({ name: fc.stringMatching(/^[a-z]{1,9}$/), value: fc.uint8Array({ maxLength: 60 }) })
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), (parts) => {
        expect(parseForm(writeForm({ boundary: 'XyZ', parts }), TYPE).parts).toEqual(parts)
      }),
    )
  })

  test.each([
    ['quotes around the boundary', 'multipart/form-data; boundary="XyZ"'],
    ['another parameter before it', 'multipart/form-data; charset=utf-8; boundary=XyZ'],
  ])('may have %s', (_what, type) => {
    expect(parseForm(form(ONE), type).parts).toHaveLength(1)
  })

  test.each([
    ['another media type', form(ONE), 'application/json; boundary=XyZ'],
    ['no boundary', form(ONE), 'multipart/form-data'],
    ['a boundary that needs escaping', form(ONE), 'multipart/form-data; boundary="a b"'],
    ['something before the first boundary', form(`x${ONE}`), TYPE],
    ['an end without dashes', form(ONE.replace('--XyZ--', '--XyZ\n')), TYPE],
    ['something behind a boundary', form(ONE.replace('--XyZ\n', '--XyZ x\n')), TYPE],
    ['a part without a name', form(ONE.replace('name="a"', 'title="a"')), TYPE],
    ['a part without headers', form('--XyZ\nvalue\n--XyZ--\n'), TYPE],
    ['headers without end', form(`--XyZ\n${'x: y\n'.repeat(600)}\nvalue\n--XyZ--\n`), TYPE],
    ['too many parts', form(`${ONE.slice(0, -8).repeat(65)}--XyZ--\n`), TYPE],
    ['nothing in it', new Uint8Array(), TYPE],
  ])('with %s is refused', (_what, body, type) => {
    expect(() => parseForm(body, type)).toThrow(expect.objectContaining({ code: 'request.bad-form' }))
  })

  test('that is cut off anywhere before its end is refused', () => {
    const whole = form(ONE)
    for (let length = 0; length < whole.length - 2; length++)
      expect(() => parseForm(whole.subarray(0, length), TYPE)).toThrow(
        expect.objectContaining({ code: 'request.bad-form' }),
      )
  })
})
