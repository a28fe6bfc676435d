import { describe, expect, test } from 'vitest'
import { readBody, routeOf } from './request.ts'

test.each([
  ['POST', 'http://cocoon/v1/chat/completions?a=1', { to: 'inference', path: '/v1/chat/completions' }],
  ['POST', 'https://a:1/v1/embeddings', { to: 'inference', path: '/v1/embeddings' }],
  ['GET', 'http://cocoon/v1/models', { to: 'models' }],
  ['POST', 'http://cocoon/v1/files', { to: 'batches' }],
  ['DELETE', 'http://cocoon/v1/files/file-1', { to: 'batches' }],
  ['POST', 'http://cocoon/v1/batches/batch_1/cancel', { to: 'batches' }],
  ['GET', 'http://cocoon/v1/models/org%2Fname', { to: 'model', id: 'org/name' }],
  ['GET', 'http://cocoon/v1/models/org/name', { to: 'model', id: 'org/name' }],
])('%s %s is recognised', (method, url, route) => {
  expect(routeOf(method, url)).toEqual(route)
})

test.each([
  ['GET', 'http://cocoon/v1/chat/completions', 'request.method-not-allowed'],
  ['POST', 'http://cocoon/v1/models', 'request.method-not-allowed'],
  ['POST', 'http://cocoon/chat/completions', 'request.not-found'],
  ['POST', 'http://cocoon/v1/filesystem', 'request.not-found'],
  ['POST', 'http://cocoon/v1/v1/chat/completions', 'request.not-found'],
  ['GET', 'http://cocoon/v1/models/%ff', 'request.unknown-model'],
])('%s %s is refused with %s', (method, url, code) => {
  expect(() => routeOf(method, url)).toThrow(expect.objectContaining({ code }))
})

describe('a body', () => {
  const request = (body: RequestInit['body'], type = 'application/json'): Request =>
    new Request('http://cocoon/v1/embeddings', {
      method: 'POST',
      body: body ?? null,
      headers: { 'content-type': type },
      duplex: 'half',
    })
  const endless = (onCancel = (): void => undefined): ReadableStream<Uint8Array> =>
    new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(1000)), cancel: onCancel })

  test('of several pieces is read whole', async () => {
    const pieces = ['{"a"', ':', '1}'].map((text) => new TextEncoder().encode(text))
    const body = await readBody(request(ReadableStream.from(pieces)), 100, undefined)
    expect(Buffer.from(body).toString()).toBe('{"a":1}')
  })

  test('is read up to the limit and no further', async () => {
    let cancelled = false
    const reading = readBody(request(endless(() => void (cancelled = true))), 5000, undefined)
    await expect(reading).rejects.toMatchObject({ code: 'request.too-large' })
    expect(cancelled).toBe(true)
  })

  test('that never comes is given up with the signal’s reason', async () => {
    const abort = new AbortController()
    const reading = readBody(request(new ReadableStream({})), 100, abort.signal)
    const why = new Error('enough')
    abort.abort(why)
    await expect(reading).rejects.toBe(why)
  })

  test.each(['text/plain', 'application/jsonp', 'multipart/form-data'])('sent as %s is refused', async (type) => {
    const reading = readBody(request('{}', type), 100, undefined)
    await expect(reading).rejects.toMatchObject({ code: 'request.unsupported-media' })
  })

  test('sent compressed is refused', async () => {
    const compressed = request('{}')
    compressed.headers.set('content-encoding', 'gzip')
    await expect(readBody(compressed, 100, undefined)).rejects.toMatchObject({ code: 'request.unsupported-media' })
  })
})
