import { describe, expect, test } from 'vitest'
import { httpEngineSuite } from './http.suite.ts'
import { httpEngineOptions } from './options.ts'
import { createPlainClient } from './plain-client.ts'
import { createUndiciClient } from './undici-client.ts'

describe('through our own client:', () => httpEngineSuite(createPlainClient))
describe('through undici:', () => httpEngineSuite((url, _clock, options) => createUndiciClient(url, options)))

test('options: the key is secret, the url is http, and unknown names are refused', () => {
  const options = httpEngineOptions.parse({ url: 'http://127.0.0.1:8000', apiKey: 'k' })
  expect(JSON.stringify(options)).not.toContain('"k"')
  for (const bad of [{ url: 'ftp://x' }, { url: 'x' }, {}, { url: 'http://x', model: 'm' }])
    expect(httpEngineOptions.safeParse(bad).success).toBe(false)
})
