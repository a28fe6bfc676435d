import { describe, expect, test } from 'vitest'
import { Address } from '../../chain/index.ts'
import type { HttpRequest, WorkerCompareBalanceWithProxyResult } from '../../tl/index.ts'
import { writeForm } from '../../util/index.ts'
import { type KnownProxy, receive, type SessionInput, type SessionView, type WorkerSession } from './session.ts'
import { validateRequest } from './validate.ts'

describe('the session with a proxy', () => {
  const contract = new Address(0, Buffer.alloc(32, 1))
  const ownContract = new Address(0, Buffer.alloc(32, 2))
  const proxy: KnownProxy = { publicKey: new Uint8Array(32), contract, ownContract, version: 4 }
  const view: SessionView = {
    isTest: true,
    versions: { min: 1, max: 4 },
    contracts: () => ({ contract, ownContract }),
    remembered: () => ({ chain: 10n, db: 20n, max: 30n }),
    paymentTotal: (payment) => (payment._ === 'proxy.signedPayment' ? 10n : 0n),
  }
  const registered = (params: object = {}): SessionInput => ({
    got: 'registered',
    workerScAddress: 'UQw',
    params: {
      flags: 3,
      proxyPublicKey: new Uint8Array(32),
      proxyOwnerAddress: 'UQ',
      proxyScAddress: 'UQ',
      isTest: true,
      protoVersion: 4,
      ...params,
    },
  })
  const compared = (result: Partial<WorkerCompareBalanceWithProxyResult> = {}): SessionInput => ({
    got: 'compared',
    result: {
      _: 'worker.compareBalanceWithProxyResult',
      signedPayment: { _: 'proxy.signedPayment', data: new Uint8Array() },
      tokensCommittedToDb: 20n,
      maxTokens: 30n,
      errorCode: 0,
      ...result,
    },
  })

  test('registers, compares what it remembers, completes and serves', () => {
    const [one, ask] = receive({ at: 'registering' }, registered(), view)
    expect(ask).toEqual([{ do: 'compare', remembered: { chain: 10n, db: 20n, max: 30n } }])
    const [two, next] = receive(one, compared(), view)
    expect(next.map((e) => e.do)).toEqual(['remember', 'complete'])
    expect(receive(two, { got: 'completed' }, view)).toMatchObject([{ at: 'ready' }, [{ do: 'serve' }]])
  })

  test('goes through the second comparison when the proxy is behind', () => {
    const [one, effects] = receive({ at: 'comparing', proxy }, compared({ errorCode: 1 }), view)
    expect(effects.map((e) => e.do)).toEqual(['remember', 'compare-again'])
    expect(receive(one, { got: 'compared-again' }, view)).toMatchObject([{ at: 'finishing' }, [{ do: 'complete' }]])
  })

  test.each([
    ['an old form of introduction', { at: 'registering' }, registered({ flags: 0 })],
    ['the other kind of network', { at: 'registering' }, registered({ isTest: false })],
    ['a version that was not offered', { at: 'registering' }, registered({ protoVersion: 5 })],
    ['a version below what was offered', { at: 'registering' }, registered({ protoVersion: undefined })],
    [
      'a signed total below the remembered one',
      { at: 'comparing', proxy },
      compared({ signedPayment: { _: 'proxy.signedPaymentEmpty' } }),
    ],
    ['a written total below the remembered one', { at: 'comparing', proxy }, compared({ tokensCommittedToDb: 19n })],
    ['an unknown verdict', { at: 'comparing', proxy }, compared({ errorCode: 2 })],
    ['an answer out of turn', { at: 'registering' }, { got: 'completed' }],
  ] as const)('%s ends it', (_, session, input) => {
    expect(receive(session as WorkerSession, input as SessionInput, view)[0].at).toBe('closed')
  })
})

