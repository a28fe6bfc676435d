/**
 * The proxy's requests, waiting and running: carries out what admission.ts, dispatcher.ts, request.ts and moves.ts decide.
 * Each is bound to the client's connection it came from, and each attempt to the worker's it went to, under an id of its own;
 * a message from anywhere else, or about an earlier attempt, does not find it. One hold, settled once, whoever answers.
 *
 * Longer than a file should be: the life of a request is one state machine. What is pure of it lives elsewhere, and so does what its
 * client is told (telling.ts).
 */
import type { Multipliers } from '../../chain/index.ts'
import { type AdjustedTokens, type Ledger, NO_TOKENS, type OwnerKey } from '../../ledger/index.ts'
import {
  createScratch,
  encode,
  proxyRunQuery,
  proxyRunQueryEx,
  type SignedPayment,
  x1CancelQuery,
} from '../../tl/index.ts'
import { WIRE_STATUS } from '../../transport/index.ts'
import {
  copyBytes,
  addTokens,
  type Clock,
  createRequestStats,
  type Log,
  type Metrics,
  noTrace,
  proxySpan,
  type Random,
  type RequestStats,
  type Timer,
  toHex,
  type Trace,
  type TraceAttributes,
} from '../../util/index.ts'
import { type Admitted, admit, type Refused, sayRefusal } from './admission.ts'
import { encodeError, type Final } from './answers.ts'
import {
  type Attempt,
  ENGINE_ILL,
  type FailedAttempt,
  failureOf,
  lastOf,
  NO_VERDICT,
  type Said,
  verdictOf,
  WORKER_LOST,
} from './attempt.ts'
import { createDecisions, type Decision } from './decisions.ts'
import { Dispatcher, type DispatchLimits, type Effect, type Job, type Refusal, type Why } from './dispatcher.ts'
import { isWorkersFault, MAX_ATTEMPTS, type MoveReason, reasonToMove } from './moves.ts'
import { createKeptCharges, type KeptCharges, NAME_BYTES } from './kept-charges.ts'
import type { PrefixKeys } from './prefix-memory.ts'
import { NOT_STARTED, type Outcome, receiveAnswer, type WorkerAnswer, type WorkerFinal } from './request.ts'
import { countersOf } from './request-counters.ts'
import type { ClientAsk, Party, Running } from './running.ts'
import { baseModelName, type WorkerPool, type WorkerSlot } from './scheduler.ts'
import { createTelling } from './telling.ts'
import type { Verdict } from './worker-record.ts'

export interface RequestDeps {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
  readonly trace?: Trace | undefined
  readonly ledger: Ledger
  readonly pool: WorkerPool
  readonly queue: DispatchLimits
  prefixKeys(client: OwnerKey, payload: Uint8Array): PrefixKeys
  rules(): { readonly configVersion: number; readonly enabled: boolean; readonly multipliers: Multipliers }
  worker(connectionId: number): Party | undefined
  workerPayment(owner: OwnerKey): SignedPayment
  /** A worker's owner as peers write it. */
  shownOwner(owner: OwnerKey): string
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
  /** A worker of this model takes more than before: it came, was enabled or became cheaper. */
  workerChanged(model: string): void
  /** Waiting ones included. */
  readonly running: number
  /** Who waits, and the last decisions, the newest first. */
  scheduling(): {
    readonly waiting: number
    readonly queues: ReturnType<Dispatcher<Job>['queues']>
    readonly decisions: readonly Decision[]
  }
  /** Of those that asked for it. */
  readonly charges: Pick<KeptCharges, 'of' | 'knownForMs'>
  readonly stats: RequestStats
  /** Resolves when nothing runs. */
  idle(): Promise<void>
}

