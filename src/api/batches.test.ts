/** Batches as callers meet them, over HTTP: whose they are, what they may spend, what they wait for. Time is the test's. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Receipt } from '../gateway/index.ts'
import type { ChargeRecall } from '../roles/client/index.ts'
import { type Clock, CocoonError, formatTon, type Log, manualClock, silentLog, utf8, writeForm } from '../util/index.ts'
import { ADMIN_KEY, type BatchNode, chatLines, leaveUnderWay, startBatchNode } from '../../test/support/batch-node.ts'
import { until } from '../../test/support/network.ts'
import { createRecordingLog } from '../../test/support/recording-log.ts'
import { CHAT, COMPLETION, DONE } from './api-under-test.ts'
import { type ScriptedCall, type ScriptedInference, scriptedInference } from './scripted-inference.ts'

/** What one line of `chatLines` reserves by the scripted quote, and what answering it costs. */
const MAX_NANO = 16n
const COST_NANO = 10n

let clock: Clock & { advance(ms: number): void }
let node: BatchNode
let inference: ScriptedInference
let script: (call: ScriptedCall) => unknown

const answer = (call: ScriptedCall): void => {
  call.head()
  call.part(COMPLETION)
  call.end({ costNano: COST_NANO })
}
const offer = (coefficient = 1000, maxRunningRequests = 100, runningRequests = 0) => [
  { id: 'test-model', workers: [{ coefficient, runningRequests, maxRunningRequests, proxies: ['p:1'] }] },
]

async function start(batch: object = {}, log: Log = silentLog): Promise<void> {
  clock = manualClock(Date.UTC(2026, 7, 12))
  script = answer
  inference = scriptedInference((call) => script(call))
  inference.offers = offer()
  node = await startBatchNode({ inference, clock, batch, log })
}
beforeEach(() => start())
afterEach(() => node.close())

interface Json {
  readonly [name: string]: any // oxlint-disable-line typescript/no-explicit-any
}

async function ask(method: 'GET' | 'POST' | 'DELETE', url: string, key?: string, body?: object): Promise<Json> {
  const reply = await node.api.app.inject({
    method,
    url,
    ...(body === undefined ? {} : { payload: body }),
    headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
  })
  return reply.json<Json>()
}

async function upload(text: string, key?: string, more: Readonly<Record<string, string>> = {}): Promise<Json> {
  const fields = Object.entries({ purpose: 'batch', ...more }).map(([name, value]) => ({ name, value: utf8(value) }))
  const parts = [{ name: 'file', fileName: '../in.jsonl', value: utf8(text) }, ...fields]
  const reply = await node.api.app.inject({
    method: 'POST',
    url: '/v1/files',
    payload: Buffer.from(writeForm({ boundary: 'XyZ', parts })),
    headers: {
      'content-type': 'multipart/form-data; boundary=XyZ',
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    },
  })
  return reply.json<Json>()
}

async function create(text: string, key?: string, more: object = {}): Promise<string> {
  const file = await upload(text, key)
  const order = { input_file_id: file['id'], endpoint: CHAT, completion_window: '24h', ...more }
  return (await ask('POST', '/v1/batches', key, order))['id'] as string
}

/** Lets the test's time go by until it is true; the store's thread works on its own time. */
async function eventually(isTrue: () => boolean | Promise<boolean>, what: string, stepMs = 200): Promise<void> {
  await until(
    async () => {
      if (await isTrue()) return true
      clock.advance(stepMs)
      return false
    },
    what,
    60_000,
  )
}

const OVER = ['completed', 'failed', 'expired', 'cancelled']
async function untilOver(id: string, key?: string, stepMs?: number): Promise<Json> {
  await eventually(
    async () => OVER.includes((await ask('GET', `/v1/batches/${id}`, key))['status']),
    'it is over',
    stepMs,
  )
  return ask('GET', `/v1/batches/${id}`, key)
}

async function linesOf(file: string | null, key?: string): Promise<readonly Json[]> {
  if (file === null) return []
  const { body } = await node.api.app.inject({
    url: `/v1/files/${file}/content`,
    headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
  })
  return body
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Json)
}

