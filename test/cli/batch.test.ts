/** `cocoon batch` against a running client's API: a file goes in, progress is seen, the answers come out. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  cancelBatch,
  createBatch,
  listBatches,
  printOutput,
  showBatch,
  waitForBatch,
} from '../../src/cli/batch/commands.ts'
import { loadAdminKey } from '../../src/cli/gateway/admin-key.ts'
import { type Config, configSchema } from '../../src/cli/schema.ts'
import type { Terminal } from '../../src/cli/terminal.ts'
import { systemRandom } from '../../src/util/index.ts'
import { ADMIN_KEY, type BatchNode, chatLines, startBatchNode } from '../support/batch-node.ts'
import { startNetwork, type TestNetwork, until } from '../support/network.ts'
import { answerChat, type Script, type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

let engine: ScriptedEngine
let network: TestNetwork
let node: BatchNode
let home: string
let config: Config
let printed: string
let progressed: string

const terminalInto = (take: (text: string) => void, isTTY = false): Terminal => ({
  isTTY,
  columns: 100,
  write: take,
  line: (text = '') => take(`${text}\n`),
  style: (_, text) => text,
})
const out = terminalInto((text) => void (printed += text))
const progress = terminalInto((text) => void (progressed += text))
const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20))

beforeAll(async () => {
  engine = await startScriptedEngine()
  network = await startNetwork({ engineUrl: engine.url })
  node = await startBatchNode({ inference: network.client })
  const url = await node.api.listen()
  home = mkdtempSync(join(tmpdir(), 'cocoon-home-'))
  loadAdminKey(home, systemRandom)
  writeFileSync(join(home, 'keys/admin.key'), ADMIN_KEY, { mode: 0o600 })
  config = configSchema.parse({ home, client: { http: { port: Number(new URL(url).port) } } })
})
afterAll(async () => {
  await node.close()
  await network.close()
  await engine.close()
  rmSync(home, { recursive: true, force: true })
})
beforeEach(() => {
  printed = ''
  progressed = ''
  engine.script = answerChat()
})

const refuseOne: Script = (request, reply) => {
  if (JSON.stringify(request.body).includes('Say 1"'))
    return void reply
      .writeHead(400, { 'content-type': 'application/json' })
      .end('{"error":{"message":"no","type":"invalid_request_error","param":null,"code":"bad"}}')
  return answerChat()(request, reply)
}
function input(text: string): string {
  const path = join(home, 'in.jsonl')
  writeFileSync(path, text)
  return path
}
async function create(text: string, flags = {}): Promise<string> {
  expect(await createBatch(config, input(text), { window: '24h', ...flags }, out, progress)).toBe(0)
  const id = printed.trim()
  printed = ''
  return id
}

test('a file is answered, progress is shown until the end, and answers and failures are printed apart', async () => {
  engine.script = refuseOne
  const id = await create(chatLines(3), { maxCost: '1', maxCoefficient: '2000' })
  expect(progressed).toContain(`cocoon batch wait ${id}`)
  expect(await waitForBatch(config, id, out, progress, soon)).toBe(1)
  expect(progressed).toMatch(/completed +█{24} 100 % +2 of 3, 1 failed/)
  expect(printed).toMatch(/^completed: 2 of 3, 0\.\d+ TON\n$/)
  printed = ''
  await printOutput(config, id, {}, out)
  expect(
    printed
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { custom_id: string }).custom_id),
  ).toEqual(['line-0', 'line-2'])
  const to = join(home, 'errors.jsonl')
  await printOutput(config, id, { errors: true, to }, out)
  expect(readFileSync(to, 'utf8')).toContain('"custom_id":"line-1"')
  if (process.platform !== 'win32') expect(statSync(to).mode & 0o777).toBe(0o600)
  await expect(printOutput(config, id, { to }, out)).rejects.toMatchObject({ code: 'config.batch-output' })

  printed = ''
  await showBatch(config, id, false, out)
  expect(printed).toContain(`cocoon batch output ${id} --errors`)
  expect(printed).toContain('/v1/chat/completions')
  printed = ''
  await listBatches(config, false, out)
  expect(printed).toMatch(new RegExp(`${id} +completed +3 +2 +1`))
})

test('a batch that succeeds ends with status 0, and on a terminal its progress is one line', async () => {
  const id = await create(chatLines(5))
  let drawn = ''
  const screen = terminalInto((text) => void (drawn += text), true)
  expect(await waitForBatch(config, id, out, screen, soon)).toBe(0)
  expect(drawn.split('\n')).toHaveLength(2)
  expect(drawn).toMatch(/\rcompleted .*\u001b\[K\n$/)
})

test('a wrong line is told with its number', async () => {
  const id = await create(`${chatLines(1)}\n{}`)
  expect(await waitForBatch(config, id, out, progress, soon)).toBe(1)
  expect(printed).toMatch(/^line 2: 'custom_id' is required\.\nfailed: 0 of 0/)
})

test('a batch is cancelled, and one that is over cannot be', async () => {
  const held: (() => unknown)[] = []
  engine.script = (request, reply) => void held.push(() => answerChat()(request, reply))
  const id = await create(chatLines(3))
  await until(() => held.length > 0, 'a line is under way')
  expect(await cancelBatch(config, id, out)).toBe(0)
  engine.script = answerChat()
  for (const answer of held) answer()
  expect(await waitForBatch(config, id, out, progress, soon)).toBe(1)
  await expect(cancelBatch(config, id, out)).rejects.toMatchObject({ code: 'request.batch-over' })
})

test.each([
  [
    'a file that is not there',
    () => createBatch(config, '/nowhere', { window: '24h' }, out, progress),
    'config.batch-file',
  ],
  [
    'a file without requests',
    () => createBatch(config, input('hello'), { window: '24h' }, out, progress),
    'config.batch-file',
  ],
  [
    'a window that is none',
    () => createBatch(config, input(chatLines(1)), { window: 'soon' }, out, progress),
    'request.bad-field',
  ],
  [
    'a coefficient that is no number',
    () => createBatch(config, input(chatLines(1)), { window: '24h', maxCoefficient: 'low' }, out, progress),
    'config.flags',
  ],
  ['a batch that does not exist', () => showBatch(config, 'batch_no', false, out), 'request.no-batch'],
  [
    'a client that is not there',
    () => listBatches(configSchema.parse({ home, client: { http: { port: 1 } } }), false, out),
    'config.client-down',
  ],
] as const)('%s is refused with a code that says who must act', async (_, act, code) => {
  await expect(act()).rejects.toMatchObject({ code })
})
