/**
 * The proxy's running requests: carries out what admission.ts and request.ts decide. Each request is bound to the client
 * and worker connection it came from and went to; a message from anywhere else does not find it.
 */
import type { Multipliers } from '../../chain/index.ts'
import { type AdjustedTokens, type Hold, type Ledger, NO_TOKENS, type OwnerKey } from '../../ledger/index.ts'
import {
  createScratch,
  decode,
  encode,
  httpResponseToPass,
  proxyRunQuery,
  proxyRunQueryEx,
  type SignedPayment,
  x1CancelQuery,
} from '../../tl/index.ts'
import { type Connection, WIRE_STATUS } from '../../transport/index.ts'
import {
  addTokens,
  type Clock,
  type Counter,
  createRequestStats,
  type Log,
  type LogFields,
  type Metrics,
  type Random,
  type RequestStats,
  type Timer,
  toHex,
} from '../../util/index.ts'
import { type Admitted, type Ask, admit, type Refused } from './admission.ts'
import { type AnswerTo, encodeError, encodeHead, encodePart, encodeWhole, type Final } from './answers.ts'
import {
  type LastAnswer,
  NOT_STARTED,
  type Outcome,
  type Progress,
  receiveAnswer,
  type WorkerAnswer,
  type WorkerFinal,
} from './request.ts'
import type { WorkerPool } from './scheduler.ts'

/** A ready peer, as requests need it. */
export interface Party {
  readonly connection: Connection
  readonly owner: OwnerKey
  readonly version: number
}

export interface ClientAsk extends Ask {
  readonly requestId: Uint8Array
  readonly debug: boolean
}

export interface RequestDeps {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
  readonly ledger: Ledger
  readonly pool: WorkerPool
  rules(): { readonly configVersion: number; readonly enabled: boolean; readonly multipliers: Multipliers }
  worker(connectionId: number): Party | undefined
  workerPayment(owner: OwnerKey): SignedPayment
  /** Tells both sides what a request cost, after it is durable. */
  announce(request: Announcement): void
}

export interface Announcement {
  readonly client: Party
  readonly worker: Party
  readonly clientRequestId: Uint8Array
  readonly workerRequestId: Uint8Array
  readonly tokens: bigint
}

export interface Requests {
  start(client: Party, ask: ClientAsk): void
  answer(workerConnectionId: number, requestId: Uint8Array, answer: WorkerAnswer): void
  /** The caller hung up: stops the worker where it understands that. The request stays until the worker has answered. */
  cancel(clientConnectionId: number, requestId: Uint8Array): void
  clientLost(connectionId: number): void
  workerLost(connectionId: number): void
  readonly running: number
  readonly stats: RequestStats
  /** Resolves when nothing runs. */
  idle(): Promise<void>
}

interface Running {
  readonly id: Uint8Array
  readonly key: string
  readonly client: Party
  readonly clientRequestId: Uint8Array
  readonly clientKey: string
  /** How the client is answered. */
  readonly to: AnswerTo
  readonly worker: Party
  readonly hold: Hold
  readonly ask: ClientAsk
  readonly coefficient: number
  readonly startedMs: number
  readonly timer: Timer
  progress: Progress
  /** False once the caller has gone or cancelled: nothing of the answer is sent to it any more. */
  heard: boolean
  /** It cancelled and is still connected: in the end it is told what was charged. */
  asksForCharge: boolean
}

/** Wait for the worker is shorter than the caller's by this share, at each hop. */
const HOP_SHARE = 0.95
/** A worker that was told to stop may take this long to report what it had used. */
const CANCEL_GRACE_MS = 5_000
const CANCELLED = 'cancelled by the caller'
const COUNT_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300]

