/** Forms and rankings through OpenAI's own library and through `fetch`. */
import OpenAI, { toFile } from 'openai'
import { afterEach, describe, expect, test } from 'vitest'
import { type FormPart, parseForm, writeForm } from '../util/index.ts'
import { type ApiUnderTest, apiUnderTest, DONE } from './api-under-test.ts'
import type { ScriptedCall } from './scripted-inference.ts'
import { formFingerprint } from './transcription.ts'

const open: ApiUnderTest[] = []
afterEach(async () => {
  for (const api of open.splice(0)) await api.close()
})

async function serve(script: (call: ScriptedCall) => unknown) {
  const api = apiUnderTest({ script })
  open.push(api)
  const baseURL = `${await api.listen()}/v1`
  const client = new OpenAI({ baseURL, apiKey: 'unused-key', maxRetries: 0, logLevel: 'off' })
  return { api, client, baseURL }
}

const answerText = (call: ScriptedCall): void => {
  call.head()
  call.part('{"text":"Hello."}')
  call.end()
}

const sound = () => toFile(new Uint8Array([82, 73, 70, 70, 13, 10, 0]), 'Jane Doe’s secret.WAV', { type: 'audio/wav' })

describe('a transcription', () => {
  test('reaches the engine as a form, without the name of the file and our own fields', async () => {
    const { api, client } = await serve(answerText)
    const fields = { timeout: '7', max_coefficient: '900' } as object
    const request = {
      model: 'whisper@main:abc',
      file: await sound(),
      language: 'en',
      response_format: 'json',
      ...fields,
    } as const
    expect((await client.audio.transcriptions.create(request)).text).toBe('Hello.')
    const { request: sent } = api.inference.calls[0] as ScriptedCall
    expect(sent).toMatchObject({
      path: '/v1/audio/transcriptions',
      model: 'whisper',
      maxTokens: 1000,
      timeoutMs: 7000,
      maxCoefficient: 900,
    })
    const headers = new Map(sent.headers)
    expect(headers.get('content-length')).toBe(String(sent.body.length))
    const { parts } = parseForm(sent.body, headers.get('content-type') ?? '')
    const texts = parts
      .filter(({ name }) => name !== 'file')
      .map(({ name, value }) => [name, Buffer.from(value).toString()])
    expect(Object.fromEntries(texts)).toEqual({
      model: 'whisper',
      language: 'en',
      response_format: 'json',
      max_tokens: '1000',
    })
    expect(parts.find(({ name }) => name === 'file')).toEqual({
      name: 'file',
      fileName: 'audio.wav',
      contentType: 'audio/wav',
      value: new Uint8Array([82, 73, 70, 70, 13, 10, 0]),
    })
  })

  test('streams where it is asked to', async () => {
    const { client } = await serve((call) => {
      call.head('text/event-stream')
      call.part('data: {"type":"transcript.text.delta","delta":"Hel"}\n\n')
      call.part(`data: {"type":"transcript.text.done","text":"Hello."}\n\n${DONE}`)
      call.end()
    })
    const types: string[] = []
    const stream = await client.audio.transcriptions.create({ model: 'w', file: await sound(), stream: true })
    for await (const { type } of stream) types.push(type)
    expect(types).toEqual(['transcript.text.delta', 'transcript.text.done'])
  })

  const post = async (fields: Record<string, string | Blob>) => {
    const { api, baseURL } = await serve(answerText)
    const body = new FormData()
    for (const [name, value] of Object.entries(fields)) body.append(name, value)
    const response = await fetch(`${baseURL}/audio/transcriptions`, { method: 'POST', body })
    expect(api.inference.calls).toHaveLength(0)
    return { status: response.status, body: await response.json() }
  }
  const file = new Blob(['RIFF'])

  test.each<[Record<string, string | Blob>, string]>([
    [{ model: 'w' }, 'file'],
    [{ model: 'w', file: new Blob([]) }, 'file'],
    [{ file }, 'model'],
    [{ model: '@x', file }, 'model'],
    [{ model: 'w', file, max_tokens: '0' }, 'max_tokens'],
    [{ model: 'w', file, max_tokens: 'many' }, 'max_tokens'],
    [{ model: 'w', file, stream: 'yes' }, 'stream'],
    [{ model: 'w', file, response_format: 'xml' }, 'response_format'],
    [{ model: 'w', file, timeout: '0' }, 'timeout'],
    [{ model: 'w', file, hedge_after: 'soon' }, 'hedge_after'],
    [{ model: 'w', file, max_tokens: '1', max_completion_tokens: '2' }, 'max_completion_tokens'],
  ])('%j is refused, naming %s', async (fields, param) => {
    expect(await post(fields)).toMatchObject({ status: 400, body: { error: { param } } })
  })

  test('that is no form is refused', async () => {
    const { api } = await serve(answerText)
    const send = (type: string, payload: string) =>
      api.app.inject({ method: 'POST', url: '/v1/audio/transcriptions', headers: { 'content-type': type }, payload })
    expect((await send('application/json', '{}')).statusCode).toBe(415)
    expect((await send('multipart/form-data; boundary=X', 'oops')).json()).toMatchObject({
      error: { code: 'request.bad-form' },
    })
  })
})

