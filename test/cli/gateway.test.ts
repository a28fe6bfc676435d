/** The commands of the gateway against a running client's API: what people see, and that the API did it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  createKey,
  createProject,
  dropBudget,
  listKeys,
  revokeKey,
  setBudget,
  showBudgets,
} from '../../src/cli/gateway/accounts.ts'
import { loadAdminKey, readAdminKey } from '../../src/cli/gateway/admin-key.ts'
import { addMember, changeRole, listMembers, removeMember } from '../../src/cli/gateway/members.ts'
import { showConsole, showQuote, showReceipts, showUsage } from '../../src/cli/gateway/reports.ts'
import { type Config, configSchema } from '../../src/cli/schema.ts'
import type { Terminal } from '../../src/cli/terminal.ts'
import { reveal, systemRandom } from '../../src/util/index.ts'
import { ADMIN_KEY, type GatewayUnderTest, startGateway } from '../support/gateway.ts'
import { startNetwork, type TestNetwork } from '../support/network.ts'
import { HELLO } from '../support/openai.ts'
import { answerChat, type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

let engine: ScriptedEngine
let network: TestNetwork
let front: GatewayUnderTest
let home: string
let config: Config
let printed: string

const terminal: Terminal = {
  isTTY: false,
  columns: 100,
  write: (text) => void (printed += text),
  line: (text = '') => void (printed += `${text}\n`),
  style: (_, text) => text,
}

beforeAll(async () => {
  engine = await startScriptedEngine()
  network = await startNetwork({ engineUrl: engine.url })
  front = await startGateway(network)
  home = mkdtempSync(join(tmpdir(), 'cocoon-home-'))
  reveal(loadAdminKey(home, systemRandom))
  writeFileSync(join(home, 'keys/admin.key'), ADMIN_KEY, { mode: 0o600 })
  config = configSchema.parse({ home, client: { http: { port: Number(new URL(front.url).port) } } })
})
afterAll(async () => {
  await front.close(() => network.close())
  await engine.close()
  rmSync(home, { recursive: true, force: true })
})
beforeEach(() => {
  printed = ''
  engine.script = answerChat()
})

test('a key that was made opens the API, is listed with its limits, and is closed by revoking', async () => {
  await createProject(config, 'shop', 'The shop', terminal)
  printed = ''
  const flags = { project: 'shop', name: 'backend', expires: '30d', requestsPerMinute: '60', model: ['test-model'] }
  expect(await createKey(config, flags, terminal)).toBe(0)
  const key = printed.split('\n')[0] ?? ''
  const { id } = front.gateway.identify(key)
  const ask = () =>
    fetch(`${front.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify(HELLO),
    })
  expect((await ask()).status).toBe(200)
  printed = ''
  await listKeys(config, false, terminal)
  expect(printed).toMatch(/shop +backend +active +inference models +test-model +60 requests\/min/)
  expect(printed).not.toContain(key)
  await revokeKey(config, id, terminal)
  expect((await ask()).status).toBe(401)

  printed = ''
  await showReceipts(config, { key: id, limit: '10' }, terminal)
  expect(printed).toMatch(/test-model +ok +8 +0\.000000016 TON/)
  expect(printed).toContain('1 requests, 0.000000016 TON (16 nanoTON)')
  printed = ''
  await showUsage(config, { by: 'project', csv: true }, terminal)
  expect(printed).toMatch(/^project,requests.*\r\nshop,1,0,5,0,3,0,8,16,0\.000000016,0\r\n$/)
})

test('a budget is set in TON, shown with what is spent, and dropped', async () => {
  await setBudget(config, '2.5', { window: 'day', warn: '50' }, terminal)
  expect(front.gateway.budgets.list()).toMatchObject([
    { budget: { scope: 'node', window: 'day', limitNano: 2_500_000_000n, warnAtPercent: 50 } },
  ])
  await showBudgets(config, false, terminal)
  expect(printed).toMatch(/node +all +day +2\.5 TON/)
  await dropBudget(config, { window: 'day' }, terminal)
  expect(front.gateway.budgets.list()).toEqual([])
})

test.each([
  ['a limit that is no amount', () => setBudget(config, 'much', { window: 'day' }, terminal), 'request.bad-field'],
  [
    'a key and a project at once',
    () => setBudget(config, '1', { key: 'a', project: 'b', window: 'day' }, terminal),
    'config.flags',
  ],
  ['an expiry that is no time', () => createKey(config, { expires: 'soon' }, terminal), 'config.flags'],
  ['a project that does not exist', () => createKey(config, { project: 'nowhere' }, terminal), 'request.no-account'],
  [
    'a client that is not there',
    () => listKeys(configSchema.parse({ home, client: { http: { port: 1 } } }), false, terminal),
    'config.client-down',
  ],
  [
    'a home without a key',
    () => listKeys(configSchema.parse({ ...config, home: join(home, 'other') }), false, terminal),
    'config.no-admin-key',
  ],
] as const)('%s is refused with a code that says who must act', async (_, act, code) => {
  await expect(act()).rejects.toMatchObject({ code })
})

test('a question is quoted to the owner, whatever keys there are; without a question all prices are shown', async () => {
  await showQuote(config, 'Hi', { maxTokens: '100' }, terminal)
  expect(printed).toMatch(/^at most 0\.\d+ TON for up to 100 tokens of test-model/)
  printed = ''
  await showQuote(config, undefined, {}, terminal)
  expect(printed).toMatch(/test-model +1 +0\.002 TON/)
})

test('the console’s address carries the key behind #, where no server sees it', () => {
  showConsole(config, terminal)
  const url = new URL(printed.trim())
  expect(`${url.origin}${url.pathname}`).toBe(`${front.url}/console`)
  expect(url.hash.slice(1)).toBe(reveal(readAdminKey(home)))
})

test('a member that was added makes keys in its project and sees nothing else, until it is removed', async () => {
  await createProject(config, 'lab', 'The lab', terminal)
  printed = ''
  await addMember(config, 'Anna', { project: 'lab', role: 'member' }, terminal)
  const credential = printed.split('\n')[0] ?? ''
  const { id } = front.gateway.identifyMember(credential)
  const { home: _, ...rest } = config
  const theirs = configSchema.parse({
    home: join(home, 'anna'),
    client: { http: rest.client.http, gateway: { memberKey: credential } },
  })
  printed = ''
  await createKey(theirs, { name: 'from Anna' }, terminal)
  printed = ''
  await listKeys(theirs, false, terminal)
  expect(printed).toMatch(new RegExp(`lab +from Anna +active .*${id}`))
  expect(printed.trim().split('\n')).toHaveLength(2)
  await expect(createProject(theirs, 'mine', undefined, terminal)).rejects.toMatchObject({
    code: 'request.not-allowed',
  })
  printed = ''
  await changeRole(config, id, 'viewer', terminal)
  expect(printed).toBe(`Anna (${id}) is viewer of project lab now.\n`)
  await expect(createKey(theirs, { name: 'too late' }, terminal)).rejects.toMatchObject({ code: 'request.not-allowed' })
  await changeRole(config, id, 'member', terminal)
  printed = ''
  await removeMember(config, id, true, terminal)
  await listMembers(config, false, terminal)
  expect(printed).toMatch(/lab +Anna +member +removed/)
  await expect(listKeys(theirs, false, terminal)).rejects.toMatchObject({ code: 'config.admin-key' })
})
