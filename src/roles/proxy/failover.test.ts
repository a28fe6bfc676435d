/** Requests whose workers fail before the caller got anything: served by another, charged once; and the queue before them. */
import { expect, test } from 'vitest'
import { createMemoryLedger, NO_TOKENS } from '../../ledger/index.ts'
import {
  constructorId,
  decode,
  decodeIfKnown,
  encode,
  httpRequest,
  httpResponse,
  proxyRunQueryEx,
  proxyToClientMessages,
  x1CancelQuery,
  x1RequestStory,
} from '../../tl/index.ts'
import type { Connection } from '../../transport/index.ts'
import { manualClock, noMetrics, seededRandom, silentLog, utf8 } from '../../util/index.ts'
import type { WorkerAnswer } from './request.ts'
import { createRequests } from './requests.ts'
import type { Party } from './running.ts'
import { WorkerPool } from './scheduler.ts'

const MULTIPLIERS = { prompt: 10_000, cached: 10_000, completion: 10_000, reasoning: 10_000 }
const NO_FINAL = { tokens: NO_TOKENS, debug: '', start: 0, end: 0 }
const FAILED: WorkerAnswer = { is: 'error', code: 601, message: 'worker: http failed: gone', final: NO_FINAL }

interface Recorded extends Party {
  readonly sent: Uint8Array[]
  isOpen: boolean
}

function party(id: number, owner: string): Recorded {
  const sent: Uint8Array[] = []
  const recorded = { isOpen: true, owner, version: 4, sent } as Omit<Recorded, 'connection'>
  const connection = {
    id,
    get open() {
      return recorded.isOpen
    },
    peer: { extended: true },
    send: (bytes: Uint8Array) => void sent.push(bytes.slice()),
    afterSending: (then: () => void) => then(),
  }
  return Object.assign(recorded, { connection: connection as unknown as Connection })
}

const head = (statusCode: number): Uint8Array =>
  encode(httpResponse, { httpVersion: 'HTTP/1.1', statusCode, reason: 'x', headers: [], payload: new Uint8Array() })
const whole = (statusCode = 200, completion = 4n): WorkerAnswer => ({
  is: 'whole',
  head: head(statusCode),
  bytes: utf8('{"ok":true}'),
  final: { ...NO_FINAL, tokens: { ...NO_TOKENS, completion, total: completion } },
})

/** Workers 11, 12 … with one place each; clients 1 (0:a) and 2 (0:b). */
function proxy(workers: number, queue = { maxQueued: 10, maxQueueWaitMs: 10_000 }) {
  const clock = manualClock()
  const ledger = createMemoryLedger({ pricePerToken: 1n })
  const clients = ['a', 'b'].map((name, i) => party(i + 1, `0:${name}`))
  for (const { owner } of clients)
    ledger.openClient(owner, { balanceNano: 10n ** 9n, stakeNano: 10n ** 9n, scTokensUsed: 0n })
  const pool = new WorkerPool(seededRandom(2))
  const parties = new Map<number, Recorded>()
  const join = (id: number): void => {
    parties.set(id, party(id, `0:w${id}`))
    ledger.openWorker(`0:w${id}`)
    pool.add({ connectionId: id, model: 'm', version: 4, coefficient: 1000, capacity: 1 }, clock.now())
    pool.update(id, { enabled: true }, 0)
  }
  for (let i = 0; i < workers; i++) join(11 + i)
  const requests = createRequests({
    clock,
    random: seededRandom(1),
    log: silentLog,
    metrics: noMetrics,
    ledger,
    pool,
    queue,
    prefixKeys: () => [],
    rules: () => ({ configVersion: 1, enabled: true, multipliers: MULTIPLIERS }),
    worker: (id) => parties.get(id),
    workerPayment: () => ({ _: 'proxy.signedPaymentEmpty' }),
    shownOwner: (owner) => owner,
    announce: () => undefined,
  })
  let asked = 0
  return {
    clock,
    ledger,
    requests,
    join,
    clients,
    ask(from = 0, over: { timeout?: number; debug?: boolean } = {}): Uint8Array {
      const payload = utf8('{"model":"m","messages":[],"max_tokens":10}')
      const http = { method: 'POST', url: '/v1/chat/completions', httpVersion: 'HTTP/1.1', headers: [], payload }
      const requestId = new Uint8Array(32).fill(++asked)
      requests.start(clients[from] as Recorded, {
        model: 'm',
        query: encode(httpRequest, http),
        maxCoefficient: 1000,
        maxTokens: 10,
        timeout: 60,
        requestId,
        minConfigVersion: 0,
        debug: false,
        ...over,
      })
      return requestId
    },
    /** What each worker was asked to run, newest last. */
    runs: (id: number) =>
      (parties.get(id)?.sent ?? [])
        .filter((bytes) => constructorId(bytes) === proxyRunQueryEx.id)
        .map((bytes) => decode(proxyRunQueryEx, bytes)),
    cancelled: (id: number): number =>
      (parties.get(id)?.sent ?? []).filter((bytes) => constructorId(bytes) === x1CancelQuery.id).length,
    answer(id: number, answer: WorkerAnswer, run = -1): void {
      const { requestId } = this.runs(id).at(run) as { requestId: Uint8Array }
      requests.answer(id, requestId, answer)
    },
    lose(id: number): void {
      parties.delete(id)
      pool.remove(id, 0)
      requests.workerLost(id)
    },
    heard: (from = 0) =>
      (clients[from] as Recorded).sent
        .filter((bytes) => constructorId(bytes) !== x1RequestStory.id)
        .map((bytes) => decodeIfKnown(proxyToClientMessages, bytes)?._ ?? 'whole'),
    /** What the client was told of who had its requests, and whether something else was sent before. */
    stories: (from = 0) =>
      (clients[from] as Recorded).sent.flatMap((bytes, at) =>
        constructorId(bytes) === x1RequestStory.id ? [{ at, ...decode(x1RequestStory, bytes) }] : [],
      ),
    errors: (from = 0): string[] =>
      (clients[from] as Recorded).sent.flatMap((bytes) => {
        const m = decodeIfKnown(proxyToClientMessages, bytes)
        return m?._ === 'client.queryAnswerErrorEx' ? [`${m.errorCode} ${m.error}`] : []
      }),
    money: (from = 0) => {
      const account = ledger.client((clients[from] as Recorded).owner)
      return { used: account?.totals.max, reserved: account?.reserved }
    },
    /** The worker that has the request now. */
    at: (): number => [...parties.keys()].find((id) => pool.slot(id)?.running === 1) ?? 0,
  }
}