async function makeKey(project: string): Promise<{ readonly id: string; readonly key: string }> {
  if (!node.gateway.projects().some((one) => one.id === project)) await node.gateway.createProject(project, project)
  const { key, made } = await node.gateway.createKey({
    project,
    name: 'test',
    scopes: ['inference'],
    models: [],
    limits: {},
    expiresMs: null,
  })
  return { id: made.id, key }
}

const budget = (id: string, limitNano: bigint) =>
  node.gateway.setBudget({ scope: 'key', id, model: '', window: 'total', limitNano, warnAtPercent: 100 })
const spentNano = (): bigint => node.gateway.budgets.list()[0]?.spentNano ?? 0n
const codesOf = (lines: readonly Json[]): unknown[] =>
  lines.map((line) => line['response']?.body.error.code ?? line['error'].code)

describe('whose they are', () => {
  test('a key sees its own project’s files and batches, those of another do not exist for it, the owner sees all', async () => {
    const [ours, theirs] = [await makeKey('shop'), await makeKey('lab')]
    const colleague = await makeKey('shop')
    const id = await create(chatLines(1), ours.key)
    const batch = await untilOver(id, ours.key)
    for (const file of [batch['input_file_id'], batch['output_file_id']]) {
      expect(await ask('GET', `/v1/files/${file}`, colleague.key)).toMatchObject({ id: file })
      for (const [method, url] of [
        ['GET', `/v1/files/${file}`],
        ['GET', `/v1/files/${file}/content`],
        ['DELETE', `/v1/files/${file}`],
      ] as const)
        expect(await ask(method, url, theirs.key)).toMatchObject({ error: { code: 'request.no-file' } })
      const order = { input_file_id: file, endpoint: CHAT, completion_window: '24h' }
      expect(await ask('POST', '/v1/batches', theirs.key, order)).toMatchObject({ error: { code: 'request.no-file' } })
    }
    expect(await ask('GET', `/v1/batches/${id}`, theirs.key)).toMatchObject({ error: { code: 'request.no-batch' } })
    expect(await ask('POST', `/v1/batches/${id}/cancel`, theirs.key)).toMatchObject({
      error: { code: 'request.no-batch' },
    })
    expect((await ask('GET', '/v1/files', theirs.key))['data']).toEqual([])
    expect((await ask('GET', '/v1/batches', theirs.key))['data']).toEqual([])
    expect((await ask('GET', '/v1/batches', colleague.key))['data']).toHaveLength(1)
    expect((await ask('GET', '/v1/batches', ADMIN_KEY))['data']).toHaveLength(1)
    expect(await ask('GET', '/v1/files')).toMatchObject({ error: { code: 'invalid_api_key' } })
  })

  test('what the owner keeps is not shown to keys of the project where the owner’s requests are booked', async () => {
    const file = await upload('{}')
    const { key } = await makeKey('default')
    expect((await ask('GET', '/v1/files', key))['data']).toEqual([])
    expect(await ask('GET', `/v1/files/${file['id']}`, key)).toMatchObject({ error: { code: 'request.no-file' } })
  })

  test('a key without the scope for inference has neither', async () => {
    const { key } = await node.gateway.createKey({
      project: 'default',
      name: '',
      scopes: ['models'],
      models: [],
      limits: {},
      expiresMs: null,
    })
    expect(await ask('GET', '/v1/files', key)).toMatchObject({ error: { code: 'request.key-scope' } })
    expect(await ask('GET', '/v1/batches', key)).toMatchObject({ error: { code: 'request.key-scope' } })
  })

  test('when its key is revoked, a batch keeps its answers and tells every other line why it has none', async () => {
    const { id: keyId, key } = await makeKey('shop')
    const admin = await makeKey('shop')
    let asked = 0
    script = (call) => {
      answer(call)
      if (++asked === 5) void node.gateway.revokeKey(keyId)
    }
    const id = await create(chatLines(30), key)
    const batch = await untilOver(id, admin.key)
    expect(batch).toMatchObject({ status: 'failed', errors: { data: [{ code: 'request.key-revoked', line: null }] } })
    const [answers, failures] = [
      await linesOf(batch['output_file_id'], admin.key),
      await linesOf(batch['error_file_id'], admin.key),
    ]
    expect(answers.length).toBeGreaterThanOrEqual(5)
    expect(answers.length).toBe(asked)
    expect(answers.length + failures.length).toBe(30)
    expect(new Set(codesOf(failures))).toEqual(new Set(['request.key-revoked']))
    expect(batch['request_counts']).toEqual({ total: 30, completed: answers.length, failed: failures.length })
  })
})

