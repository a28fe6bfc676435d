import { afterEach, expect, test } from 'vitest'
import type { Batches } from '../batch/index.ts'
import type { Gateway } from '../gateway/index.ts'
import { Secret } from '../util/index.ts'
import { type ApiUnderTest, apiUnderTest } from './api-under-test.ts'
import { openApiDocument } from './openapi.ts'

let api: ApiUnderTest | undefined
afterEach(() => api?.close())

interface Document {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, { requestBody?: { content: object } }>>>>
}

test('every route of the server is described, and nothing else is', async () => {
  const routes: string[] = []
  // Only their routes count.
  const batches = { of: { files: {} } as Batches, defaults: { maxCoefficient: 1, keepOutputMs: 1 } }
  const admin = { key: new Secret('k'), leave: () => Promise.resolve() }
  api = apiUnderTest({
    options: { apiKey: 'correct-horse' },
    deps: { batches, gateway: {} as Gateway, admin },
  })
  api.app.addHook('onRoute', ({ method, url }) => {
    for (const one of [method].flat())
      if (one !== 'HEAD') routes.push(`${one} ${url.replace('*', '{model}').replace(/:(\w+)/, '{$1}')}`)
  })
  await api.app.ready()
  const response = await api.app.inject('/openapi.json')
  expect(response.statusCode).toBe(200)
  const { openapi, paths } = response.json<Document>()
  expect(openapi).toBe('3.1.0')
  const described = Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  )
  expect(described.toSorted()).toEqual(routes.toSorted())
})

test('a request’s fields stand in it as they are checked', () => {
  const { paths } = openApiDocument() as unknown as Document
  const schemaOf = (path: string): unknown => Object.values(paths[path]?.['post']?.requestBody?.content ?? {})[0]
  expect(schemaOf('/v1/chat/completions')).toMatchObject({
    schema: { required: ['model', 'messages'], properties: { n: { anyOf: [{ maximum: 128 }, { type: 'null' }] } } },
  })
  expect(schemaOf('/v1/messages')).toMatchObject({ schema: { required: ['model', 'messages', 'max_tokens'] } })
  expect(schemaOf('/v1/responses')).toMatchObject({ schema: { required: ['model', 'input'] } })
  expect(schemaOf('/v1/audio/transcriptions')).toMatchObject({
    schema: { required: ['model', 'file'], properties: { file: { format: 'binary' } } },
  })
})

test('what is the owner’s asks for another key, and a good answer is named by its status', () => {
  const { paths } = openApiDocument() as unknown as {
    paths: Record<string, Record<string, { security: object[]; responses: Record<string, { content?: object }> }>>
  }
  for (const [path, operations] of Object.entries(paths))
    for (const { security } of Object.values(operations))
      expect(security.some((one) => 'admin' in one)).toBe(path.startsWith('/admin/'))
  expect(paths['/admin/keys']?.['post']?.responses['201']).toBeDefined()
  expect(paths['/admin/budgets']?.['delete']?.responses['204']?.content).toBeUndefined()
})

test('lists say what they may be asked with', () => {
  const { paths } = openApiDocument() as unknown as {
    paths: Record<string, Record<string, { parameters: readonly { name: string }[] }>>
  }
  expect(paths['/v1/files']?.['get']?.parameters.map(({ name }) => name)).toEqual([
    'after',
    'limit',
    'order',
    'purpose',
  ])
})

test('no two operations have one name', () => {
  const operations = Object.values((openApiDocument() as unknown as Document).paths).flatMap(Object.values)
  const ids = operations.map((operation) => (operation as { operationId: string }).operationId)
  expect(new Set(ids).size).toBe(ids.length)
})