describe('a ranking', () => {
  const rank = async (body: object) => {
    const { api, baseURL } = await serve((call) => {
      call.head()
      call.part('{"results":[{"index":1,"relevance_score":0.9}]}')
      call.end()
    })
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${baseURL}/rerank`, { method: 'POST', headers, body: JSON.stringify(body) })
    return { api, status: response.status, body: (await response.json()) as object }
  }

  test('reserves nothing for generated tokens and comes back as the engine gave it', async () => {
    const { api, body } = await rank({ model: 'm', query: 'q', documents: ['a', { text: 'b' }], top_n: 1 })
    expect(body).toEqual({ results: [{ index: 1, relevance_score: 0.9 }] })
    expect(api.inference.calls[0]?.request).toMatchObject({ path: '/v1/rerank', maxTokens: 0 })
  })

  test.each<[object, string]>([
    [{ query: 'q' }, 'documents'],
    [{ documents: ['a'] }, 'query'],
    [{ query: 'q', documents: [] }, 'documents'],
    [{ query: 'q', documents: ['a', 7] }, 'documents[1]'],
    [{ query: 'q', documents: ['a'], top_n: 0 }, 'top_n'],
    [{ query: 'q', documents: ['a'], max_tokens: 5 }, 'max_tokens'],
  ])('%j is refused, naming %s', async (fields, param) => {
    expect(await rank({ model: 'm', ...fields })).toMatchObject({ status: 400, body: { error: { param } } })
  })
})

describe('a form under an Idempotency-Key', () => {
  const send = async (baseURL: string, fields: Record<string, string>, bytes = 'RIFF') => {
    const form = new FormData()
    for (const [name, value] of Object.entries({ model: 'whisper', ...fields })) form.append(name, value)
    form.append('file', new Blob([bytes], { type: 'audio/wav' }), 'a.wav')
    // `fetch` draws another boundary each time.
    const headers = { 'idempotency-key': 'once' }
    return fetch(`${baseURL}/audio/transcriptions`, { method: 'POST', body: form, headers })
  }

  test('is answered from memory when it comes again, whatever its boundary', async () => {
    const { api, baseURL } = await serve(answerText)
    expect(await (await send(baseURL, {})).json()).toEqual({ text: 'Hello.' })
    const again = await send(baseURL, {})
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    expect(await again.json()).toEqual({ text: 'Hello.' })
    expect(api.inference.calls).toHaveLength(1)
  })

  test.each([
    ['another sound', {}, 'RIFX'],
    ['another field', { language: 'en' }, 'RIFF'],
  ])('is refused with %s', async (_, fields, bytes) => {
    const { api, baseURL } = await serve(answerText)
    await send(baseURL, {})
    const other = await send(baseURL, fields, bytes)
    expect(other.status).toBe(400)
    expect(await other.json()).toMatchObject({ error: { code: 'request.idempotency-key' } })
    expect(api.inference.calls).toHaveLength(1)
  })

  test('has a fingerprint of its parts: none can pass for two, and nothing but the boundary is left out', () => {
    const of = (boundary: string, ...parts: readonly FormPart[]): string => {
      const body = writeForm({ boundary, parts })
      return Buffer.from(formFingerprint(body, `multipart/form-data; boundary=${boundary}`)).toString('hex')
    }
    const [a, b] = ['a', 'b'].map((name): FormPart => ({ name, value: Buffer.from(name) })) as [FormPart, FormPart]
    expect(of('x', a, b)).toBe(of('y', a, b))
    const others = [
      of('x', b, a),
      of('x', a),
      of('x', { ...a, fileName: 'f' }, b),
      of('x', { ...a, contentType: 'text/plain' }, b),
      of('x', { ...a, value: Buffer.from('a["b",null,null,1]b') }),
    ]
    expect(new Set([...others, of('x', a, b)]).size).toBe(others.length + 1)
  })
})