describe('what they may spend', () => {
  test('as many lines as the budget can pay for are answered, though more of them are reserved at once', async () => {
    const { id: keyId, key } = await makeKey('shop')
    // After nine lines there are 6 left, less than one more could cost.
    await budget(keyId, 9n * COST_NANO + MAX_NANO - COST_NANO)
    const batch = await untilOver(await create(chatLines(20), key), key)
    expect(batch).toMatchObject({
      status: 'completed',
      request_counts: { total: 20, completed: 9, failed: 11 },
      cost_nano: String(9n * COST_NANO),
    })
    expect(new Set(codesOf(await linesOf(batch['error_file_id'], key)))).toEqual(new Set(['payment.budget-exceeded']))
    expect(spentNano()).toBe(9n * COST_NANO)
  })

  test('max_cost binds all lines together, and the rest is not even asked', async () => {
    const batch = await untilOver(await create(chatLines(20), undefined, { max_cost: String(5n * COST_NANO + 7n) }))
    expect(batch).toMatchObject({ status: 'completed', request_counts: { total: 20, completed: 5, failed: 15 } })
    expect(inference.calls).toHaveLength(5)
    expect(new Set(codesOf(await linesOf(batch['error_file_id'])))).toEqual(new Set(['payment.batch-max-cost']))
  })

  test('at random, with live requests beside: never above the budget, and every receipt is in the batch’s cost', async () => {
    const run = fc.record({
      limit: fc.integer({ min: 0, max: 400 }),
      lines: fc.integer({ min: 1, max: 25 }),
      live: fc.integer({ min: 0, max: 10 }),
      fates: fc.array(fc.constantFrom('answer', 'fail', 'busy', 'unknown'), { minLength: 1, maxLength: 9 }),
    })
    await fc.assert(
      fc.asyncProperty(run, async ({ limit, lines, live, fates }) => {
        await node.close()
        await start({ attempts: 2 })
        let turn = 0
        let charged = 0n
        script = (call) => {
          const fate = fates[turn++ % fates.length]
          if (fate === 'answer' || turn > 60) {
            charged += COST_NANO
            return answer(call)
          }
          if (fate === 'busy') return call.fail(new CocoonError('capacity.busy'))
          call.fail(new CocoonError('engine.failed'))
          if (fate === 'unknown') {
            charged += MAX_NANO
            call.charge = 'unknown'
          }
        }
        const { id: keyId, key } = await makeKey('shop')
        await budget(keyId, BigInt(limit))
        const id = await create(chatLines(lines), key)
        const body = JSON.parse(chatLines(1))['body'] as object
        await Promise.all(Array.from({ length: live }, () => ask('POST', CHAT, key, body)))
        const batch = await untilOver(id, key, 10_000)
        const { completed, failed, total } = batch['request_counts']
        expect(completed + failed).toBe(total)
        expect(spentNano()).toBeLessThanOrEqual(BigInt(limit))
        expect(spentNano()).toBe(charged)
        expect(node.gateway.budgets.list()[0]?.reservedNano).toBe(0n)
        const page = await node.gateway.receipts({ limit: 1 })
        expect(page.costNano + page.unsettledNano).toBe(charged)
        expect(BigInt(batch['cost_nano']) + BigInt(batch['unsettled_nano'])).toBeLessThanOrEqual(charged)
      }),
      { numRuns: 8 },
    )
  }, 120_000)
})

