/**
 * Our sessions in the place of either side of recorded connections between nodes of the public C++ reference: what the
 * recorded peer said is fed in, what we say is held against what the recorded node said in our place.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parseAddress, type RootConfig, signingKeyFromSeed } from '../../src/chain/index.ts'
import type { AnswerSink, Engine, EngineCall } from '../../src/engine/index.ts'
import { createMemoryLedger } from '../../src/ledger/index.ts'
import { clientOptions, type FinalInfo } from '../../src/roles/client/index.ts'
import { openLink as openClientLink } from '../../src/roles/client/proxy-link.ts'
import { createRequests as createClientRequests } from '../../src/roles/client/requests.ts'
import { createClients } from '../../src/roles/proxy/clients.ts'
import type { AuthOffer } from '../../src/roles/proxy/client-session.ts'
import type { ProxyIdentity } from '../../src/roles/proxy/identity.ts'
import { createPaymentSigner } from '../../src/roles/proxy/payments.ts'
import { createRequests } from '../../src/roles/proxy/requests.ts'
import { WorkerPool } from '../../src/roles/proxy/scheduler.ts'
import { createWorkers } from '../../src/roles/proxy/workers.ts'
import { workerOptions } from '../../src/roles/worker/index.ts'
import { openLink as openWorkerLink } from '../../src/roles/worker/proxy-link.ts'
import { createRequests as createWorkerRequests } from '../../src/roles/worker/requests.ts'
import {
  allConstructors,
  type ClientAnswer,
  clientConnectToProxy,
  clientRunQueryEx,
  type ClientRunQueryEx,
  constructorId,
  decode,
  decodeOneOf,
  httpRequest,
  httpResponse,
  type ProxyAnswer,
  proxyRunQueryEx,
  proxyToClientMessages,
  tcpPackets,
  workerConnectedToProxy,
  workerConnectToProxy,
  workerToProxyMessages,
} from '../../src/tl/index.ts'
import type { Connection, ConnectionHandler, Peer } from '../../src/transport/index.ts'
import {
  type CocoonError,
  fromHex,
  manualClock,
  noMetrics,
  type Random,
  Secret,
  silentLog,
  toHex,
  seededRandom,
  NOTHING_KNOWN,
} from '../../src/util/index.ts'

const SESSIONS = ['any', 'fake_tdx-c1000', 'client-direct-tls', 'modes'] as const
const vectors = JSON.parse(readFileSync(new URL('../../spec/vectors/chain/addresses.json', import.meta.url), 'utf8'))

type Node = 'client' | 'worker' | 'proxy'
interface Step {
  readonly leg: 'client' | 'worker'
  readonly connection: number
  readonly from: Node
  readonly kind: 'query' | 'answer' | 'error' | 'packet'
  readonly id: bigint
  readonly data: Uint8Array
}

/** The recorded frames that carry something; greetings and pings are the transport's. */
function stepsOf(session: string): readonly Step[] {
  const text = readFileSync(new URL(`../../spec/vectors/captures/session-${session}.jsonl`, import.meta.url), 'utf8')
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { leg: Step['leg']; connection: number; from: Node; kind: string; hex: string })
  return lines
    .filter((l) => l.kind === 'frame')
    .flatMap(({ leg, connection, from, hex }): Step[] => {
      const packet = decodeOneOf(tcpPackets, fromHex(hex).subarray(8))
      const base = { leg, connection, from }
      if (packet._ === 'tcp.query') return [{ ...base, kind: 'query', id: packet.id, data: packet.data }]
      if (packet._ === 'tcp.queryAnswer') return [{ ...base, kind: 'answer', id: packet.id, data: packet.data }]
      if (packet._ === 'tcp.packet') return [{ ...base, kind: 'packet', id: 0n, data: packet.data }]
      return []
    })
}

const code = (name: 'proxy' | 'worker' | 'client'): { hash: Uint8Array; depth: number } => ({
  hash: fromHex(vectors.codes[name]),
  depth: vectors.codeDepths[name],
})