export function createRequests(deps: RequestDeps): Requests {
  const { clock, ledger, log, pool } = deps
  const running = new Map<string, Running>()
  const allocate = createScratch()
  const byClientKey = new Map<string, Running>()
  const keysByConnection = new Map<number, Set<string>>()
  const waiters: (() => void)[] = []
  /** Ended requests whose settlement is being written: their last part has not left yet. */
  let settling = 0
  const stats = createRequestStats(clock)
  const count = countersOf(deps.metrics)

  const nowS = (): number => clock.now() / 1000
  const clientKeyOf = (connectionId: number, requestId: Uint8Array): string => `${connectionId} ${toHex(requestId)}`

  function start(client: Party, ask: ClientAsk): void {
    const account = ledger.client(client.owner)
    if (account === undefined) return
    const clientKey = clientKeyOf(client.connection.id, ask.requestId)
    const decision: Admitted | Refused = byClientKey.has(clientKey)
      ? { code: WIRE_STATUS.protocolViolation, reason: 'bad-field', message: 'request_id is in use' }
      : admit(ask, { ...deps.rules(), account, pool })
    if ('code' in decision) return refuse(client, ask, decision)
    const worker = deps.worker(decision.slot.connectionId)
    if (worker === undefined || !worker.connection.open)
      return refuse(client, ask, { code: WIRE_STATUS.error, reason: 'worker-lost', message: 'connection is dead' })
    const hold = ledger.reserve(client.owner, decision.hold)
    if ('short' in hold)
      return refuse(client, ask, {
        code: WIRE_STATUS.error,
        reason: 'balance',
        message: `client balance is too low: to_reserve=${decision.hold}`,
      })
    const id = deps.random.bytes(32)
    const clientRequestId = ask.requestId.slice()
    const request: Running = {
      id,
      key: toHex(id),
      client,
      clientRequestId,
      clientKey,
      to: { requestId: clientRequestId, version: client.version, allocate },
      worker,
      hold,
      ask,
      coefficient: decision.slot.coefficient,
      startedMs: clock.now(),
      timer: clock.after(ask.timeout * 1000, () => expire(request)),
      progress: NOT_STARTED,
      heard: true,
      asksForCharge: false,
    }
    running.set(request.key, request)
    byClientKey.set(clientKey, request)
    for (const { connection } of [client, worker]) keysOf(connection.id).add(request.key)
    pool.begin(worker.connection.id)
    stats.queries.add(1)
    stats.bytesReceived.add(decision.query.length)
    worker.connection.send(encodeRun(request, decision.query))
  }

  function encodeRun({ ask, worker, id, coefficient }: Running, query: Uint8Array): Uint8Array {
    const fields = {
      query,
      signedPayment: deps.workerPayment(worker.owner),
      coefficient: BigInt(coefficient),
      timeout: HOP_SHARE * ask.timeout,
      requestId: id,
    }
    if (worker.version === 0) return encode(proxyRunQuery, fields)
    const withKey = worker.version >= 3
    return encode(proxyRunQueryEx, {
      ...fields,
      flags: withKey ? 3 : 1,
      enableDebug: ask.debug,
      ...(withKey ? { privateKey: NO_KEY } : {}),
    })
  }

  function refuse(client: Party, ask: ClientAsk, { code, message, reason }: Refused): void {
    stats.rejected.add(1)
    count.refused.add(1, { reason })
    const now = nowS()
    const times = { proxyStart: now, proxyEnd: now, workerStart: now, workerEnd: now }
    const final: Final = { tokens: NO_TOKENS, times, debug: ask.debug ? { worker: '', proxy: '' } : undefined }
    client.connection.send(
      encodeError({ requestId: ask.requestId, version: client.version }, { code, message }, final, false),
    )
  }

  function answer(workerConnectionId: number, requestId: Uint8Array, message: WorkerAnswer): void {
    const request = running.get(toHex(requestId))
    if (request === undefined || request.worker.connection.id !== workerConnectionId) {
      count.stray.add()
      return
    }
    const bounds = {
      reserved: request.hold.tokens,
      coefficient: request.coefficient,
      multipliers: deps.rules().multipliers,
      maxTokens: request.ask.maxTokens,
      queryBytes: request.ask.query.length,
    }
    carryOut(request, receiveAnswer(request.progress, message, bounds))
  }

  function carryOut(request: Running, outcome: Outcome): void {
    switch (outcome.do) {
      case 'forward':
        request.progress = outcome.progress
        if (!request.heard) return
        request.client.connection.send(
          outcome.kind === 'head'
            ? encodeHead(request.to, withTimes(request, outcome.bytes))
            : encodePart(request.to, outcome.bytes),
        )
        return
      case 'finish': {
        settling++
        request.progress = { phase: 'answering', answerBytes: outcome.answerBytes }
        end(request)
        void settle(request, kept(outcome.answer))
        return
      }
      case 'fail':
        if (outcome.blame !== undefined) {
          count.blamed.add(1, { reason: outcome.blame })
          log.warn('a worker’s answer was refused', {
            request: request.key.slice(0, 16),
            worker: request.worker.owner,
            reason: outcome.blame,
          })
        }
        fail(request, outcome.code, outcome.message, outcome.final)
    }
  }

  /** A first answer with the proxy's times in it, and with the worker's where those came elsewhere. */
  function withTimes(request: Running, head: Uint8Array, worker?: WorkerFinal): Uint8Array {
    const response = decode(httpResponseToPass, head)
    const times = [
      ...(worker === undefined ? [] : [timeHeader('Worker-Start', worker.start), timeHeader('Worker-End', worker.end)]),
      timeHeader('Proxy-Start', request.startedMs / 1000),
      timeHeader('Proxy-End', nowS()),
    ]
    return encode(httpResponseToPass, { ...response, headers: { ...response.headers, more: times } })
  }

  /** The end of an answer, in one message where the client knows that one. */
  function sendLast(request: Running, answer: LastAnswer): void {
    const { to, client } = request
    const final = finalFor(request, answer.final)
    if (answer.is === 'part') return client.connection.send(encodePart(to, answer.bytes, final))
    if (answer.is === 'head') return client.connection.send(encodeHead(to, withTimes(request, answer.bytes), final))
    if (client.connection.peer.extended && to.version > 0)
      return client.connection.send(encodeWhole(to, answer.head, answer.bytes, final))
    client.connection.send(encodeHead(to, withTimes(request, answer.head, answer.final)))
    client.connection.send(encodePart(to, answer.bytes, final))
  }

  async function settle(request: Running, answer: LastAnswer): Promise<void> {
    const { final } = answer
    try {
      await ledger.settle(request.hold, request.worker.owner, final.tokens, request.id)
      succeed(request, final.tokens)
      if (request.heard) sendLast(request, answer)
      else if (request.asksForCharge) sendError(request, WIRE_STATUS.cancelled, CANCELLED, finalFor(request, final))
      deps.announce(announcementOf(request, final.tokens.total))
    } catch (error) {
      log.error('a settlement failed; the request ends unpaid', {
        request: request.key.slice(0, 16),
        error: String(error),
      })
      stats.failed.add(1)
      tell(request, WIRE_STATUS.failure, 'proxy: the settlement could not be recorded', final)
    } finally {
      settling--
      wakeWhenIdle()
    }
  }

  function fail(request: Running, code: number, message: string, final?: WorkerFinal): void {
    end(request)
    ledger.release(request.hold)
    stats.failed.add(1)
    count.requests.add(1, { result: 'failed' })
    logEnd(request, 'failed', { code })
    tell(request, code, message, final)
    deps.announce(announcementOf(request, 0n))
  }

  /** Both ids: the client logs the one, the worker the other. */
  function logEnd(request: Running, result: 'ok' | 'failed', facts: LogFields): void {
    log.info('request ended', {
      request: request.key.slice(0, LOGGED_ID_DIGITS),
      clientRequest: toHex(request.clientRequestId.subarray(0, LOGGED_ID_DIGITS / 2)),
      client: request.client.owner,
      worker: request.worker.owner,
      result,
      ...facts,
      seconds: (clock.now() - request.startedMs) / 1000,
    })
  }

  function tell(request: Running, code: number, message: string, final?: WorkerFinal): void {
    if (!request.heard && !request.asksForCharge) return
    const none = { ...(final ?? { debug: '', start: 0, end: 0 }), tokens: NO_TOKENS }
    sendError(request, code, message, finalFor(request, none))
  }

  function sendError({ client, to, progress }: Running, code: number, message: string, final: Final): void {
    client.connection.send(encodeError(to, { code, message }, final, progress.phase !== 'waiting'))
  }

  function finalFor(request: Running, final: WorkerFinal): Final {
    const times = {
      proxyStart: request.startedMs / 1000,
      proxyEnd: nowS(),
      workerStart: final.start,
      workerEnd: final.end,
    }
    if (!request.ask.debug) return { tokens: final.tokens, times }
    const proxy = JSON.stringify({
      type: 'proxy_stats',
      start_time: times.proxyStart,
      answer_receive_end_at: times.proxyEnd,
    })
    return { tokens: final.tokens, times, debug: { worker: final.debug, proxy } }
  }

  function succeed(request: Running, tokens: AdjustedTokens): void {
    const seconds = (clock.now() - request.startedMs) / 1000
    stats.success.add(1)
    stats.time.add(seconds)
    stats.bytesSent.add(request.progress.answerBytes)
    addTokens(stats, tokens)
    count.requests.add(1, { result: 'ok' })
    count.duration.observe(seconds)
    logEnd(request, 'ok', { tokens: tokens.total })
  }

  /** Takes the request off every list. Its hold must be settled or released by the caller. */
  function end(request: Running): void {
    request.timer.cancel()
    running.delete(request.key)
    byClientKey.delete(request.clientKey)
    for (const { connection } of [request.client, request.worker])
      keysByConnection.get(connection.id)?.delete(request.key)
    pool.finish(request.worker.connection.id)
    wakeWhenIdle()
  }

  const isIdle = (): boolean => running.size === 0 && settling === 0
  function wakeWhenIdle(): void {
    if (isIdle()) for (const wake of waiters.splice(0)) wake()
  }

  function expire(request: Running): void {
    stopWorker(request)
    fail(request, WIRE_STATUS.timeout, 'timeout in proxy')
  }

  function stopWorker({ worker, id }: Running): void {
    if (worker.connection.peer.extended) worker.connection.send(encode(x1CancelQuery, { requestId: id }))
  }

  /** Nobody listens any more: stop the worker, and do not wait for it longer than it needs to say what it used. */
  function abandon(request: Running): void {
    if (!request.heard) return
    request.heard = false
    stopWorker(request)
    if (request.worker.connection.peer.extended)
      clock.after(CANCEL_GRACE_MS, () => running.has(request.key) && fail(request, WIRE_STATUS.cancelled, CANCELLED))
  }

  const keysOf = (connectionId: number): Set<string> => {
    let keys = keysByConnection.get(connectionId)
    if (keys === undefined) keysByConnection.set(connectionId, (keys = new Set()))
    return keys
  }
  const lose = (connectionId: number, act: (request: Running) => void): void => {
    const keys = keysByConnection.get(connectionId) ?? []
    for (const request of [...keys].map((key) => running.get(key))) if (request !== undefined) act(request)
    keysByConnection.delete(connectionId)
  }

  return {
    start,
    answer,
    cancel(clientConnectionId, requestId) {
      const request = byClientKey.get(clientKeyOf(clientConnectionId, requestId))
      if (request === undefined) return
      request.asksForCharge = request.client.connection.peer.extended
      abandon(request)
    },
    clientLost: (id) =>
      lose(id, (request) => {
        request.asksForCharge = false
        abandon(request)
      }),
    workerLost: (id) => lose(id, (request) => fail(request, WIRE_STATUS.cancelled, 'the worker’s connection was lost')),
    get running() {
      return running.size
    },
    stats,
    idle: () => (isIdle() ? Promise.resolve() : new Promise((resolve) => waiters.push(resolve))),
  }
}