/** All of the answer, and what it cost. */
const SERVED = ['whole', 'client.queryAnswerPartEx']

test.each([
  ['is lost', (p: ReturnType<typeof proxy>, id: number) => p.lose(id)],
  ['has an engine that failed', (p: ReturnType<typeof proxy>, id: number) => p.answer(id, FAILED)],
  ['has an engine that says it is ill', (p: ReturnType<typeof proxy>, id: number) => p.answer(id, whole(503, 0n))],
  ['claims more than is possible', (p: ReturnType<typeof proxy>, id: number) => p.answer(id, whole(200, 9999n))],
])('a request whose worker %s before any answer is served by another and charged once', async (_, fail) => {
  const p = proxy(2)
  p.ask()
  const first = p.at()
  fail(p, first)
  const second = p.at()
  expect(new Set([first, second])).toEqual(new Set([11, 12]))
  expect(p.heard()).toEqual([])
  p.answer(second, whole())
  await p.requests.idle()
  expect(p.heard()).toEqual(SERVED)
  expect(p.money()).toEqual({ used: 4n, reserved: 0n })
  expect(p.ledger.worker(`0:w${second}`)?.totals.max).toBe(4n)
  expect(p.ledger.worker(`0:w${first}`)?.totals.max).toBe(0n)
})

test('the next worker gets the same bytes and what is left of the time', () => {
  const p = proxy(2)
  p.ask()
  const first = p.at()
  p.clock.advance(20_000)
  p.answer(first, FAILED)
  const [before, after] = [p.runs(first)[0], p.runs(p.at())[0]]
  expect(after?.query).toEqual(before?.query)
  expect(before?.timeout).toBeCloseTo(0.95 * 60)
  expect(after?.timeout).toBeCloseTo(0.95 * 40)
})

test('an earlier worker’s late answer is not mixed into the later one’s', async () => {
  const p = proxy(2)
  p.ask()
  const first = p.at()
  p.answer(first, { is: 'head', bytes: head(502), final: null })
  expect(p.cancelled(first)).toBe(1)
  p.answer(first, { is: 'part', bytes: utf8('bad gateway'), final: NO_FINAL })
  p.answer(p.at(), whole())
  await p.requests.idle()
  expect(p.heard()).toEqual(SERVED)
})

test('a request whose caller has got a part of an answer is not moved, and costs nothing when it fails', async () => {
  const p = proxy(2)
  p.ask()
  const first = p.at()
  p.answer(first, { is: 'head', bytes: head(200), final: null })
  p.lose(first)
  await p.requests.idle()
  expect(p.errors()).toEqual(['653 the worker’s connection was lost'])
  expect(p.money()).toEqual({ used: 0n, reserved: 0n })
  expect(p.at()).toBe(0)
})

test('three workers that fail are enough: the caller hears what the last one said', async () => {
  const p = proxy(5)
  p.ask()
  for (let i = 0; i < 3; i++) p.answer(p.at(), FAILED)
  await p.requests.idle()
  expect(p.errors()).toEqual(['601 worker: http failed: gone'])
  expect(p.money()).toEqual({ used: 0n, reserved: 0n })
})

test('where nobody else is there, an engine’s own words are passed on', async () => {
  const p = proxy(1)
  p.ask()
  p.answer(11, whole(503, 0n))
  await p.requests.idle()
  expect(p.heard()).toEqual(SERVED)
})

