/** What a whole answer becomes on its way to clients that know it and clients that do not. */
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
  x1ClientAnswer,
  x1RequestStory,
} from '../../tl/index.ts'
import type { Connection } from '../../transport/index.ts'
import { manualClock, noMetrics, seededRandom, silentLog, utf8 } from '../../util/index.ts'
import { createRequests } from './requests.ts'
import type { Party } from './running.ts'
import { WorkerPool } from './scheduler.ts'

const MULTIPLIERS = { prompt: 10_000, cached: 10_000, completion: 10_000, reasoning: 10_000 }

/** First half of the request's id. */
const NAME = new Uint8Array(16).fill(7)

interface TestParty extends Party {
  readonly sent: Uint8Array[]
  /** What waits until the messages before it have left. */
  readonly waiting: (() => void)[]
}

function party(id: number, owner: string, extended: boolean): TestParty {
  const sent: Uint8Array[] = []
  const waiting: (() => void)[] = []
  const send = (bytes: Uint8Array): void => void sent.push(bytes.slice())
  const afterSending = (then: () => void): void => void waiting.push(then)
  const connection = { id, open: true, peer: { extended }, send, afterSending }
  return { connection: connection as unknown as Connection, owner, version: 4, sent, waiting }
}

/** One request, answered by the worker with a whole answer; gives what the client was sent before and after the charge. */
async function clientHears(extended: boolean, keepCharge = false) {
  const clock = manualClock()
  const ledger = createMemoryLedger({ pricePerToken: 1n })
  ledger.openClient('0:c', { balanceNano: 10n ** 9n, stakeNano: 10n ** 9n, scTokensUsed: 0n })
  ledger.openWorker('0:w')
  const [client, worker] = [party(1, '0:c', extended), party(2, '0:w', true)]
  const pool = new WorkerPool(seededRandom(2))
  pool.add({ connectionId: 2, model: 'm', version: 4, coefficient: 1000, capacity: 1 }, clock.now())
  pool.update(2, { enabled: true }, 0)
  const requests = createRequests({
    clock,
    random: seededRandom(1),
    log: silentLog,
    metrics: noMetrics,
    ledger,
    pool,
    queue: { maxQueued: 10, maxQueueWaitMs: 10_000 },
    prefixKeys: () => [],
    rules: () => ({ configVersion: 1, enabled: true, multipliers: MULTIPLIERS }),
    worker: () => worker,
    workerPayment: () => ({ _: 'proxy.signedPaymentEmpty' }),
    shownOwner: (owner) => owner,
    announce: () => undefined,
  })
  const payload = utf8('{"model":"m","messages":[],"max_tokens":10}')
  const http = { method: 'POST', url: '/v1/chat/completions', httpVersion: 'HTTP/1.1', headers: [], payload }
  requests.start(client, {
    model: 'm',
    query: encode(httpRequest, http),
    maxCoefficient: 1000,
    maxTokens: 10,
    timeout: 60,
    requestId: new Uint8Array(32).fill(7),
    minConfigVersion: 0,
    debug: false,
    keepCharge,
  })
  const kept = () => requests.charges.of('0:c', [NAME]).map(({ tokens, isRunning }) => ({ tokens, isRunning }))
  const { requestId } = decode(proxyRunQueryEx, worker.sent[0] as Uint8Array)
  const head = { httpVersion: 'HTTP/1.1', statusCode: 200, reason: 'OK', headers: [], payload: new Uint8Array() }
  requests.answer(2, requestId, {
    is: 'whole',
    head: encode(httpResponse, head),
    bytes: utf8('{"ok":true}'),
    final: { tokens: { ...NO_TOKENS, completion: 4n, total: 4n }, debug: '', start: 1, end: 2 },
  })
  expect(ledger.client('0:c')?.totals.max).toBe(0n)
  const first: readonly Uint8Array[] = client.sent.splice(0)
  const keptBefore = kept()
  const leaves = (): void => {
    for (const then of client.waiting.splice(0)) then()
  }
  leaves()
  // The charge is written down.
  await new Promise((resolve) => setImmediate(resolve))
  leaves()
  await requests.idle()
  expect(ledger.client('0:c')?.totals.max).toBe(4n)
  const last: readonly Uint8Array[] = client.sent
  return { first, last, attemptId: requestId, keptBefore, kept: kept() }
}

const usageIn = (messages: readonly Uint8Array[]) => {
  const [last, ...more] = messages.map((bytes) => decodeIfKnown(proxyToClientMessages, bytes))
  if (last?._ !== 'client.queryAnswerPartEx' || more.length > 0) throw new Error('other messages')
  return { body: Buffer.from(last.answer).toString(), info: last.finalInfo }
}

test('a client with our extension gets who served it and all of the answer, and once that is charged the usage', async () => {
  const { first, last } = await clientHears(true)
  expect(first.map(constructorId)).toEqual([x1RequestStory.id, x1ClientAnswer.id])
  const { body, requestId, workerStartTime, workerEndTime } = decode(x1ClientAnswer, first[1] as Uint8Array)
  expect(Buffer.from(body).toString()).toBe('{"ok":true}')
  expect([workerStartTime, workerEndTime]).toEqual([1, 2])
  expect(requestId).toEqual(new Uint8Array(32).fill(7))
  const { body: rest, info } = usageIn(last)
  expect(rest).toBe('')
  expect(info).toMatchObject({ tokensUsed: { totalTokensUsed: 4n }, workerStartTime: 1, workerEndTime: 2 })
})

test('a client without it gets a first answer with all four times, and once it is charged the body and the usage', async () => {
  const { first, last } = await clientHears(false)
  const [head, ...more] = first.map((bytes) => decodeIfKnown(proxyToClientMessages, bytes))
  if (head?._ !== 'client.queryAnswerEx' || more.length > 0) throw new Error('other messages')
  expect(decode(httpResponse, head.answer).headers).toEqual([
    { name: 'X-Cocoon-Worker-Start', value: '1.000000' },
    { name: 'X-Cocoon-Worker-End', value: '2.000000' },
    { name: 'X-Cocoon-Proxy-Start', value: expect.any(String) },
    { name: 'X-Cocoon-Proxy-End', value: expect.any(String) },
  ])
  const { body, info } = usageIn(last)
  expect(body).toBe('{"ok":true}')
  expect(info).toMatchObject({ tokensUsed: { totalTokensUsed: 4n } })
})

test('a charge that its client wants kept is told when it is written down, under the name that the worker’s id begins with', async () => {
  const { keptBefore, kept, attemptId } = await clientHears(true, true)
  expect(keptBefore).toEqual([{ tokens: 0n, isRunning: true }])
  expect(kept).toEqual([{ tokens: 4n, isRunning: false }])
  expect(attemptId.subarray(0, 16)).toEqual(NAME)
  expect(attemptId.subarray(16)).not.toEqual(NAME)
})

test('of other requests nothing is kept, and their ids tell the worker nothing', async () => {
  const { keptBefore, kept, attemptId } = await clientHears(true)
  expect([keptBefore, kept]).toEqual([[], []])
  expect(attemptId.subarray(0, 16)).not.toEqual(NAME)
})