/** The registry of the recorded network, as far as nodes showed it. */
const config: RootConfig = {
  owner: parseAddress(vectors.root, 'root'),
  root: parseAddress(vectors.root, 'root'),
  proxies: [],
  proxyHashes: new Set(),
  workerHashes: new Set(),
  modelHashes: new Set(),
  lastProxySeqno: 1,
  version: 3,
  params: {
    structVersion: 1,
    paramsVersion: 1,
    uniqueId: 13,
    isTest: true,
    pricePerToken: BigInt(vectors.pricePerToken),
    workerFeePerToken: BigInt(vectors.workerFeePerToken),
    multipliers: { prompt: 10_000, cached: 10_000, completion: 10_000, reasoning: 10_000 },
    proxyDelayBeforeCloseS: 600,
    clientDelayBeforeCloseS: 300,
    minProxyStakeNano: 1_000_000_000n,
    minClientStakeNano: 1_000_000_000n,
    codes: { proxy: code('proxy'), worker: code('worker'), client: code('client') },
  },
  evidence: 'none',
  checkHashes: false,
  testClientBalanceNano: 1_000_000_000_000_000n,
}

/** A connection whose other end is the recording. */
function recordedConnection(id: number): {
  connection: Connection
  sent: Uint8Array[]
  asked: { message: Uint8Array; answer(data: Uint8Array): void }[]
  closedWith: () => CocoonError | null
} {
  const sent: Uint8Array[] = []
  const asked: { message: Uint8Array; answer(data: Uint8Array): void }[] = []
  let closed: CocoonError | null = null
  const peer: Peer = {
    publicKey: new Uint8Array(32),
    evidence: 'none',
    imageHash: null,
    remote: 'recording',
    extended: false,
  }
  const connection: Connection = {
    id,
    peer,
    get open() {
      return closed === null
    },
    congested: false,
    send: (message) => void sent.push(message.slice()),
    afterSending: (then) => then(),
    query: (message) => new Promise((resolve) => asked.push({ message, answer: resolve })),
    close: (why) => void (closed ??= why),
  }
  return { connection, sent, asked, closedWith: () => closed }
}

/** Lets everything that waits in promises happen. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Gives the recorded ids where an id is drawn, and always the shortest pause. */
const recordedRandom = (ids: Uint8Array[]): Random => ({
  fraction: () => 0,
  bytes: (length) => (length === 32 ? (ids.shift() ?? new Uint8Array(32)) : new Uint8Array(length)),
})

const isRun = (s: Step): boolean => s.kind === 'packet' && constructorId(s.data) === clientRunQueryEx.id

/** Status polls depend on the clock: they must be right, but not at the recorded place. */
const POLLS = new Set(['client.updatePaymentStatus', 'worker.updatePaymentStatus'])