describe('what they wait for', () => {
  test('a refusal for want of room is waited out and is no failure, however often it comes', async () => {
    let refusals = 0
    script = (call) =>
      ++refusals <= 12 ? call.fail(new CocoonError('capacity.busy', { retryAfterMs: 100 })) : answer(call)
    const batch = await untilOver(await create(chatLines(6)), undefined, 5_000)
    expect(batch).toMatchObject({ status: 'completed', request_counts: { total: 6, completed: 6, failed: 0 } })
  })

  test('a key’s limit per minute slows its batch down and fails no line', async () => {
    const { key } = await node.gateway.createKey({
      project: 'default',
      name: '',
      scopes: ['inference'],
      models: [],
      limits: { requestsPerMinute: 4 },
      expiresMs: null,
    })
    const beganMs = clock.now()
    const batch = await untilOver(await create(chatLines(9), key), key, 1_000)
    expect(batch).toMatchObject({ status: 'completed', request_counts: { total: 9, completed: 9, failed: 0 } })
    // Four at once, then one in fifteen seconds.
    expect(clock.now() - beganMs).toBeGreaterThanOrEqual(5 * 15_000)
  })

  test('workers above the price are waited for, and the cheapest that is free is what a line offers', async () => {
    inference.offers = offer(2000)
    const id = await create(chatLines(3), undefined, { max_coefficient: 1500 })
    await eventually(
      async () => (await ask('GET', `/v1/batches/${id}`))['waiting_for'] === 'price',
      'it waits for the price',
    )
    expect(inference.calls).toHaveLength(0)
    inference.offers = offer(1200)
    await untilOver(id)
    expect(inference.calls.map((call) => call.request.maxCoefficient)).toEqual([1200, 1200, 1200])
  })

  test('a line’s own cap stays below what the batch allows', async () => {
    await untilOver(await create(chatLines(1, { max_coefficient: 700 }), undefined, { max_coefficient: 1500 }))
    expect(inference.calls.map((call) => call.request.maxCoefficient)).toEqual([700])
  })

  test('no more lines are under way than the places that are left to batches', async () => {
    const waiting: ScriptedCall[] = []
    let most = 0
    script = (call) => {
      most = Math.max(most, waiting.push(call))
    }
    // Five of ten places are others’; the proxy counts ours as well.
    Object.defineProperty(inference, 'offers', { get: () => offer(1000, 10, 5 + waiting.length) })
    const id = await create(chatLines(12))
    let looks = 0
    await eventually(() => {
      // Time enough for more to go out, if more could.
      if (++looks % 15 === 0) for (const call of waiting.splice(0)) answer(call)
      return inference.calls.length === 12
    }, 'every line was asked')
    for (const call of waiting.splice(0)) answer(call)
    await untilOver(id)
    expect(most).toBe(3)
  })

  test('nothing goes out while a live stream waits for its beginning', async () => {
    let live: ScriptedCall | undefined
    script = (call) => {
      live = call
    }
    const body = { ...(JSON.parse(chatLines(1))['body'] as object), stream: true }
    const asked = node.api.app.inject({ method: 'POST', url: CHAT, payload: body })
    await eventually(() => live !== undefined, 'the live request is under way')
    clock.advance(2_000)
    script = answer
    const id = await create(chatLines(3))
    await eventually(
      async () => (await ask('GET', `/v1/batches/${id}`))['waiting_for'] === 'interactive',
      'it stands back',
    )
    expect(inference.calls).toHaveLength(1)
    const stream = live as ScriptedCall
    stream.head('text/event-stream')
    stream.part(DONE)
    stream.end()
    await asked
    expect(await untilOver(id)).toMatchObject({ status: 'completed' })
  })

  test('a model that nobody offers is waited for five minutes; then its lines fail as a live request would', async () => {
    inference.offers = []
    script = (call) => call.fail(new CocoonError('request.unknown-model'))
    const id = await create(chatLines(2))
    await eventually(async () => (await ask('GET', `/v1/batches/${id}`))['waiting_for'] === 'no-workers', 'it waits')
    clock.advance(4 * 60_000)
    expect(inference.calls).toHaveLength(0)
    const batch = await untilOver(id, undefined, 2_000)
    expect(codesOf(await linesOf(batch['error_file_id']))).toEqual(['model_not_found', 'model_not_found'])
  })

  test('when the window is over, what was answered is kept and the rest has expired at no cost', async () => {
    let answered = 0
    script = (call) => (++answered <= 4 ? answer(call) : call.fail(new CocoonError('capacity.no-workers')))
    const id = await create(chatLines(10), undefined, { completion_window: '1h' })
    const batch = await untilOver(id, undefined, 30_000)
    expect(batch).toMatchObject({
      status: 'expired',
      request_counts: { total: 10, completed: 4, failed: 6 },
      cost_nano: String(4n * COST_NANO),
    })
    expect(batch['expired_at'] - batch['created_at']).toBeGreaterThanOrEqual(3600)
    expect(codesOf(await linesOf(batch['error_file_id']))).toEqual(Array(6).fill('batch_expired'))
    expect(await linesOf(batch['output_file_id'])).toHaveLength(4)
  })
})

