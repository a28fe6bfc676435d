import { expect, test } from 'vitest'
import { noMetrics, silentLog, systemClock, systemRandom } from '../util/index.ts'
import { addConsoleRoutes, type ConsolePage } from './console.ts'
import { createHttpServer } from './http-server.ts'
import { opsApiOptions } from './options.ts'

const DEPS = { clock: systemClock, random: systemRandom, log: silentLog, metrics: noMetrics }

async function ask(page: ConsolePage, url: string) {
  const app = createHttpServer(DEPS, opsApiOptions.parse({}))
  addConsoleRoutes(app, page)
  return app.inject({ url, headers: { host: 'localhost' } })
}
const FILES = new Map([
  ['index.html', Buffer.from('<!doctype html>')],
  ['console.js', Buffer.from('render()')],
  ['notes.txt', Buffer.from('left over')],
])

test('the page is served with its type and its policy', async () => {
  const reply = await ask(async () => FILES, '/console/')
  expect([reply.statusCode, reply.body]).toEqual([200, '<!doctype html>'])
  expect(reply.headers['content-type']).toBe('text/html; charset=utf-8')
  expect(reply.headers['content-security-policy']).toContain("default-src 'none'")
  expect((await ask(async () => FILES, '/console/console.js')).headers['content-type']).toMatch(/^text\/javascript/)
})

test.each(['/console/none.js', '/console/notes.txt', '/console/..%2fpackage.json'])('%s is not there', async (url) => {
  expect((await ask(async () => FILES, url)).statusCode).toBe(404)
})

test('a page that could not be built is 503, and says what to do', async () => {
  const reply = await ask(async () => ({ missing: 'Run npm run web.' }), '/console/')
  expect(reply.statusCode).toBe(503)
  expect(reply.json()).toMatchObject({ error: { code: 'capacity.no-console', message: 'Run npm run web.' } })
})