describe.each(SESSIONS)('session %s', (session) => {
  const steps = stepsOf(session)

  test('our client says what the recorded client said, and understands what it was told', async () => {
    const mine = steps.filter((s) => s.leg === 'client' && s.connection === 1)
    const hello = decode(clientConnectToProxy, (mine.find((s) => s.kind === 'query') as Step).data)
    const ids = mine.filter(isRun).map((s) => decode(clientRunQueryEx, s.data).requestId)
    const clock = manualClock()
    const { connection, sent, asked, closedWith } = recordedConnection(1)
    const shared = { clock, random: recordedRandom(ids), log: silentLog, config: () => config }
    const requests = createClientRequests({ ...shared, metrics: noMetrics })
    const link = openClientLink(connection, {
      ...shared,
      requests,
      lost() {},
      memory: new Map(),
      owner: parseAddress(hello.params.clientOwnerAddress, 'owner'),
      secret: new Secret(''),
      secretHash: new Uint8Array(createHash('sha256').digest()),
      options: clientOptions.parse({ minVersion: 1, maxVersion: 2 }),
    })
    const outcomes = new Map<string, { text: string; info?: FinalInfo; error?: CocoonError }>()
    const expected = new Map<string, { text: string; total?: bigint; failed: boolean }>()
    for (const step of mine) {
      if (step.from === 'client' && step.kind === 'query') {
        const name = nameOf(step.data)
        if (POLLS.has(name)) clock.advance(10_000)
        if (name === 'client.getWorkerTypesV2') void link.models()
        await settle()
        expect(toHex(asked[0]?.message ?? new Uint8Array())).toBe(toHex(step.data))
      } else if (step.kind === 'answer') {
        asked.shift()?.answer(step.data)
        await settle()
      } else if (isRun(step)) {
        run(decode(clientRunQueryEx, step.data))
        expect(toHex(sent.shift() ?? new Uint8Array())).toBe(toHex(step.data))
      } else {
        note(decodeOneOf(proxyToClientMessages, step.data))
        link.handler.message(step.data)
      }
      expect(closedWith()).toBeNull()
    }
    expect(link.ready).toBe(true)
    for (const [id, outcome] of expected) {
      const got = outcomes.get(id)
      expect(got?.text).toBe(outcome.text)
      expect(got?.error !== undefined).toBe(outcome.failed)
      if (outcome.total !== undefined) expect(got?.info?.tokens.total).toBe(outcome.total)
    }
    expect(outcomes.size).toBe(expected.size)

    function run(query: ClientRunQueryEx): void {
      const request = decode(httpRequest, query.query)
      const outcome: { text: string; info?: FinalInfo; error?: CocoonError } = { text: '' }
      const headers = request.headers.filter((h) => h.name !== 'Content-Length').map((h) => [h.name, h.value] as const)
      const { modelName: model, maxTokens, maxCoefficient } = query
      requests.run(
        connection,
        2,
        {
          path: request.url,
          headers,
          body: request.payload,
          model,
          maxTokens,
          maxCoefficient,
          timeoutMs: Math.round((query.timeout / 0.95) * 1000),
          debug: query.enableDebug ?? false,
          traceId: '',
        },
        {
          head() {},
          part: (bytes) => void (outcome.text += Buffer.from(bytes).toString()),
          end: (info) => void outcomes.set(toHex(query.requestId), Object.assign(outcome, { info })),
          fail: (error) => void outcomes.set(toHex(query.requestId), Object.assign(outcome, { error })),
        },
      )
    }
    function note(message: { readonly _: string }): void {
      if (!message._.startsWith('client.queryAnswer')) return
      const answer = message as ClientAnswer
      const id = toHex(answer.requestId)
      const entry = expected.get(id) ?? { text: '', failed: false }
      const isHead = answer._ === 'client.queryAnswerEx'
      const text = 'answer' in answer && !isHead ? Buffer.from(answer.answer).toString() : ''
      const total = 'finalInfo' in answer ? answer.finalInfo?.tokensUsed.totalTokensUsed : undefined
      expected.set(id, {
        text: entry.text + text,
        failed: entry.failed || answer._.includes('Error'),
        ...(total === undefined ? {} : { total }),
      })
    }
  })

  test('our worker says what the recorded worker said, and counts the same tokens', async () => {
    const mine = steps.filter((s) => s.leg === 'worker' && s.connection === 1)
    const { params } = decode(workerConnectToProxy, (mine.find((s) => s.kind === 'query') as Step).data)
    const clock = manualClock()
    const { connection, sent, asked, closedWith } = recordedConnection(1)
    const calls: { call: EngineCall; sink: AnswerSink }[] = []
    const engine: Engine = {
      run(call, sink) {
        calls.push({ call, sink })
        return { resume() {} }
      },
      models: async () => [],
      close: async () => undefined,
    }
    const requests = createWorkerRequests({
      clock,
      log: silentLog,
      metrics: noMetrics,
      engine,
      model: params.model.split('@', 1)[0] as string,
      maxActive: 60,
      price: () => config.params,
    })
    const link = openWorkerLink(connection, {
      clock,
      random: recordedRandom([]),
      log: silentLog,
      requests,
      memory: new Map(),
      config: () => config,
      owner: parseAddress(params.workerOwnerAddress, 'owner'),
      abilities: () => NOTHING_KNOWN,
      instance: new Uint8Array(32),
      disabled: () => false,
      options: workerOptions.parse({
        model: params.model,
        coefficient: params.coefficient,
        maxActiveRequests: params.maxActiveRequests,
        proxyConnections: params.proxyCnt,
        minVersion: 1,
        maxVersion: 2,
      }),
    })
    for (const step of mine) {
      if (step.from === 'worker' && step.kind === 'query') {
        if (POLLS.has(nameOf(step.data))) clock.advance(10_000)
        await settle()
        expect(toHex(asked[0]?.message ?? new Uint8Array())).toBe(toHex(step.data))
      } else if (step.kind === 'answer') {
        asked.shift()?.answer(step.data)
        await settle()
      } else if (step.from === 'proxy') {
        sent.length = 0
        const before = calls.length
        link.handler.message(step.data)
        if (constructorId(step.data) === proxyRunQueryEx.id)
          answerAsRecorded(decode(proxyRunQueryEx, step.data).requestId, before)
      }
      expect(closedWith()).toBeNull()
    }
    expect(link.ready).toBe(true)

    /** The engine does what the recorded answer shows; our messages must come out in the same order with the same counts. */
    function answerAsRecorded(requestId: Uint8Array, index: number): void {
      const recorded = mine
        .filter((s) => s.from === 'worker' && s.kind === 'packet')
        .map((s) => decodeOneOf(workerToProxyMessages, s.data))
        .filter(
          (m) => m._.startsWith('proxy.queryAnswer') && toHex((m as ProxyAnswer).requestId) === toHex(requestId),
        ) as ProxyAnswer[]
      const [first] = recorded
      if (first === undefined || calls[index] === undefined) {
        // Refused on both sides: the recorded one by its own rules of validation, ours by the same or not at all.
        return
      }
      const { sink } = calls[index] as { sink: AnswerSink }
      if (first._ !== 'proxy.queryAnswerEx') return
      const head = decode(httpResponse, first.answer)
      sink.head(
        head.statusCode,
        head.headers
          .filter((h) => !/^(x-cocoon|transfer-enc|connection)/i.test(h.name))
          .map((h) => [h.name, h.value] as const),
      )
      let total = 0n
      const bodies: Uint8Array[] = []
      for (const message of recorded.slice(1)) {
        if (message._ !== 'proxy.queryAnswerPartEx') continue
        if (message.answer.length > 0) {
          bodies.push(message.answer)
          sink.part(message.answer)
        }
        const used = message.finalInfo?.tokensUsed
        if (used === undefined) continue
        total = used.totalTokensUsed
        // Coefficient 1000 and multipliers of 1: raw counts are the adjusted ones. Coefficient 0 makes all of them 0.
        sink.end({
          promptTokens: Number(used.promptTokensUsed + used.cachedTokensUsed),
          cachedTokens: Number(used.cachedTokensUsed),
          completionTokens: Number(used.completionTokensUsed + used.reasoningTokensUsed),
          reasoningTokens: Number(used.reasoningTokensUsed),
        })
      }
      const ours = sent.map((m) => decodeOneOf(workerToProxyMessages, m) as ProxyAnswer)
      expect(ours.map((m) => m._)).toEqual([
        'proxy.queryAnswerEx',
        ...bodies.map(() => 'proxy.queryAnswerPartEx'),
        'proxy.queryAnswerPartEx',
      ])
      expect(ours.every((m) => toHex(m.requestId) === toHex(requestId))).toBe(true)
      const last = ours.at(-1)
      expect(last && 'finalInfo' in last && last.finalInfo?.tokensUsed.totalTokensUsed).toBe(total)
      expect(decode(httpResponse, (ours[0] as { answer: Uint8Array }).answer)).toMatchObject({
        statusCode: head.statusCode,
        httpVersion: 'HTTP/1.1',
        payload: new Uint8Array(),
      })
    }
  })

  test('our proxy says what the recorded proxy said to both', async () => {
    const introduced = decode(
      workerConnectedToProxy,
      (steps.find((s) => s.leg === 'worker' && s.kind === 'answer') as Step).data,
    ).params
    const identity: ProxyIdentity = {
      publicKey: introduced.proxyPublicKey,
      ownerAddress: introduced.proxyOwnerAddress,
      contractAddress: introduced.proxyScAddress,
      isTest: true,
    }
    const runs = steps
      .filter(
        (s) =>
          s.leg === 'worker' &&
          s.from === 'proxy' &&
          s.kind === 'packet' &&
          constructorId(s.data) === proxyRunQueryEx.id,
      )
      .map((s) => decode(proxyRunQueryEx, s.data))
    const clock = manualClock()
    const ledger = createMemoryLedger({ pricePerToken: config.params.pricePerToken })
    const pool = new WorkerPool(seededRandom(1))
    const random = recordedRandom(runs.map((r) => r.requestId))
    const payments = createPaymentSigner(signingKeyFromSeed(new Uint8Array(32).fill(9)), config.owner, random)
    const offer = (): AuthOffer => ({
      by: 'test-network',
      secretHash: new Uint8Array(createHash('sha256').digest()),
      nonce: 0n,
    })
    const shared = {
      log: silentLog,
      ledger,
      pool,
      payments,
      contract: parseAddress(identity.contractAddress, 'contract'),
      isTestnet: false,
      config: () => config,
      identity: () => identity,
      enabled: () => true,
      now: () => clock.now(),
      sha256: (bytes: Uint8Array) => new Uint8Array(createHash('sha256').update(bytes).digest()),
    }
    const workers = createWorkers({ ...shared, requests: () => requests })
    const requests = createRequests({
      clock,
      random,
      log: silentLog,
      metrics: noMetrics,
      ledger,
      pool,
      queue: { maxQueued: 10, maxQueueWaitMs: 10_000 },
      prefixKeys: () => [],
      rules: () => ({ configVersion: config.version, enabled: true, multipliers: config.params.multipliers }),
      worker: (id) => workers.parties.get(id),
      workerPayment: workers.payment,
      shownOwner: (owner) => owner,
      announce() {},
    })
    const clients = createClients({ ...shared, requests, offer, showWorkers: workers.show })
    const open = new Map<string, { handler: ConnectionHandler; sent: Uint8Array[]; replies: Map<bigint, Uint8Array> }>()
    const end = (s: Step): { handler: ConnectionHandler; sent: Uint8Array[]; replies: Map<bigint, Uint8Array> } => {
      const name = `${s.leg} ${s.connection}`
      let entry = open.get(name)
      if (entry === undefined) {
        const { connection, sent } = recordedConnection(open.size + 1)
        entry = { handler: (s.leg === 'client' ? clients : workers).accept(connection), sent, replies: new Map() }
        open.set(name, entry)
      }
      return entry
    }
    for (const step of steps) {
      const { handler, sent, replies } = end(step)
      if (step.from !== 'proxy' && step.kind === 'query') {
        handler.query(step.data, {
          answer: (m) => void replies.set(step.id, m),
          error: (c, m) => {
            throw new Error(`refused: ${c} ${m}`)
          },
        })
      } else if (step.from !== 'proxy') {
        handler.message(step.data)
        if (!isRun(step)) await settle()
      } else if (step.kind === 'answer') {
        expect(comparable(replies.get(step.id) as Uint8Array)).toEqual(comparable(step.data))
      } else {
        const recorded = comparable(step.data)
        if (/RequestPayment|clientRequestPayment/.test(recorded['_'] as string)) continue
        expect(comparable(sent.shift() ?? new Uint8Array(4))).toEqual(recorded)
      }
    }
    expect([...open.keys()].toSorted()).toEqual(['client 1', 'worker 1'])
    expect(requests.stats.success.read()[0]).toBeGreaterThan(0)
  })
})