describe('after a restart', () => {
  test('answered lines are not asked again, those under way are with repeat_lost, and the output has each once', async () => {
    const id = await create('', undefined).then(() => create(chatLines(20), undefined, { repeat_lost: true }))
    const held: ScriptedCall[] = []
    let asked = 0
    script = (call) => (++asked <= 8 ? answer(call) : void held.push(call))
    await eventually(
      async () => (await ask('GET', `/v1/batches/${id}`))['request_counts'].completed === 8,
      'eight are answered',
    )
    await eventually(() => held.length > 1, 'others are under way')
    let [first, underWay] = [0, 0]
    await node.restart({}, async () => {
      ;[first, underWay] = [inference.calls.length, held.length]
      script = answer
    })
    expect((await ask('GET', `/v1/batches/${id}`))['request_counts']).toEqual({ total: 20, completed: 8, failed: 0 })
    const batch = await untilOver(id)
    expect(batch).toMatchObject({ status: 'completed', request_counts: { total: 20, completed: 20, failed: 0 } })
    expect(inference.calls.length - first).toBe(12)
    const answers = await linesOf(batch['output_file_id'])
    expect(answers.map((line) => line['custom_id'])).toEqual(Array.from({ length: 20 }, (_, i) => `line-${i}`))
    // Nobody knows what those under way cost: the most it could be is told, once for each.
    const page = await node.gateway.receipts({ limit: 1 })
    expect(page.unsettledNano).toBe(BigInt(underWay) * MAX_NANO)
    expect(batch['unsettled_nano']).toBe(String(page.unsettledNano))
    expect(batch['cost_nano']).toBe(String(page.costNano))
  })

  test('an attempt without a receipt is entered as unsettled into budgets and batch; one with a receipt counts as it says', async () => {
    const { id: keyId, key } = await makeKey('shop')
    await budget(keyId, 1_000n)
    inference.offers = []
    const id = await create(chatLines(4), key, { repeat_lost: true })
    await eventually(
      async () => (await ask('GET', `/v1/batches/${id}`, key))['status'] === 'in_progress',
      'it is checked',
    )
    const receipt: Receipt = {
      ...{ request: 'with-receipt', atMs: clock.now(), project: 'shop', key: keyId, model: 'test-model', path: CHAT },
      ...{ result: 'ok', status: 200, code: null, prompt: 1n, cached: 0n, completion: 1n, reasoning: 0n, total: 2n },
      ...{ costNano: 7n, unsettledNano: 0n, maxCostNano: 16n, proxy: null, worker: null, evidence: null },
      ...{ attempts: [], queuedMs: null, sentMs: null, firstByteMs: 1, durationMs: 1 },
    }
    node.gateway.record(receipt)
    await node.restart({}, async () => {
      await leaveUnderWay(node.folder, id, MAX_NANO, { 1: 'with-receipt', 2: 'without' })
    })
    expect(await ask('GET', `/v1/batches/${id}`, key)).toMatchObject({ cost_nano: '7', unsettled_nano: '16' })
    expect(spentNano()).toBe(23n)
    const { receipts } = await node.gateway.receipts({ request: 'without', limit: 2 })
    expect(receipts).toMatchObject([{ key: keyId, project: 'shop', code: 'capacity.client-ended', unsettledNano: 16n }])
    inference.offers = offer()
    expect(await untilOver(id, key)).toMatchObject({ request_counts: { total: 4, completed: 4, failed: 0 } })
    expect(spentNano()).toBe(23n + 4n * COST_NANO)
    // Once: another start enters nothing again.
    await node.restart()
    expect(spentNano()).toBe(23n + 4n * COST_NANO)
  })

  test('a line that was charged when its answer was lost fails with its cost, one that was not is asked again, and no budget is wrong meanwhile', async () => {
    const { id: keyId, key } = await makeKey('shop')
    await budget(keyId, 1_000n)
    inference.offers = []
    const id = await create(chatLines(4), key)
    await eventually(
      async () => (await ask('GET', `/v1/batches/${id}`, key))['status'] === 'in_progress',
      'it is checked',
    )
    const { promise: told, resolve: tell } = Promise.withResolvers<void>()
    const recall: ChargeRecall = {
      proxies: () => ['p:1'],
      async chargesAt(_, [name = '']) {
        await told
        if (name === 'forgotten') return { knownForMs: 0, charges: [] }
        const [tokens, costNano] = name === 'charged' ? [3n, 6n] : [0n, 0n]
        return { knownForMs: 1_000_000, charges: [{ name, tokens, costNano, isRunning: false }] }
      },
    }
    inference.offers = offer()
    const underWay = { 1: 'charged', 2: 'free', 3: 'forgotten' }
    const to = { sentMs: clock.now(), sentTo: ['p:1'] }
    await node.restart({ recall }, () => leaveUnderWay(node.folder, id, MAX_NANO, underWay, to))
    expect(node.gateway.budgets.list()).toMatchObject([{ spentNano: 0n, reservedNano: 3n * MAX_NANO }])
    expect(inference.calls).toHaveLength(0)
    tell()
    const batch = await untilOver(id, key)
    expect(batch).toMatchObject({
      status: 'completed',
      request_counts: { total: 4, completed: 2, failed: 2 },
      cost_nano: String(6n + 2n * COST_NANO),
      unsettled_nano: String(MAX_NANO),
      repeat_lost: false,
    })
    expect(spentNano()).toBe(6n + 2n * COST_NANO + MAX_NANO)
    const failures = await linesOf(batch['error_file_id'], key)
    expect(failures).toMatchObject([
      { custom_id: 'line-0', response: null, error: { code: 'capacity.answer-lost' } },
      { custom_id: 'line-2', response: null, error: { code: 'capacity.answer-lost' } },
    ])
    expect(JSON.stringify(failures[0])).toContain('It cost 0.000000006 TON')
    expect(JSON.stringify(failures[1])).toContain(`up to ${formatTon(MAX_NANO)} TON`)
    const { receipts } = await node.gateway.receipts({ request: 'charged', limit: 2 })
    expect(receipts).toMatchObject([{ code: 'capacity.client-ended', costNano: 6n, total: 3n, unsettledNano: 0n }])
    await node.restart({ recall })
    expect(spentNano()).toBe(6n + 2n * COST_NANO + MAX_NANO)
  })

  test('a line of a node that was stopped before it heard of the charge is asked again where there was none', async () => {
    const held: ScriptedCall[] = []
    script = (call) => void held.push(call)
    let proxies: readonly string[] = ['p:1']
    const recall: ChargeRecall = {
      proxies: () => proxies,
      chargesAt: (_, [name = '']) =>
        Promise.resolve({
          knownForMs: 1_000_000,
          charges: [{ name, tokens: 0n, costNano: 0n, isRunning: false }],
        }),
    }
    await node.restart({ recall })
    const id = await create(chatLines(1))
    await eventually(() => held.length === 1, 'it is under way')
    const { name, proxies: only } = held[0]?.request.recall ?? {}
    expect([name?.length, [...(only ?? [])]]).toEqual([16, ['p:1']])
    proxies = ['p:2']
    await node.restart({}, async () => {
      script = answer
    })
    // What its receipt holds for possible is not taken back.
    expect(await untilOver(id)).toMatchObject({
      request_counts: { total: 1, completed: 1, failed: 0 },
      cost_nano: String(COST_NANO),
      unsettled_nano: String(MAX_NANO),
    })
  })

  test('a batch that is cancelled waits for what its lost lines were charged, and counts it', async () => {
    inference.offers = []
    const id = await create(chatLines(2))
    await eventually(async () => (await ask('GET', `/v1/batches/${id}`))['status'] === 'in_progress', 'it is checked')
    let isRunning = true
    const recall: ChargeRecall = {
      proxies: () => ['p:1'],
      chargesAt: (_, [name = '']) =>
        Promise.resolve({ knownForMs: 1_000_000, charges: [{ name, tokens: 3n, costNano: 6n, isRunning }] }),
    }
    const to = { sentMs: clock.now(), sentTo: ['p:1'] }
    await node.restart({ recall }, () => leaveUnderWay(node.folder, id, MAX_NANO, { 1: 'charged' }, to))
    expect(await ask('POST', `/v1/batches/${id}/cancel`)).toMatchObject({ status: 'cancelling' })
    isRunning = false
    expect(await untilOver(id)).toMatchObject({ status: 'cancelled', cost_nano: '6', unsettled_nano: '0' })
  })

  test('an input that is gone from the disk ends its batch with that reason, and keeps what was answered', async () => {
    let answered = 0
    script = (call) => (++answered <= 3 ? answer(call) : call.fail(new CocoonError('capacity.busy')))
    const id = await create(chatLines(6))
    await eventually(
      async () => (await ask('GET', `/v1/batches/${id}`))['request_counts'].completed === 3,
      'three are answered',
    )
    const { input_file_id: file } = await ask('GET', `/v1/batches/${id}`)
    await node.restart({}, async () => rmSync(join(node.folder, 'files', file as string)))
    const batch = await untilOver(id)
    expect(batch).toMatchObject({ status: 'failed', errors: { data: [{ code: 'request.file-gone' }] } })
    expect(await linesOf(batch['output_file_id'])).toHaveLength(3)
    expect(codesOf(await linesOf(batch['error_file_id']))).toEqual(Array(3).fill('request.file-gone'))
  })

  test('what was being checked, cancelled or written is brought to its end', async () => {
    const [checked, cancelled] = [await create(chatLines(3)), await create(chatLines(3))]
    void ask('POST', `/v1/batches/${cancelled}/cancel`)
    await node.restart()
    expect(await untilOver(checked)).toMatchObject({ status: 'completed' })
    expect(['cancelled', 'completed']).toContain((await untilOver(cancelled))['status'])
  })
})