describe('a request', () => {
  const request = (body: unknown, over: Partial<HttpRequest> = {}): HttpRequest => ({
    _: 'http.request',
    method: 'POST',
    url: '/v1/chat/completions',
    httpVersion: 'HTTP/1.1',
    headers: [],
    payload: new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body)),
    ...over,
  })
  const good = { model: 'm', messages: [] }
  const deep = `{"model":"m","messages":${'['.repeat(200)}${']'.repeat(200)}}`

  test('that is right passes with its body untouched and without headers that are nobody’s business', () => {
    const headers = [
      { name: 'Authorization', value: 'Bearer x' },
      { name: 'cookie', value: 'c' },
      { name: 'X-Trace', value: '1' },
      { name: 'CONTENT-LENGTH', value: '3' },
    ]
    const asked = request({ ...good, tools: [], unknown_field: { a: 1 } }, { headers })
    expect(validateRequest(asked, 'm', new Uint8Array(32))).toEqual({
      path: '/v1/chat/completions',
      headers: [['X-Trace', '1']],
      body: asked.payload,
    })
  })

  test.each([
    ['for another path', request(good, { url: '/v1/images' }), 621, 'unsupported method'],
    ['for a path of Object', request(good, { url: '/constructor' }), 621, 'unsupported method'],
    ['with a query string', request(good, { url: '/v1/chat/completions?x=1' }), 621, 'unsupported method'],
    ['with GET', request(good, { method: 'GET' }), 621, 'unsupported method'],
    ['that is no JSON', request('{'), 621, 'expected json object'],
    ['that is a list', request([]), 621, 'expected json object'],
    ['that is not UTF-8', request(good, { payload: Uint8Array.of(0x7b, 0xff, 0x7d) }), 621, 'expected json object'],
    ['nested too deep', request(deep), 621, 'nested'],
    ['for another model', request({ ...good, model: 'x' }), 621, 'model name mismatch'],
    ['without messages', request({ model: 'm' }), 621, "'messages'"],
    ['without a model', request({ messages: [] }), 621, "'model'"],
    ['with a negative limit', request({ ...good, max_tokens: -1 }), 621, 'max_tokens'],
    ['with a fractional limit', request({ ...good, max_tokens: 1.5 }), 621, 'max_tokens'],
    ['with null for stream options', request({ ...good, stream: true, stream_options: null }), 621, 'stream_options'],
    ['with a text for stream', request({ ...good, stream: 'yes' }), 621, 'stream'],
    ['for no choices', request({ ...good, n: 0 }), 621, 'n must be positive'],
    [
      'with a line break in a header',
      request(good, { headers: [{ name: 'a', value: 'b\r\nc: d' }] }),
      621,
      'bad header',
    ],
    ['with a blank in a header name', request(good, { headers: [{ name: 'a b', value: '' }] }), 621, 'bad header'],
    ['that is encrypted', request({ ...good, is_encrypted: 'v1' }), 602, 'cannot find private key'],
  ] as const)('%s is refused', (_, asked, code, text) => {
    expect(validateRequest(asked, 'm', undefined)).toMatchObject({ code, message: expect.stringContaining(text) })
  })

  test('with a key but not encrypted is refused', () => {
    expect(validateRequest(request(good), 'm', new Uint8Array(32).fill(1))).toMatchObject({
      code: 602,
      message: expect.stringContaining('unencrypted'),
    })
  })

  test('for a ranking needs documents', () => {
    const rank = (body: object) => validateRequest(request(body, { url: '/v1/rerank' }), 'm', undefined)
    expect(rank({ model: 'm', query: 'q', documents: ['x'] })).toMatchObject({ path: '/v1/rerank' })
    expect(rank({ model: 'm', query: 'q' })).toMatchObject({ code: 621, message: expect.stringContaining('documents') })
    expect(rank({ model: 'm', query: 7, documents: [] })).toMatchObject({ code: 621 })
  })

  describe('for a transcription', () => {
    const asked = (fields: Record<string, string>, over: Partial<HttpRequest> = {}): HttpRequest => {
      const parts = Object.entries(fields).map(([name, value]) => ({ name, value: Buffer.from(value) }))
      return {
        ...request({}, { url: '/v1/audio/transcriptions' }),
        headers: [{ name: 'Content-Type', value: 'multipart/form-data; boundary=X' }],
        payload: writeForm({ boundary: 'X', parts }),
        ...over,
      }
    }

    test('the form travels on as it is', () => {
      const form = asked({ model: 'm', max_tokens: '7', stream: 'true', file: 'RIFF' })
      expect(validateRequest(form, 'm', undefined)).toEqual({
        path: '/v1/audio/transcriptions',
        headers: [['Content-Type', 'multipart/form-data; boundary=X']],
        body: form.payload,
      })
    })

    test.each([
      ['no file', asked({ model: 'm' }), /file/],
      ['no model', asked({ file: 'RIFF' }), /model/],
      ['another model', asked({ model: 'x', file: 'RIFF' }), /model name mismatch/],
      ['a limit that is no number', asked({ model: 'm', file: 'RIFF', max_tokens: 'all' }), /max_tokens/],
      ['a body that is no form', asked({}, { payload: Buffer.from('{}') }), /bad form/],
      ['no content type', asked({ model: 'm', file: 'RIFF' }, { headers: [] }), /bad form/],
    ])('%s is refused', (_what, form, says) => {
      const refused = validateRequest(form, 'm', undefined)
      expect(refused).toMatchObject({ code: 621, message: expect.stringMatching(says) })
    })
  })

  test('for embeddings needs an input', () => {
    expect(
      validateRequest(request({ model: 'm', input: 'x' }, { url: '/v1/embeddings' }), 'm', undefined),
    ).toMatchObject({ path: '/v1/embeddings' })
    expect(validateRequest(request({ model: 'm' }, { url: '/v1/embeddings' }), 'm', undefined)).toMatchObject({
      code: 621,
    })
  })
})