test('a request whose only worker is lost waits for the next to come', async () => {
  const p = proxy(1)
  p.ask()
  p.lose(11)
  expect(p.heard()).toEqual([])
  p.join(12)
  p.requests.workerChanged('m@c:h')
  p.answer(12, whole())
  await p.requests.idle()
  expect(p.heard()).toEqual(SERVED)
  expect(p.money()).toEqual({ used: 4n, reserved: 0n })
})

test('if none comes it ends with the loss, and costs nothing', async () => {
  const p = proxy(1)
  p.ask()
  p.lose(11)
  p.clock.advance(10_100)
  await p.requests.idle()
  expect(p.errors()).toEqual(['653 the worker’s connection was lost'])
  expect(p.money()).toEqual({ used: 0n, reserved: 0n })
})

test('when all are busy the next waits, and is served as soon as one is free', async () => {
  const p = proxy(1)
  p.ask(0)
  p.ask(1)
  expect(p.requests.scheduling()).toMatchObject({ waiting: 1, queues: [{ model: 'm', waiting: 1 }] })
  p.clock.advance(3_000)
  p.answer(11, whole())
  p.answer(11, whole())
  await p.requests.idle()
  expect([p.heard(0), p.heard(1)]).toEqual([SERVED, SERVED])
  expect(p.requests.scheduling().decisions.map((d) => d.what)).toEqual(['sent', 'waits', 'sent'])
})

test('a wait that takes too long is refused with a time to come back, and holds no money any more', () => {
  const p = proxy(1)
  p.ask(0)
  p.ask(1)
  p.clock.advance(10_100)
  expect(p.errors(1)).toEqual([
    expect.stringMatching(/^651 no ready workers for model m: waited 10\.\d s; try again in \d+ ms$/),
  ])
  expect(p.money(1)).toEqual({ used: 0n, reserved: 0n })
})

test('a full queue refuses at once', () => {
  const p = proxy(1, { maxQueued: 1, maxQueueWaitMs: 10_000 })
  for (let i = 0; i < 3; i++) p.ask(0)
  expect(p.errors()).toEqual([expect.stringMatching(/^651 no ready workers for model m: the queue is full; try again/)])
})

test('a caller that goes while it waits leaves the queue, its worker’s place to the next, and its money free', () => {
  const p = proxy(1)
  p.ask(0)
  const second = p.ask(1)
  p.requests.cancel(2, second)
  expect(p.requests.scheduling().waiting).toBe(0)
  expect(p.money(1)).toEqual({ used: 0n, reserved: 0n })
  p.answer(11, whole())
  expect(p.runs(11).length).toBe(1)
})

test('debug information says who had the request, why, and how that went', async () => {
  const p = proxy(2)
  p.ask(0, { debug: true })
  p.answer(p.at(), FAILED)
  p.answer(p.at(), { is: 'head', bytes: head(200), final: { ...NO_FINAL } })
  await p.requests.idle()
  const last = decodeIfKnown(proxyToClientMessages, p.clients[0]?.sent.at(-1) as Uint8Array)
  if (last?._ !== 'client.queryAnswerPartEx') throw new Error('another message')
  const { scheduling } = JSON.parse(last.finalInfo?.proxyDebug ?? '') as { scheduling: { attempts: object[] } }
  expect(scheduling.attempts).toMatchObject([{ failed: 'worker-failed' }, { candidates: 1, coefficient: 1000 }])
})

test('a client of ours is told who had its request, when, and why it moved, before the answer', async () => {
  const p = proxy(2)
  p.ask()
  const first = p.at()
  p.clock.advance(40)
  p.answer(first, FAILED)
  const second = p.at()
  p.clock.advance(60)
  p.answer(second, whole())
  await p.requests.idle()
  expect(p.stories()).toMatchObject([
    {
      at: 0,
      queuedMs: 0,
      attempts: [
        { worker: `0:w${first}`, sentMs: 0, firstAnswerMs: 40, endedMs: 40, ended: 'worker-failed' },
        { worker: `0:w${second}`, sentMs: 40, firstAnswerMs: 100 },
      ],
    },
  ])
})

test('a request that only waited is told so when it is refused; one that is refused at once costs no message more', () => {
  const p = proxy(1, { maxQueued: 1, maxQueueWaitMs: 3_000 })
  p.ask()
  p.ask()
  p.ask()
  expect([p.heard(), p.stories()]).toEqual([['client.queryAnswerErrorEx'], []])
  p.clock.advance(3_100)
  expect(p.heard()).toHaveLength(2)
  expect(p.stories()).toMatchObject([{ attempts: [] }])
  expect(p.stories()[0]?.queuedMs).toBeGreaterThanOrEqual(3_000)
})

test('a stream is told once who serves it, also when it breaks off', () => {
  const p = proxy(1)
  p.ask()
  p.answer(11, { is: 'head', bytes: head(200), final: null })
  p.answer(11, { is: 'part', bytes: utf8('a'), final: null })
  p.lose(11)
  expect(p.stories()).toHaveLength(1)
  expect(p.stories()[0]?.attempts).toMatchObject([{ worker: '0:w11', firstAnswerMs: 0 }])
})