describe('refusals', () => {
  test.each([
    [{ endpoint: '/v1/images/generations' }, 'endpoint'],
    [{ completion_window: '1d' }, 'completion_window'],
    [{ completion_window: '169h' }, 'completion_window'],
    [{ metadata: { a: 1 } }, 'metadata.a'],
    [{ max_cost: 'much' }, 'max_cost'],
    [{ max_coefficient: -1 }, 'max_coefficient'],
    [{ output_expires_after: { anchor: 'created_at', seconds: 1 } }, 'output_expires_after.seconds'],
    [{ priority: 'high' }, 'priority'],
    [{ input_file_id: 'file-unknown' }, 'file_id'],
  ])('of a batch with %j name the field', async (more, param) => {
    const file = await upload(chatLines(1))
    const order = { input_file_id: file['id'], endpoint: CHAT, completion_window: '24h', ...more }
    expect(await ask('POST', '/v1/batches', undefined, order)).toMatchObject({ error: { param } })
  })

  test.each([
    [{ purpose: 'fine-tune' }, 'purpose'],
    [{ 'expires_after[seconds]': '60' }, 'expires_after[seconds]'],
  ])('of an upload with %j name the field, and nothing of it is kept', async (more, param) => {
    expect(await upload('{}', undefined, more)).toMatchObject({ error: { param } })
    expect((await ask('GET', '/v1/files'))['data']).toEqual([])
  })

  test('of a file above the limits tell which, and nothing of it is kept', async () => {
    await node.close()
    await start({ maxFileBytes: 2_000, maxTotalBytes: 3_000, maxFiles: 3 })
    expect(await upload('x'.repeat(2_001))).toMatchObject({ error: { code: 'request.file-too-large' } })
    await upload('x'.repeat(1_800))
    expect(await upload('x'.repeat(1_800))).toMatchObject({ error: { code: 'request.files-full' } })
    await upload('x')
    const { id } = await upload('x')
    expect(await upload('x')).toMatchObject({ error: { code: 'request.files-full' } })
    await ask('DELETE', `/v1/files/${id}`)
    expect(await upload('x')).toMatchObject({ object: 'file', filename: 'in.jsonl' })
  })

  test('of a batch with too many lines say how many there may be', async () => {
    await node.close()
    await start({ maxLines: 5 })
    const batch = await untilOver(await create(chatLines(6)))
    expect(batch['errors'].data).toMatchObject([{ code: 'request.too-many-lines', line: 6 }])
  })

  test('of cancelling what is over say so, and another method says which there are', async () => {
    const id = await create(chatLines(1))
    await untilOver(id)
    expect(await ask('POST', `/v1/batches/${id}/cancel`)).toMatchObject({ error: { code: 'request.batch-over' } })
    const reply = await node.api.app.inject({ method: 'DELETE', url: `/v1/batches/${id}` })
    expect([reply.statusCode, reply.headers['allow']]).toEqual([405, 'GET, HEAD'])
  })
})

