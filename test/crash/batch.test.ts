/**
 * A client process dies (SIGKILL) again and again in the middle of a batch. At the end each line stands in the output once, and what
 * the receipts say lies around what the proxy charged: never more than that is certain, never less than that is entered.
 */
import { once } from 'node:events'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import OpenAI from 'openai'
import type { Batch } from 'openai/resources/batches'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadAdminKey } from '../../src/cli/gateway/admin-key.ts'
import { reveal, seededRandom, systemRandom } from '../../src/util/index.ts'
import { chatLines } from '../support/batch-node.ts'
import { TEST_OWNER, until } from '../support/network.ts'
import { type Cocoon, cocoonHome, type Started } from '../support/processes.ts'
import { answerChat, type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

const KILLS = 3
const SEED = 5
const LINES = 110
const PRICE_NANO = 2n
const MAX_RUNNING = 4

const random = seededRandom(SEED)
const asked = new Map<string, number>()
let engine: ScriptedEngine
let home: Cocoon
let network: string
let proxy: Started
let adminKey: string

beforeAll(async () => {
  engine = await startScriptedEngine((request, reply) => {
    const { content = '' } = (request.body['messages'] as { content: string }[])[0] ?? {}
    asked.set(content, (asked.get(content) ?? 0) + 1)
    setTimeout(() => void answerChat([content])(request, reply), 10 + random.fraction() * 60)
  })
  home = await cocoonHome()
  const { COCOON_PROXY_WORKER_PORT: workers, COCOON_PROXY_CLIENT_PORT: clients } = home.env
  network = join(home.home, 'network.json')
  writeFileSync(
    network,
    JSON.stringify({
      root_owner_address: TEST_OWNER,
      price_per_token: Number(PRICE_NANO),
      registered_proxies: [{ seqno: 1, address: `127.0.0.1:${workers} 127.0.0.1:${clients}` }],
      cocoon: { evidence: 'simulated', client_balance_nano: String(10n ** 15n) },
    }),
  )
  adminKey = reveal(loadAdminKey(home.home, systemRandom))
  proxy = home.start(['proxy', '--network', network])
  home.start(['worker', '--network', network, '--model', 'test-model', '--engine-url', engine.url])
})
afterAll(async () => {
  home.close()
  await engine.close()
})

const startClient = (): Started =>
  home.start(['client', '--network', network], { COCOON_CLIENT_BATCH_MAX_RUNNING: String(MAX_RUNNING) })

/** Null while nobody listens. */
const batchOf = (openai: OpenAI, id: string): Promise<Batch | null> =>
  openai.batches.retrieve(id).catch((error: unknown) => {
    if (error instanceof OpenAI.APIConnectionError) return null
    throw error
  })

async function admin(method: string, path: string, body?: object): Promise<Record<string, string>> {
  const reply = await fetch(`${home.clientUrl}/admin${path}`, {
    method,
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
  })
  return (await reply.json()) as Record<string, string>
}

/** What the proxy's file says it charged, in nanoTON. */
function chargedNano(): bigint {
  const folder = join(home.home, 'proxy')
  const name = readdirSync(folder).find((file) => file.endsWith('.sqlite')) ?? ''
  const db = new DatabaseSync(join(folder, name), { readOnly: true })
  const read = db.prepare(`SELECT total FROM account WHERE role = 'client'`)
  read.setReadBigInts(true)
  const total = read.get()?.['total'] as bigint
  db.close()
  return total * PRICE_NANO
}

test(`a batch outlives ${KILLS} kills of its client: no line is lost or answered twice, and no cost is forgotten`, {
  timeout: 240_000,
}, async () => {
  const openai = new OpenAI({ baseURL: `${home.clientUrl}/v1`, apiKey: adminKey, maxRetries: 0 })
  let client = startClient()
  await until(
    () =>
      openai.models
        .list()
        .then((page) => page.data.length > 0)
        .catch(() => false),
    'it serves',
    60_000,
  )
  const limit = String(10n ** 9n)
  await admin('PUT', '/budgets', { scope: 'node', window: 'total', limit })
  const file = await openai.files.create({
    purpose: 'batch',
    file: new File([chatLines(LINES, { max_coefficient: 1000 })], 'in.jsonl'),
  })
  const { id } = await openai.batches.create({
    input_file_id: file.id,
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
  })
  let told = 0
  for (let life = 0; life < KILLS; life++) {
    const wanted = told + 10 + Math.floor(random.fraction() * 15)
    await until(
      async () => ((await batchOf(openai, id))?.request_counts?.completed ?? 0) >= wanted,
      `${wanted} lines are answered in life ${life}`,
      60_000,
    )
    told = (await batchOf(openai, id))?.request_counts?.completed ?? told
    client.child.kill('SIGKILL')
    await once(client.child, 'exit')
    client = startClient()
    await until(async () => (await batchOf(openai, id)) !== null, 'the next life answers', 60_000)
    // What was told is on the disk.
    expect((await batchOf(openai, id))?.request_counts?.completed).toBeGreaterThanOrEqual(told)
  }
  await until(async () => (await batchOf(openai, id))?.status === 'completed', 'the batch is completed', 120_000)
  const batch = (await batchOf(openai, id)) as Batch & { cost_nano: string; unsettled_nano: string }
  expect(batch.request_counts).toEqual({ total: LINES, completed: LINES, failed: 0 })
  const text = await (await openai.files.content(batch.output_file_id as string)).text()
  const lines = text
    .trimEnd()
    .split('\n')
    .map(
      (line) =>
        JSON.parse(line) as { custom_id: string; response: { body: { choices: [{ message: { content: string } }] } } },
    )
  expect(lines.map((line) => line.custom_id)).toEqual(Array.from({ length: LINES }, (_, i) => `line-${i}`))
  expect(lines.map((line) => line.response.body.choices[0].message.content)).toEqual(
    Array.from({ length: LINES }, (_, i) => `Say ${i}`),
  )
  // Only what was under way at a kill was asked twice.
  const again = [...asked.values()].reduce((sum, times) => sum + times, 0) - LINES
  expect(again).toBeLessThanOrEqual(KILLS * MAX_RUNNING)

  const receipts = await admin('GET', '/receipts?limit=1')
  const [costNano, unsettledNano] = [BigInt(receipts['cost_nano'] ?? 0), BigInt(receipts['unsettled_nano'] ?? 0)]
  expect([batch.cost_nano, batch.unsettled_nano]).toEqual([String(costNano), String(unsettledNano)])
  const [budget] = (await admin('GET', '/budgets'))['data'] as unknown as {
    spent_nano: string
    reserved_nano: string
  }[]
  expect(budget).toMatchObject({ spent_nano: String(costNano + unsettledNano), reserved_nano: '0' })
  client.child.kill('SIGTERM')
  expect(await client.ended).toMatchObject({ status: 0 })
  proxy.child.kill('SIGTERM')
  await proxy.ended
  expect(chargedNano()).toBeGreaterThanOrEqual(costNano)
  expect(chargedNano()).toBeLessThanOrEqual(costNano + unsettledNano)
})
