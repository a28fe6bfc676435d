import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { reveal } from '../util/index.ts'
import { renderConfigurationDocs } from './config-docs.ts'
import { loadConfig, type Sources } from './config.ts'
import { configSchema } from './schema.ts'
import { allSettings, pathText } from './settings.ts'

function fileWith(content: string): string {
  const path = join(mkdtempSync(join(tmpdir(), 'cocoon-config-')), 'cocoon.json')
  writeFileSync(path, content)
  return path
}
const load = (sources: Partial<Sources>): ReturnType<typeof loadConfig> =>
  loadConfig({ env: {}, flags: new Map(), ...sources })
const flag = (path: string, value: string): Sources['flags'] => new Map([[path, { flag: '--given', value }]])

test('defaults alone are a valid configuration', () => {
  expect(load({}).config.client.http).toMatchObject({ host: '127.0.0.1', port: 10_000 })
})

test('a flag wins over the environment, and the environment over the file', () => {
  const file = fileWith('{"client":{"http":{"port":1001,"maxRunning":7}},"proxy":{"workerPort":1}}')
  const env = { COCOON_CLIENT_HTTP_PORT: '1002', COCOON_PROXY_WORKER_PORT: '2' }
  const { config, origins } = load({ file, env, flags: flag('client.http.port', '1003') })
  expect([config.client.http.port, config.proxy.workerPort, config.client.http.maxRunning]).toEqual([1003, 2, 7])
  expect(origins.get('client.http.port')).toBe('--given')
  expect(origins.get('proxy.workerPort')).toBe('COCOON_PROXY_WORKER_PORT')
  expect(origins.get('client.http.maxRunning')).toBe(file)
})

test.each([
  [
    'an unknown key in the file',
    { file: fileWith('{"client":{"http":{"prot":1}}}') },
    'config.unknown-key',
    'client.http.port',
  ],
  [
    'an unknown variable',
    { env: { COCOON_CLIENT_HTP_PORT: '1' } },
    'config.unknown-variable',
    'COCOON_CLIENT_HTTP_PORT',
  ],
  ['a value out of range', { env: { COCOON_CLIENT_HTTP_PORT: '70000' } }, 'config.value', 'client.http.port'],
  ['a text for a number', { flags: flag('client.http.port', 'http') }, 'config.value', '--given'],
  ['a word for a boolean', { env: { COCOON_PROXY_IS_TESTNET: 'yes' } }, 'config.value', 'COCOON_PROXY_IS_TESTNET'],
  ['a file that is no JSON', { file: fileWith('{') }, 'config.file', 'not JSON'],
  ['a file that is a list', { file: fileWith('[]') }, 'config.file', 'object'],
  ['a file that is not there', { file: '/nonexistent/cocoon.json' }, 'config.file', '/nonexistent/cocoon.json'],
  ['a bad choice', { env: { COCOON_LOG_LEVEL: 'loud' } }, 'config.value', 'COCOON_LOG_LEVEL'],
] as const)('%s is refused and named', (_, sources, code, named) => {
  expect(() => load(sources as Partial<Sources>)).toThrowError(
    expect.objectContaining({ code, message: expect.stringContaining(named) }),
  )
})

test('lists come from the environment separated by commas, maps as JSON', () => {
  const { config } = load({
    env: {
      COCOON_CLIENT_HTTP_CORS_ORIGINS: 'http://a.test, http://b.test',
      COCOON_WORKER_ENGINE_HEADERS: '{"x-a":"1"}',
    },
  })
  expect(config.client.http.corsOrigins).toEqual(['http://a.test', 'http://b.test'])
  expect(config.worker.engine.headers).toEqual({ 'x-a': '1' })
})

test('secrets have no flag and do not print', () => {
  const { config } = load({ env: { COCOON_CLIENT_SECRET: 'open sesame', COCOON_CLIENT_HTTP_API_KEY: 'sk-12345678' } })
  expect(JSON.stringify(config)).not.toContain('sesame')
  expect(config.client.secret && reveal(config.client.secret)).toBe('open sesame')
  expect(
    allSettings()
      .filter((s) => s.flag === null)
      .map((s) => s.path.at(-1)),
  ).toEqual(expect.arrayContaining(['secret', 'apiKey']))
})

test('every setting has a variable of its own, a description, and stands in the generated document', () => {
  const settings = allSettings()
  expect(new Set(settings.map((s) => s.env)).size).toBe(settings.length)
  expect(settings.filter((s) => s.description === '').map((s) => pathText(s.path))).toEqual([])
  const document = renderConfigurationDocs()
  for (const s of settings) expect(document).toContain(`\`${pathText(s.path)}\``)
  expect(configSchema.parse({})).toBeDefined()
})