function nameOf(data: Uint8Array): string {
  return (anyOf(data) as { _: string })._
}

/** A message without what no two runs share: signatures, times, and how requests' times are written. */
function comparable(data: Uint8Array): Record<string, unknown> {
  return JSON.parse(
    JSON.stringify(anyOf(data), (key, value: unknown) => {
      if (key === 'signedPayment') return (value as { _: string })._
      if (key.endsWith('Time')) return 0
      if (key === 'workerDebug' || key === 'proxyDebug') return ''
      if (key === 'maxTokens' && typeof value === 'bigint') return '*'
      if (key === 'dbTokens' || key === 'tokensCommittedToDb') return '*'
      if (typeof value === 'bigint') return value.toString()
      if (value instanceof Uint8Array && key === 'query') return withoutLimit(value)
      if (value instanceof Uint8Array) return key === 'answer' ? withoutTimes(value) : toHex(value)
      return value
    }),
  )
}

/** A body that leaves its token limit to the envelope gets the envelope's from our proxy; nothing else may differ. */
function withoutLimit(query: Uint8Array): unknown {
  const { payload, ...rest } = decode(httpRequest, query)
  const { max_tokens: _limit, ...body } = JSON.parse(Buffer.from(payload).toString()) as Record<string, unknown>
  return { ...rest, body }
}

/** First answers get the time from every node they pass. */
function withoutTimes(answer: Uint8Array): unknown {
  if (answer.length < 4 || constructorId(answer) !== httpResponse.id) return toHex(answer)
  const { headers, payload, ...rest } = decode(httpResponse, answer)
  return {
    ...rest,
    payload: toHex(payload),
    headers: headers.map((h) => (h.name.startsWith('X-Cocoon-Proxy') ? h.name : `${h.name}: ${h.value}`)),
  }
}

function anyOf(data: Uint8Array): unknown {
  const def = allConstructors.find(({ id }) => id === constructorId(data))
  if (def === undefined) throw new Error('no such constructor')
  return decode(def, data)
}
