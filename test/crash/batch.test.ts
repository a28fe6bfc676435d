/**
 * A client process dies (SIGKILL) again and again in the middle of a batch. At the end each line stands in one of the two files once, no
 * line was charged twice, and the receipts say to the nanoTON what the proxy's ledger says: its own, or the proxy's word of it.
 */
import { once } from 'node:events'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import OpenAI from 'openai'
import type { Batch } from 'openai/resources/batches'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
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
/** More than none, and fewer than a prompt has bytes: no proxy believes more. */
const FIRST_PROMPT_TOKENS = 1

const random = seededRandom(SEED)
const asked = new Map<string, number>()
/** Of 'Say 7': 8. */
const promptTokensOf = (content: string): number => FIRST_PROMPT_TOKENS + Number(content.split(' ')[1])
/** Answers that wait for a test; null while the engine answers by itself. */
let stalled: (() => void)[] | null = null
let engine: ScriptedEngine
let home: Cocoon
let network: string
let proxy: Started
let client: Started
let adminKey: string

beforeAll(async () => {
  engine = await startScriptedEngine((request, reply) => {
    const { content = '' } = (request.body['messages'] as { content: string }[])[0] ?? {}
    asked.set(content, (asked.get(content) ?? 0) + 1)
    // What a line is charged names it: the ledger knows no contents.
    const usage = { prompt_tokens: promptTokensOf(content), completion_tokens: 1 }
    const answer = (): void => void answerChat([content], usage)(request, reply)
    if (stalled === null) setTimeout(answer, 10 + random.fraction() * 60)
    else stalled.push(answer)
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
afterEach(async () => {
  stalled = null
  // Of a test that failed.
  client.child.kill('SIGKILL')
  await client.ended
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

interface Settled {
  readonly promptTokens: number
  readonly totalNano: bigint
}

/** What the ledger says was charged, entry by entry. A proxy holds its file alone, so it is stopped for that. */
async function settledByProxy(): Promise<readonly Settled[]> {
  await stop(proxy)
  const folder = join(home.home, 'proxy')
  const name = readdirSync(folder).find((file) => file.endsWith('.sqlite')) ?? ''
  const db = new DatabaseSync(join(folder, name), { readOnly: true })
  const rows = db.prepare('SELECT prompt, total FROM journal WHERE total > 0').all()
  db.close()
  proxy = home.start(['proxy', '--network', network])
  return rows.map((row) => ({
    promptTokens: Number(row['prompt']),
    totalNano: BigInt(Number(row['total'])) * PRICE_NANO,
  }))
}
/** Adjusted tokens, as the proxy that runs tells them. */
async function usedTokens(): Promise<bigint> {
  const answer = await fetch(`http://127.0.0.1:${home.env['COCOON_PROXY_HTTP_PORT']}/status`)
  const { clients } = (await answer.json()) as { readonly clients: readonly { readonly usedTokens: string }[] }
  return BigInt(clients[0]?.usedTokens ?? 0)
}
const sumOf = (settled: readonly Settled[]): bigint => settled.reduce((sum, { totalNano }) => sum + totalNano, 0n)

interface OutputLine {
  readonly custom_id: string
  readonly response: {
    readonly body: { readonly choices: [{ readonly message: { readonly content: string } }] }
  } | null
  readonly error: { readonly code: string; readonly message: string } | null
}

async function linesOf(openai: OpenAI, file: string | null | undefined): Promise<readonly OutputLine[]> {
  if (!file) return []
  const text = await (await openai.files.content(file)).text()
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as OutputLine)
}

type OurBatch = Batch & { readonly cost_nano: string; readonly unsettled_nano: string }

async function createBatch(openai: OpenAI, count: number, more: object = {}): Promise<string> {
  const file = await openai.files.create({
    purpose: 'batch',
    file: new File([chatLines(count, { max_coefficient: 1000, max_tokens: 8 })], 'in.jsonl'),
  })
  const order = { input_file_id: file.id, endpoint: '/v1/chat/completions' as const, completion_window: '24h' as const }
  return (await openai.batches.create({ ...order, ...more })).id
}

const library = (): OpenAI => new OpenAI({ baseURL: `${home.clientUrl}/v1`, apiKey: adminKey, maxRetries: 0 })
const untilServed = (openai: OpenAI): Promise<void> =>
  until(
    () =>
      openai.models
        .list()
        .then((page) => page.data.length > 0)
        .catch(() => false),
    'a worker is there',
    60_000,
  )
async function ended(openai: OpenAI, id: string): Promise<OurBatch> {
  await until(async () => (await batchOf(openai, id))?.status === 'completed', 'the batch is completed', 120_000)
  return (await batchOf(openai, id)) as OurBatch
}
async function stop({ child, ended: over }: Started): Promise<void> {
  child.kill('SIGTERM')
  expect(await over).toMatchObject({ status: 0 })
}

test(`a batch outlives ${KILLS} kills of its client: no line is lost from its files, asked again for money, or paid for twice`, {
  timeout: 240_000,
}, async () => {
  const openai = library()
  client = startClient()
  await untilServed(openai)
  const limit = String(10n ** 9n)
  await admin('PUT', '/budgets', { scope: 'node', window: 'total', limit })
  const id = await createBatch(openai, LINES)
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
  const batch = await ended(openai, id)
  const answers = await linesOf(openai, batch.output_file_id)
  const failures = await linesOf(openai, batch.error_file_id)
  expect(answers.map((line) => line.response?.body.choices[0].message.content)).toEqual(
    answers.map((line) => line.custom_id.replace('line-', 'Say ')),
  )
  expect(failures.map((line) => line.error?.code)).toEqual(failures.map(() => 'capacity.answer-lost'))
  for (const { error } of failures) expect(error?.message).toContain('It cost ')
  expect(failures.length).toBeLessThanOrEqual(KILLS * MAX_RUNNING)
  const numbers = [...answers, ...failures].map((line) => Number(line.custom_id.slice('line-'.length)))
  expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: LINES }, (_, i) => i))
  expect(batch.request_counts).toEqual({ total: LINES, completed: answers.length, failed: failures.length })

  const settled = await settledByProxy()
  const charged = settled.map(({ promptTokens }) => promptTokens - FIRST_PROMPT_TOKENS)
  expect(charged, 'each line is charged once').toHaveLength(new Set(charged).size)
  expect(new Set(charged)).toEqual(new Set(numbers))
  // Only what was under way at a kill was asked twice, and for nothing.
  const again = [...asked.values()].reduce((sum, times) => sum + times, 0) - LINES
  expect(again).toBeLessThanOrEqual(KILLS * MAX_RUNNING)

  const receipts = await admin('GET', '/receipts?limit=1')
  expect(receipts).toMatchObject({ cost_nano: String(sumOf(settled)), unsettled_nano: '0' })
  expect([batch.cost_nano, batch.unsettled_nano]).toEqual([String(sumOf(settled)), '0'])
  const budgets = (await admin('GET', '/budgets'))['data'] as unknown
  expect(budgets).toMatchObject([{ spent_nano: String(sumOf(settled)), reserved_nano: '0' }])
  await stop(client)
})

test.each([
  [false, 'fails with what it cost'],
  [true, 'is asked again, and both charges count'],
])(
  'a line that was charged while its client was dead, with repeat_lost %s, %s',
  { timeout: 180_000 },
  async (repeat_lost) => {
    const openai = library()
    client = startClient()
    await untilServed(openai)
    const before = (await settledByProxy()).length
    await untilServed(openai)
    const used = await usedTokens()
    stalled = []
    const id = await createBatch(openai, 1, { repeat_lost })
    await until(() => stalled?.length === 1, 'the line is with the engine')
    // It hears nothing more, but its connections stand: the proxy charges, as it does when the answer was sent an instant before the end.
    client.child.kill('SIGSTOP')
    const [answer] = stalled
    stalled = null
    answer?.()
    await until(async () => (await usedTokens()) > used, 'it is charged')
    client.child.kill('SIGKILL')
    await once(client.child, 'exit')
    client = startClient()
    await untilServed(openai)
    const batch = await ended(openai, id)
    const settled = (await settledByProxy()).slice(before)
    expect(settled).toHaveLength(repeat_lost ? 2 : 1)
    expect(batch).toMatchObject({
      request_counts: repeat_lost ? { total: 1, completed: 1, failed: 0 } : { total: 1, completed: 0, failed: 1 },
      cost_nano: String(sumOf(settled)),
      unsettled_nano: '0',
    })
    expect((await linesOf(openai, batch.output_file_id)).length).toBe(repeat_lost ? 1 : 0)
    const [failure] = await linesOf(openai, batch.error_file_id)
    if (!repeat_lost) expect(failure?.error).toMatchObject({ code: 'capacity.answer-lost' })
    await stop(client)
  },
)

test('a line that was under way when the proxy died as well is entered as the most it could cost, and not asked again', {
  timeout: 180_000,
}, async () => {
  const openai = library()
  client = startClient()
  await untilServed(openai)
  stalled = []
  const id = await createBatch(openai, 1)
  await until(() => stalled?.length === 1, 'the line is with the engine')
  client.child.kill('SIGKILL')
  proxy.child.kill('SIGKILL')
  await Promise.all([once(client.child, 'exit'), once(proxy.child, 'exit')])
  stalled = null
  proxy = home.start(['proxy', '--network', network])
  client = startClient()
  const batch = await ended(openai, id)
  expect(batch).toMatchObject({ request_counts: { total: 1, completed: 0, failed: 1 }, cost_nano: '0' })
  expect(BigInt(batch.unsettled_nano)).toBeGreaterThan(0n)
  await stop(client)
})
