/** What a worker makes of its proxy's totals when messages and answers overtake each other. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseAddress } from '../../src/chain/index.ts'
import { createHttpEngine, httpEngineOptions } from '../../src/engine/index.ts'
import { workerOptions } from '../../src/roles/worker/index.ts'
import { type Link, openLink, type ProxyMemory } from '../../src/roles/worker/proxy-link.ts'
import { createRequests } from '../../src/roles/worker/requests.ts'
import { createIdentity, createVerifier } from '../../src/tee/index.ts'
import {
  constructorId,
  decode,
  encode,
  proxyWorkerRequestPayment,
  type WorkerPaymentStatus,
  workerPaymentStatus,
  workerUpdatePaymentStatus,
} from '../../src/tl/index.ts'
import { type Connection, type ConnectionHandler, createPowSolver, dial, listen } from '../../src/transport/index.ts'
import {
  CocoonError,
  manualClock,
  noMetrics,
  silentLog,
  systemClock,
  systemRandom,
  NOTHING_KNOWN,
} from '../../src/util/index.ts'
import { startNetwork, type TestNetwork, until } from '../support/network.ts'
import { type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

const tls = (): ReturnType<typeof createIdentity> => createIdentity({ evidence: 'simulated' })
const verifier = createVerifier({ accept: ['simulated'] })
const solver = createPowSolver()
const closing = new CocoonError('capacity.closing')
let engine: ScriptedEngine
let network: TestNetwork

beforeAll(async () => {
  engine = await startScriptedEngine()
  network = await startNetwork({ engineUrl: engine.url })
})
afterAll(async () => {
  solver.close()
  await network.close()
  await engine.close()
})

/** Passes everything on to the network's proxy, and has a word with the worker where it answers the payment status. */
function relay(
  near: Connection,
  answerStatus: (status: WorkerPaymentStatus, answer: () => void) => void,
): ConnectionHandler {
  const to = { host: '127.0.0.1', port: network.proxy.workerPort, identity: tls(), verifier, solver }
  const far = dial(to, () => ({
    message: (data) => near.send(data),
    query: (_data, reply) => reply.error(0, ''),
    closed: () => near.close(closing),
  }))
  return {
    message: () => undefined,
    query(data, reply) {
      const query = data.slice()
      void far
        .then((proxy) => proxy.query(query, { timeoutMs: 10_000 }))
        .then((answer) => {
          if (constructorId(query) !== workerUpdatePaymentStatus.id) return reply.answer(answer)
          answerStatus(decode(workerPaymentStatus, answer), () => reply.answer(answer))
        })
        .catch(() => reply.error(0, 'no'))
    },
    closed: () => void far.then((proxy) => proxy.close(closing)),
  }
}

/** A worker's session through the relay, with its payment status asked for. */
async function askStatusThrough(
  answerStatus: (near: Connection, status: WorkerPaymentStatus, answer: () => void) => void,
  times = 1,
): Promise<{ readonly isOpen: boolean; readonly memory: ReadonlyMap<string, ProxyMemory> }> {
  let answered = 0
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    identity: tls(),
    verifier,
    limits: { powDifficulty: 0 },
    onConnection: (near) =>
      relay(near, (status, answer) => {
        answerStatus(near, status, answer)
        answered++
      }),
  })
  const clock = manualClock()
  const shared = { random: systemRandom, log: silentLog, metrics: noMetrics }
  const httpEngine = createHttpEngine({ ...shared, clock: systemClock }, httpEngineOptions.parse({ url: engine.url }))
  const { multipliers, pricePerToken } = network.config.params
  const price = (): { multipliers: typeof multipliers; pricePerToken: bigint } => ({ multipliers, pricePerToken })
  const requests = createRequests({ ...shared, clock, engine: httpEngine, model: 'm', maxActive: 1, price })
  const memory = new Map<string, ProxyMemory>()
  let link: Link | undefined
  const to = { host: '127.0.0.1', port: listener.port, identity: tls(), verifier, solver }
  const connection = await dial(to, (opened) => {
    const owner = parseAddress(`0:${'99'.repeat(32)}`, 'owner')
    const options = workerOptions.parse({ model: 'm' })
    const config = (): typeof network.config => network.config
    link = openLink(opened, {
      ...shared,
      clock,
      owner,
      options,
      requests,
      memory,
      config,
      abilities: () => NOTHING_KNOWN,
      instance: new Uint8Array(32),
      disabled: () => true,
    })
    return link.handler
  })
  await until(() => link?.ready === true, 'the worker is ready')
  for (let i = 0; i < times; i++) {
    const before = answered
    clock.advance(20_000)
    await until(() => answered > before, 'the status is answered')
    await until(
      () => !connection.open || [...memory.values()].some((known) => known.totals.max > 0n),
      'totals have come',
    )
    // The answer's own turn, so that the next question is asked.
    await connection.query(new Uint8Array(4), { timeoutMs: 10_000 }).catch(() => undefined)
  }
  // Refused by the proxy, which a closed connection could not be.
  const barrier = connection.query(new Uint8Array(4), { timeoutMs: 10_000 }).catch((why: CocoonError) => why.code)
  const isOpen = (await barrier) === 'protocol.refused'
  connection.close(closing)
  await listener.close()
  await httpEngine.close()
  return { isOpen, memory }
}

const payment = ({ signedPayment }: WorkerPaymentStatus, tokens: bigint): Uint8Array =>
  encode(proxyWorkerRequestPayment, {
    requestId: new Uint8Array(32),
    signedPayment,
    dbTokens: tokens,
    maxTokens: tokens,
    requestTokens: tokens,
    requestClientOwner: '',
  })

test('an answer about totals that newer messages have overtaken is no fall of the totals', async () => {
  const { isOpen, memory } = await askStatusThrough((near, status, answer) => {
    // Both leave in one write: the message is read in the turn in which the answer's promise is only settled.
    answer()
    near.send(payment(status, 7n))
  })
  expect(isOpen).toBe(true)
  expect([...memory.values()].map((known) => known.totals.max)).toEqual([7n])
})

test('an answer with totals below those known when it was asked for ends the connection', async () => {
  let asked = 0
  const { isOpen } = await askStatusThrough((near, status, answer) => {
    if (asked++ === 0) near.send(payment(status, 7n))
    answer()
  }, 2)
  expect(isOpen).toBe(false)
})