/** Wait for the worker is shorter than the caller's by this share, at each hop. */
const HOP_SHARE = 0.95
/** A worker that was told to stop may take this long to report what it had used. */
const CANCEL_GRACE_MS = 5_000
/** Waiting requests are looked at so often: a wait ends this much too late at worst. */
const TICK_MS = 100
const CANCELLED = 'cancelled by the caller'
export function createRequests(deps: RequestDeps): Requests {
  const { clock, ledger, log, trace = noTrace } = deps
  const dispatcher = new Dispatcher<Running>(deps.pool, deps.queue)
  const runningByAttempt = new Map<string, Running>()
  const allocate = createScratch()
  const telling = createTelling({ clock, allocate, shownOwner: deps.shownOwner })
  const byClientKey = new Map<string, Running>()
  const byConnection = new Map<number, Set<Running>>()
  const decisions = createDecisions()
  const charges = createKeptCharges(clock)
  let ticker: Timer | null = null
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
      : admit(ask, { ...deps.rules(), account })
    if ('code' in decision) return refuse(client, ask, decision)
    const hold = ledger.reserve(client.owner, decision.hold)
    if ('short' in hold)
      return refuse(client, ask, {
        code: WIRE_STATUS.error,
        reason: 'balance',
        message: `client balance is too low: to_reserve=${decision.hold}`,
      })
    const clientRequestId = copyBytes(ask.requestId)
    const startedMs = clock.now()
    const timeoutMs = ask.timeout * 1000
    const { payload, kind, query, needs } = decision
    const request: Running = {
      client,
      clientRequestId,
      clientKey,
      to: { requestId: clientRequestId, version: client.version, allocate },
      hold,
      ask,
      // The bytes of a message are the connection's until its handler returns; another worker may need them later.
      query: copyBytes(query),
      startedMs,
      timer: clock.after(timeoutMs, () => expire(request)),
      attempt: null,
      earlier: NONE,
      progress: NOT_STARTED,
      heard: true,
      model: ask.model,
      account: client.owner,
      cost: ask.maxTokens + query.length / BYTES_A_TOKEN + 1,
      maxCoefficient: ask.maxCoefficient,
      kind,
      needs,
      deadlineMs: startedMs + timeoutMs,
      lostWorkerMs: ask.lostWorkerMs,
      prefix: payload === null ? [] : deps.prefixKeys(client.owner, payload),
      tried: null,
      waiting: null,
      asksForCharge: false,
      isTold: false,
    }
    if (ask.keepCharge === true) charges.begin(client.owner, clientRequestId)
    byClientKey.set(clientKey, request)
    requestsOf(client.connection.id).add(request)
    carry(dispatcher.offer(request, startedMs))
  }

  function carry(effects: readonly Effect<Running>[]): void {
    for (const effect of effects) {
      const request = effect.job
      switch (effect.do) {
        case 'start':
          send(request, effect.slot, effect.why)
          break
        case 'wait':
          note(request, 'waits', {
            waiting: dispatcher.waiting,
            expectedMs: Math.round(dispatcher.expectedWaitMs(request)),
          })
          tickSoon()
          break
        case 'refuse':
          giveUp(request, effect.refusal)
      }
    }
  }

  /** Gives the request to a worker whose place the dispatcher has taken. */
  function send(request: Running, slot: WorkerSlot, why: Why): void {
    const id = attemptId(request)
    const worker = deps.worker(slot.connectionId)
    const startedMs = clock.now()
    if (worker === undefined || !worker.connection.open) {
      tried(request, slot.connectionId)
      const freed = dispatcher.finished(request, slot.connectionId, NO_VERDICT, 0, startedMs)
      carry(dispatcher.again(request, startedMs, true))
      return carry(freed)
    }
    const { coefficient } = slot
    const attempt: Attempt = {
      id,
      key: toHex(id),
      worker,
      coefficient,
      why,
      startedMs,
      span: trace.begin('route', 'server', proxySpan(request.clientRequestId, id)),
      firstAnswerMs: null,
      ill: false,
    }
    request.attempt = attempt
    runningByAttempt.set(attempt.key, request)
    requestsOf(worker.connection.id).add(request)
    if (request.earlier.length === 0) {
      stats.queries.add(1)
      stats.bytesReceived.add(request.query.length)
    }
    if (why.waitedMs > 0) count.waited.observe(why.waitedMs / 1000)
    note(request, request.earlier.length === 0 ? 'sent' : 'sent again', why)
    worker.connection.send(encodeRun(request, attempt))
  }

  /** In the ledger a charge that is kept has the name that its client knows it by. */
  function attemptId({ ask, clientRequestId }: Running): Uint8Array {
    const id = deps.random.bytes(ID_BYTES)
    if (ask.keepCharge === true) id.set(clientRequestId.subarray(0, NAME_BYTES))
    return id
  }

  /** Ends the hold without a charge. */
  function release({ hold, ask, client, clientRequestId }: Running): void {
    ledger.release(hold)
    if (ask.keepCharge === true) charges.end(client.owner, clientRequestId, 0n)
  }

  function tickSoon(): void {
    ticker ??= clock.after(TICK_MS, () => {
      ticker = null
      carry(dispatcher.tick(clock.now()))
      if (dispatcher.waiting > 0) tickSoon()
    })
  }

  /** Nobody takes it: as a refusal where nobody has had it, else with what the last worker said. */
  function giveUp(request: Running, refusal: Refusal): void {
    note(request, 'refused', { reason: refusal.reason, waitedMs: refusal.waitMs })
    const last = request.earlier.at(-1)
    const waitedMs = HAS_WAITED.has(refusal.reason) ? clock.now() - (last?.endedMs ?? request.startedMs) : 0
    if (last !== undefined || waitedMs > 0) telling.story(request, waitedMs)
    if (last !== undefined) return fail(request, last.said.code, last.said.message)
    detach(request)
    release(request)
    if (request.heard) refuse(request.client, request.ask, sayRefusal(request.ask.model, refusal))
    else stats.rejected.add(1)
  }

  function encodeRun(request: Running, { worker, id, coefficient, startedMs: nowMs }: Attempt): Uint8Array {
    const { ask, query, startedMs, deadlineMs } = request
    const fields = {
      query,
      signedPayment: deps.workerPayment(worker.owner),
      coefficient: BigInt(coefficient),
      timeout: HOP_SHARE * (nowMs === startedMs ? ask.timeout : (deadlineMs - nowMs) / 1000),
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
    const request = runningByAttempt.get(toHex(requestId))
    const attempt = request?.attempt
    if (request === undefined || !attempt || attempt.worker.connection.id !== workerConnectionId) {
      count.stray.add()
      return
    }
    const bounds = {
      reserved: request.hold.tokens,
      coefficient: attempt.coefficient,
      multipliers: deps.rules().multipliers,
      maxTokens: request.ask.maxTokens,
      queryBytes: request.ask.query.length,
    }
    const outcome = receiveAnswer(request.progress, message, bounds)
    if (request.progress.phase === 'waiting') {
      attempt.firstAnswerMs = clock.now() - attempt.startedMs
      attempt.span?.event('first answer')
      const reason = reasonToMove(request.progress, message, outcome)
      if (reason !== null) attempt.ill = isWorkersFault(reason)
      if (reason !== null && move(request, attempt, reason, outcome.do === 'fail' ? outcome : ENGINE_ILL)) return
    }
    carryOut(request, attempt, outcome)
  }

  /** Another worker instead of this one, as long as the caller has got nothing. False where nobody else could serve it. */
  function move(request: Running, attempt: Attempt, reason: MoveReason, said: Said): boolean {
    const now = clock.now()
    if (!request.heard || request.earlier.length + 1 >= MAX_ATTEMPTS || now >= request.deadlineMs) return false
    tried(request, attempt.worker.connection.id)
    // What it answered is better than waiting; a loss or an error is not.
    if (reason === 'engine-status' && !dispatcher.couldMove(request, now)) return false
    if (reason !== 'worker-lost' && !dispatcher.couldWait(request, now)) return false
    if (reason === 'engine-status') stopWorker(attempt)
    if (said.blame !== undefined) blame(attempt, said.blame)
    const { connection } = attempt.worker
    const verdict: Verdict = isWorkersFault(reason) ? { is: 'failed', kind: request.kind } : NO_VERDICT
    const freed = leaveWorker(request, attempt, verdict)
    request.earlier = [...request.earlier, { ...attempt, failed: reason, endedMs: now, said }]
    request.attempt = null
    count.moved.add(1, { reason })
    attempt.span?.end(false, { moved: reason, worker: attempt.worker.owner })
    log.info('a request moves to another worker', {
      request: attempt.key.slice(0, LOGGED_ID_DIGITS),
      worker: attempt.worker.owner,
      connection: connection.id,
      reason,
    })
    note(request, 'moves', { reason })
    carry(dispatcher.again(request, now, reason === 'worker-lost'))
    carry(freed)
    return true
  }

  function blame({ key, worker }: Attempt, reason: string): void {
    count.blamed.add(1, { reason })
    log.warn('a worker’s answer was refused', { request: key.slice(0, LOGGED_ID_DIGITS), worker: worker.owner, reason })
  }

  function carryOut(request: Running, attempt: Attempt, outcome: Outcome): void {
    switch (outcome.do) {
      case 'forward':
        request.progress = outcome.progress
        request.query = NOTHING
        if (!request.heard) return
        telling.forward(request, outcome.kind, outcome.bytes)
        return
      case 'finish': {
        settling++
        request.progress = { phase: 'answering', answerBytes: outcome.answerBytes }
        detach(request)
        const last = telling.first(request, outcome.answer)
        request.client.connection.afterSending(() => void settle(request, attempt, outcome.answer.final, last))
        // Only now: what waits takes longer to send than this to write down.
        carry(leaveWorker(request, attempt, verdictOf(request, attempt)))
        return
      }
      case 'fail':
        if (outcome.blame !== undefined) blame(attempt, outcome.blame)
        fail(request, outcome.code, outcome.message, outcome.final)
    }
  }

  async function settle(request: Running, attempt: Attempt, final: WorkerFinal, last: Uint8Array): Promise<void> {
    try {
      await ledger.settle(request.hold, attempt.worker.owner, final.tokens, attempt.id)
      if (request.ask.keepCharge === true)
        charges.end(request.client.owner, request.clientRequestId, final.tokens.total)
      if (request.heard) telling.last(request, last, final)
      else if (request.asksForCharge)
        telling.error(request, WIRE_STATUS.cancelled, CANCELLED, telling.finalFor(request, final))
      deps.announce(announcementOf(request, attempt, final.tokens.total))
    } catch (error) {
      log.error('a settlement failed; the request ends unpaid', {
        request: attempt.key.slice(0, LOGGED_ID_DIGITS),
        error: String(error),
      })
      stats.failed.add(1)
      telling.failure(request, WIRE_STATUS.failure, 'proxy: the settlement could not be recorded', final)
      return settled()
    }
    // Logs and meters can wait until the caller has the end.
    request.client.connection.afterSending(() => {
      succeed(request, final.tokens)
      settled()
    })
  }

  function settled(): void {
    settling--
    wakeWhenIdle()
  }

  function fail(request: Running, code: number, message: string, final?: WorkerFinal): void {
    const { attempt } = request
    detach(request)
    release(request)
    stats.failed.add(1)
    count.requests.add(1, { result: 'failed' })
    logEnd(request, 'failed', { code })
    telling.failure(request, code, message, final)
    const last = attempt ?? request.earlier.at(-1)
    if (last !== undefined) deps.announce(announcementOf(request, last, 0n))
    if (attempt !== null) carry(leaveWorker(request, attempt, failureOf(request, attempt, code, clock.now())))
  }

  /** Both ids: the client logs the one, the worker the other. */
  function logEnd(request: Running, result: 'ok' | 'failed', facts: TraceAttributes): void {
    const worker = lastOf(request)?.worker.owner
    request.attempt?.span?.end(result === 'ok', { ...facts, result, model: request.model, worker: worker ?? '' })
    log.info('request ended', {
      request: lastOf(request)?.key.slice(0, LOGGED_ID_DIGITS),
      clientRequest: toHex(request.clientRequestId.subarray(0, LOGGED_ID_DIGITS / 2)),
      client: request.client.owner,
      worker,
      attempts: request.earlier.length + (request.attempt === null ? 0 : 1),
      result,
      ...facts,
      seconds: (clock.now() - request.startedMs) / 1000,
    })
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

  /** Takes the request off the lists of its client and of the queue. Its hold must be settled or released by the caller. */
  function detach(request: Running): void {
    request.timer.cancel()
    dispatcher.leave(request)
    byClientKey.delete(request.clientKey)
    byConnection.get(request.client.connection.id)?.delete(request)
    wakeWhenIdle()
  }

  /** Gives the worker's place back. What that starts is for the caller to carry out, when its own work is done. */
  function leaveWorker(request: Running, attempt: Attempt, verdict: Verdict): readonly Effect<Running>[] {
    const { connection } = attempt.worker
    runningByAttempt.delete(attempt.key)
    byConnection.get(connection.id)?.delete(request)
    const now = clock.now()
    return dispatcher.finished(request, connection.id, verdict, now - attempt.startedMs, now)
  }

  const isIdle = (): boolean => byClientKey.size === 0 && settling === 0
  function wakeWhenIdle(): void {
    if (isIdle()) for (const wake of waiters.splice(0)) wake()
  }

  function expire(request: Running): void {
    if (request.attempt !== null) stopWorker(request.attempt)
    else telling.story(request, clock.now() - (request.earlier.at(-1)?.endedMs ?? request.startedMs))
    fail(request, WIRE_STATUS.timeout, 'timeout in proxy')
  }

  function stopWorker({ worker, id }: Attempt): void {
    if (worker.connection.peer.extended) worker.connection.send(encode(x1CancelQuery, { requestId: id }))
  }

  /** Nobody listens any more: stop the worker, and do not wait for it longer than it needs to say what it used. */
  function abandon(request: Running): void {
    if (!request.heard) return
    request.heard = false
    const { attempt } = request
    if (attempt === null) return fail(request, WIRE_STATUS.cancelled, CANCELLED)
    stopWorker(attempt)
    if (attempt.worker.connection.peer.extended)
      clock.after(CANCEL_GRACE_MS, () => {
        if (runningByAttempt.get(attempt.key) === request) fail(request, WIRE_STATUS.cancelled, CANCELLED)
      })
  }

  function workerGone(request: Running, connectionId: number): void {
    const { attempt } = request
    if (attempt?.worker.connection.id !== connectionId) return
    if (request.progress.phase === 'waiting' && move(request, attempt, 'worker-lost', WORKER_LOST)) return
    fail(request, WORKER_LOST.code, WORKER_LOST.message)
  }

  function note(request: Running, what: Decision['what'], facts: Decision['facts']): void {
    decisions.add({ atMs: clock.now(), what, model: request.ask.model, client: request.client.owner, facts })
  }

  const requestsOf = (connectionId: number): Set<Running> => {
    let requests = byConnection.get(connectionId)
    if (requests === undefined) byConnection.set(connectionId, (requests = new Set()))
    return requests
  }
  const lose = (connectionId: number, act: (request: Running) => void): void => {
    for (const request of [...(byConnection.get(connectionId) ?? [])]) act(request)
    byConnection.delete(connectionId)
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
    workerLost: (id) => lose(id, (request) => workerGone(request, id)),
    workerChanged: (model) => carry(dispatcher.pump(baseModelName(model), clock.now())),
    scheduling: () => ({
      waiting: dispatcher.waiting,
      queues: dispatcher.queues(),
      decisions: decisions.newest(),
    }),
    get running() {
      return byClientKey.size
    },
    charges,
    stats,
    idle: () => (isIdle() ? Promise.resolve() : new Promise((resolve) => waiters.push(resolve))),
  }
}

const ID_BYTES = 32
/** Of 64: enough to find a request among millions. */
const LOGGED_ID_DIGITS = 16
function tried(request: Running, connectionId: number): void {
  request.tried ??= new Set()
  request.tried.add(connectionId)
}

/** Refusals of requests that were in the queue. */
const HAS_WAITED: ReadonlySet<Refusal['reason']> = new Set<Refusal['reason']>(['queue-expired', 'queue-displaced'])
/** Of a prompt, about: only for sharing. */
const BYTES_A_TOKEN = 4
const NONE: readonly FailedAttempt[] = []
const NOTHING = new Uint8Array()

/** Version 3 and later carry a key field, all zeros in a plain request. */
const NO_KEY = new Uint8Array(32)

const announcementOf = (r: Running, { worker, id }: Attempt, tokens: bigint): Announcement => ({
  client: r.client,
  worker,
  clientRequestId: r.clientRequestId,
  workerRequestId: id,
  tokens,
})