test('a batch created again with its Idempotency-Key is the first one, also after a restart; another body is refused', async () => {
  const file = await upload(chatLines(1))
  const order = { input_file_id: file['id'], endpoint: CHAT, completion_window: '24h' }
  const post = (payload: object) =>
    node.api.app.inject({ method: 'POST', url: '/v1/batches', payload, headers: { 'idempotency-key': 'once' } })
  const [first, second] = await Promise.all([post(order), post(order)])
  expect(second.json<Json>()['id']).toBe(first.json<Json>()['id'])
  await node.restart()
  expect((await post(order)).json<Json>()['id']).toBe(first.json<Json>()['id'])
  expect((await post({ ...order, metadata: { a: 'b' } })).json()).toMatchObject({
    error: { code: 'request.idempotency-key' },
  })
  expect((await ask('GET', '/v1/batches'))['data']).toHaveLength(1)
})

test('files and ended batches are gone when their time is over; a file that is being read stays until then', async () => {
  await node.close()
  await start({ keepFilesMs: 2 * 3_600_000 })
  inference.offers = []
  const short = await upload(chatLines(1), undefined, {
    'expires_after[anchor]': 'created_at',
    'expires_after[seconds]': '3600',
  })
  const order = { input_file_id: short['id'], endpoint: CHAT, completion_window: '24h' }
  const { id } = await ask('POST', '/v1/batches', undefined, order)
  await eventually(async () => (await ask('GET', '/v1/files'))['data'].length === 0, 'the file has expired', 60_000)
  inference.offers = offer()
  const batch = await untilOver(id)
  expect(batch).toMatchObject({ status: 'completed', request_counts: { completed: 1 } })
  await eventually(async () => (await ask('GET', '/v1/batches'))['data'].length === 0, 'the batch is forgotten', 60_000)
  expect(await ask('GET', `/v1/files/${batch['output_file_id']}`)).toMatchObject({ error: { code: 'request.no-file' } })
})

test('neither prompts nor answers reach the log', async () => {
  await node.close()
  const log = createRecordingLog()
  await start({}, log)
  script = (call) => (call.request.body.includes(0x33) ? call.fail(new CocoonError('engine.failed')) : answer(call))
  await untilOver(await create(chatLines(5)))
  await untilOver(await create(`${chatLines(1)}\n{"custom_id": "Say 9`))
  const text = JSON.stringify(log, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
  expect(text).toContain('a batch is over')
  expect(text).not.toMatch(/Say \d|Hello/)
})