/** Of 64: enough to find a request among millions. */
const LOGGED_ID_DIGITS = 16
const timeHeader = (what: string, seconds: number): { name: string; value: string } => ({
  name: `X-Cocoon-${what}`,
  value: seconds.toFixed(6),
})

/** The bytes of a message are the connection's until its handler returns; a settlement takes longer. */
const kept = (answer: LastAnswer): LastAnswer =>
  answer.is === 'whole'
    ? { ...answer, head: answer.head.slice(), bytes: answer.bytes.slice() }
    : { ...answer, bytes: answer.bytes.slice() }

/** Version 3 and later carry a key field, all zeros in a plain request. */
const NO_KEY = new Uint8Array(32)

const announcementOf = (r: Running, tokens: bigint): Announcement => ({
  client: r.client,
  worker: r.worker,
  clientRequestId: r.clientRequestId,
  workerRequestId: r.id,
  tokens,
})

function countersOf(metrics: Metrics): Readonly<Record<'requests' | 'refused' | 'stray' | 'blamed', Counter>> & {
  duration: ReturnType<Metrics['histogram']>
} {
  return {
    requests: metrics.counter('requests_total', 'Requests that ended, by result', ['result']),
    refused: metrics.counter('requests_refused_total', 'Requests refused before they reached a worker, by reason', [
      'reason',
    ]),
    stray: metrics.counter('stray_answers_total', 'Answers for requests that do not run on that worker connection'),
    blamed: metrics.counter('worker_answers_refused_total', 'Worker answers refused, by reason', ['reason']),
    duration: metrics.histogram('request_seconds', 'Time from admission to settlement', COUNT_BUCKETS),
  }
}
