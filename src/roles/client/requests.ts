/** A client's running requests: each has a timer of its own and ends with its connection; late answers find nobody. */
import type { RootConfig } from '../../chain/index.ts'
import { upperBound } from '../../ledger/index.ts'
import {
  type ClientAnswer,
  type ClientQueryFinalInfo,
  clientRunQuery,
  clientRunQueryEx,
  decode,
  encode,
  type FieldsOf,
  httpRequest,
  httpResponse,
  sizeOf,
  type TokensUsed,
  x1CancelQuery,
  x1KeepCharge,
  type X1ClientAnswer,
  type X1RequestStory,
} from '../../tl/index.ts'
import { type Connection, MAX_FRAME_PAYLOAD_BYTES } from '../../transport/index.ts'
import {
  addTokens,
  type Clock,
  clientSpan,
  CocoonError,
  type Counter,
  createRequestStats,
  type Log,
  type Metrics,
  noTrace,
  type Random,
  type RequestStats,
  type Span,
  type Timer,
  toHex,
  type Trace,
  traceparentOf,
} from '../../util/index.ts'
import { attemptsAt, type SeenOfProxy, workerIn } from './attempts.ts'
import type {
  ChargedTokens,
  Charge,
  FinalInfo,
  InferenceRequest,
  InferenceSink,
  Quote,
  RequestStory,
  RunningInference,
} from './inference.ts'
import { refusedByPeer } from './refusals.ts'

export interface RequestsDeps {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
  readonly trace?: Trace | undefined
  config(): RootConfig
}

export interface Requests {
  run(connection: Connection, version: number, request: InferenceRequest, sink: InferenceSink): RunningInference
  quote(request: InferenceRequest): Quote
  answer(connectionId: number, answer: ClientAnswer): void
  wholeAnswer(connectionId: number, answer: X1ClientAnswer): void
  /** Who has had a request. */
  story(connectionId: number, story: X1RequestStory): void
  lost(connectionId: number, why: CocoonError): void
  /** nanoTON that all requests so far can have cost: what was told where an answer ended well, else the most it could be. */
  mostOwedNano(): bigint
  readonly running: number
  /** Requests running on one connection. */
  runningOn(connectionId: number): number
  readonly stats: RequestStats
  idle(): Promise<void>
}

interface Running {
  readonly key: string
  readonly connection: Connection
  readonly requestId: Uint8Array
  readonly request: InferenceRequest
  readonly sink: InferenceSink
  readonly startedMs: number
  readonly maxCostNano: bigint
  readonly timer: Timer
  readonly span: Span | null
  hasHead: boolean
  firstByteMs: number | null
  ended: { readonly atMs: number; readonly how: string } | null
  /** Null where the proxy has not told, or does not. */
  story: X1RequestStory | null
  charge: Charge | undefined
  readonly askers: ((charge: Charge) => void)[]
}

/** What the proxy is given of the caller's time, so that its timeout still arrives. */
const HOP_SHARE = 0.95
/** How long a proxy that was told to stop may take to say what it charged; its workers have five seconds. */
const CHARGE_PATIENCE_MS = 10_000
/** Room for the envelope around the query in one frame. */
const ENVELOPE_BYTES = 4096
const NO_KEY = new Uint8Array(32)
/** Of 64: enough to find a request among millions. */
const LOGGED_ID_DIGITS = 16
const SECONDS_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300]

export function createRequests(deps: RequestsDeps): Requests {
  const { clock, trace = noTrace } = deps
  const running = new Map<string, Running>()
  /** Ended here before the proxy had ended them: it may still say what they cost. */
  const owed = new Map<string, Running>()
  const countByConnection = new Map<number, number>()
  const waiters: (() => void)[] = []
  let mostOwedNano = 0n
  const stats = createRequestStats(clock)
  const ended: Counter = deps.metrics.counter('requests_total', 'Requests that ended, by result', ['result'])
  const stray = deps.metrics.counter('stray_answers_total', 'Answers for requests that are not running')
  const firstByte = deps.metrics.histogram('first_answer_seconds', 'Time until the first answer', SECONDS_BUCKETS)
  const duration = deps.metrics.histogram('request_seconds', 'Time until the end of the answer', SECONDS_BUCKETS)

  function run(
    connection: Connection,
    version: number,
    request: InferenceRequest,
    sink: InferenceSink,
  ): RunningInference {
    const requestId = deps.random.bytes(32)
    if (request.recall !== undefined) requestId.set(request.recall.name)
    const ids = clientSpan(requestId)
    const span = trace.begin('inference', 'client', ids)
    const query = encode(httpRequest, queryOf(request, span === null ? null : traceparentOf(ids)))
    if (query.length > MAX_FRAME_PAYLOAD_BYTES - ENVELOPE_BYTES)
      throw new CocoonError('request.too-large', {
        message: `the request is larger than the ${MAX_FRAME_PAYLOAD_BYTES} bytes that a message may have`,
      })
    const { version: minConfigVersion } = deps.config()
    const { maxCostNano } = priceOf(request, query.length)
    const { maxTokens, maxCoefficient } = request
    const entry: Running = {
      key: toHex(requestId),
      connection,
      requestId,
      request,
      sink,
      startedMs: clock.now(),
      maxCostNano,
      timer: clock.after(request.timeoutMs, () => {
        stop(entry)
        awaitCharge(entry)
        fail(
          entry,
          new CocoonError('capacity.timeout', { message: `no complete answer within ${request.timeoutMs / 1000} s` }),
        )
      }),
      span,
      hasHead: false,
      firstByteMs: null,
      ended: null,
      story: null,
      charge: undefined,
      askers: [],
    }
    running.set(entry.key, entry)
    mostOwedNano += entry.maxCostNano
    countByConnection.set(connection.id, (countByConnection.get(connection.id) ?? 0) + 1)
    stats.queries.add(1)
    stats.bytesSent.add(query.length)
    const fields = {
      modelName: request.model,
      query,
      maxCoefficient,
      maxTokens,
      timeout: (HOP_SHARE * request.timeoutMs) / 1000,
      requestId,
      minConfigVersion,
    }
    if (request.recall !== undefined && connection.peer.extended) connection.send(encode(x1KeepCharge, { requestId }))
    if (version === 0) connection.send(encode(clientRunQuery, fields))
    else {
      const withKey = version >= 3
      connection.send(
        encode(clientRunQueryEx, {
          ...fields,
          flags: withKey ? 3 : 1,
          enableDebug: request.debug,
          ...(withKey ? { publicKey: NO_KEY } : {}),
        }),
      )
    }
    return {
      cancel() {
        if (!running.has(entry.key)) return
        stop(entry)
        awaitCharge(entry)
        end(entry, 'cancelled')
      },
      charge: () =>
        entry.charge === undefined
          ? new Promise((resolve) => entry.askers.push(resolve))
          : Promise.resolve(entry.charge),
      story: () => storyOf(entry),
    }
  }

  function storyOf({ connection, startedMs, firstByteMs, ended, story }: Running): RequestStory {
    const seen: SeenOfProxy = {
      proxy: connection.peer.remote,
      firstByteMs: firstByteMs === null ? null : firstByteMs - startedMs,
      endedMs: ended === null ? null : ended.atMs - startedMs,
      ended: ended?.how ?? null,
      story,
    }
    const sinceMs = clock.now() - startedMs
    const queuedMs = story === null ? null : Math.min(sinceMs, Math.max(0, story.queuedMs))
    return { queuedMs, attempts: attemptsAt(seen, sinceMs) }
  }

  function priceOf({ maxTokens, maxCoefficient }: InferenceRequest, queryBytes: number): Quote {
    const { pricePerToken, multipliers } = deps.config().params
    const maxCostNano = upperBound(maxTokens, queryBytes, maxCoefficient, multipliers) * pricePerToken
    return { maxCostNano, pricePerTokenNano: pricePerToken, multipliers }
  }

  function awaitCharge(entry: Running): void {
    owed.set(entry.key, entry)
    const patienceMs = CHARGE_PATIENCE_MS + (entry.connection.peer.extended ? 0 : entry.request.timeoutMs)
    clock.after(patienceMs, () => charged(entry, 'unknown'))
  }

  function charged(entry: Running, charge: Charge): void {
    owed.delete(entry.key)
    if (entry.charge !== undefined) return
    entry.charge = charge
    for (const tell of entry.askers.splice(0)) tell(charge)
  }

  /** True when the message was for a request that has ended here. */
  function settleOwed(connectionId: number, requestId: Uint8Array, final: () => Charge | undefined): boolean {
    const entry = owed.size === 0 ? undefined : owed.get(toHex(requestId))
    if (entry === undefined || entry.connection.id !== connectionId) return false
    const charge = final()
    if (charge !== undefined) charged(entry, charge)
    return true
  }

  function runningOne(connectionId: number, requestId: Uint8Array): Running | undefined {
    const entry = running.get(toHex(requestId))
    if (entry !== undefined && entry.connection.id === connectionId) return entry
    stray.add()
    return undefined
  }

  function wholeAnswer(connectionId: number, message: X1ClientAnswer): void {
    const { requestId, head, body } = message
    if (settleOwed(connectionId, requestId, () => undefined)) return
    const entry = runningOne(connectionId, requestId)
    if (entry === undefined) return
    receiveHead(entry, head, timeHeaders(message))
    if (!running.has(entry.key)) return
    stats.bytesReceived.add(body.length)
    if (body.length > 0) entry.sink.part(body)
  }

  function answer(connectionId: number, message: ClientAnswer): void {
    if (settleOwed(connectionId, message.requestId, () => chargeIn(message))) return
    const entry = runningOne(connectionId, message.requestId)
    if (entry === undefined) return
    switch (message._) {
      case 'client.queryAnswerEx':
      case 'client.queryAnswer':
        receiveHead(entry, message.answer)
        break
      case 'client.queryAnswerPartEx':
      case 'client.queryAnswerPart':
        if (!entry.hasHead)
          return fail(
            entry,
            new CocoonError('protocol.answer-order', { message: 'the proxy sent a part before the first answer' }),
          )
        stats.bytesReceived.add(message.answer.length)
        if (message.answer.length > 0) entry.sink.part(message.answer)
        break
      case 'client.queryAnswerErrorEx':
      case 'client.queryAnswerError':
      case 'client.queryAnswerPartError': {
        const charge = chargeIn(message) ?? 'nothing'
        charged(entry, charge)
        const info = typeof charge === 'string' ? undefined : charge
        return fail(entry, refusedByPeer(message.errorCode, message.error), info)
      }
    }
    const final = finalFrom(message)
    if (final !== undefined && running.has(entry.key)) succeed(entry, final)
  }

  function receiveHead(entry: Running, bytes: Uint8Array, more: Headers = []): void {
    if (entry.hasHead)
      return fail(entry, new CocoonError('protocol.answer-order', { message: 'the proxy sent a second first answer' }))
    const { statusCode, headers, payload } = decode(httpResponse, bytes)
    if (statusCode < 200 || statusCode > 599)
      return fail(
        entry,
        new CocoonError('protocol.answer-status', { message: `the answer has the impossible status ${statusCode}` }),
      )
    entry.hasHead = true
    entry.span?.event('first answer')
    entry.firstByteMs = clock.now()
    firstByte.observe((entry.firstByteMs - entry.startedMs) / 1000)
    const { connection, maxCostNano, story } = entry
    const told = story === null ? {} : { worker: workerIn(story), attempts: story.attempts.length }
    entry.sink.head({
      status: statusCode,
      headers: [...headers.map((h) => [h.name, h.value] as const), ...more],
      maxCostNano,
      proxy: connection.peer.remote,
      evidence: connection.peer.evidence,
      ...told,
    })
    if (payload.length > 0) entry.sink.part(payload)
  }

  /** What a message says of the charge; undefined when it is not the last one. */
  function chargeIn(message: ClientAnswer): Charge | undefined {
    switch (message._) {
      case 'client.queryAnswerErrorEx':
        return message.finalInfo === undefined ? 'nothing' : finalOf(message.finalInfo)
      case 'client.queryAnswerError':
      case 'client.queryAnswerPartError':
        return 'nothing'
      default:
        return finalFrom(message)
    }
  }

  /** Present on the message that ends a request. */
  function finalFrom(message: Exclude<ClientAnswer, { readonly _: `${string}Error${string}` }>): FinalInfo | undefined {
    if ('finalInfo' in message || 'flags' in message)
      return message.finalInfo === undefined ? undefined : finalOf(message.finalInfo)
    if (!message.isCompleted) return undefined
    return priced(message.requestTokensUsed, { proxyStart: 0, proxyEnd: 0, workerStart: 0, workerEnd: 0 })
  }

  function finalOf(info: ClientQueryFinalInfo): FinalInfo {
    const {
      proxyStartTime: proxyStart = 0,
      proxyEndTime: proxyEnd = 0,
      workerStartTime: workerStart = 0,
      workerEndTime: workerEnd = 0,
    } = info
    const { workerDebug, proxyDebug } = info
    return {
      ...priced(info.tokensUsed, { proxyStart, proxyEnd, workerStart, workerEnd }),
      ...(workerDebug === undefined ? {} : { workerDebug }),
      ...(proxyDebug === undefined ? {} : { proxyDebug }),
    }
  }

  function priced(
    t: TokensUsed,
    times: Pick<FinalInfo, 'proxyStart' | 'proxyEnd' | 'workerStart' | 'workerEnd'>,
  ): FinalInfo {
    const tokens: ChargedTokens = {
      prompt: t.promptTokensUsed,
      cached: t.cachedTokensUsed,
      completion: t.completionTokensUsed,
      reasoning: t.reasoningTokensUsed,
      total: t.totalTokensUsed,
    }
    return { tokens, costNano: tokens.total * deps.config().params.pricePerToken, ...times }
  }

  function succeed(entry: Running, info: FinalInfo): void {
    leave(entry, 'ok')
    mostOwedNano -= entry.maxCostNano - info.costNano
    charged(entry, info)
    entry.sink.end(info)
    // Logs and meters can wait until the caller has the end.
    addTokens(stats, info.tokens)
    tell(entry, 'ok', { tokens: info.tokens.total })
  }

  function fail(entry: Running, why: CocoonError, info?: FinalInfo): void {
    end(entry, 'failed', { code: why.code })
    // Whatever the proxy did wrong, it may have charged for it.
    if (!owed.has(entry.key)) charged(entry, 'unknown')
    entry.sink.fail(why, info)
  }

  function end(entry: Running, result: 'ok' | 'failed' | 'cancelled', facts: EndFacts = {}): void {
    leave(entry, result === 'failed' ? String(facts['code']) : result)
    tell(entry, result, facts)
  }

  function leave(entry: Running, how: string): void {
    entry.timer.cancel()
    entry.ended = { atMs: clock.now(), how }
    running.delete(entry.key)
    const id = entry.connection.id
    const left = (countByConnection.get(id) ?? 1) - 1
    if (left === 0) countByConnection.delete(id)
    else countByConnection.set(id, left)
  }

  function tell(entry: Running, result: 'ok' | 'failed' | 'cancelled', facts: EndFacts): void {
    const seconds = (clock.now() - entry.startedMs) / 1000
    stats[result === 'ok' ? 'success' : 'failed'].add(1)
    stats.time.add(seconds)
    ended.add(1, { result })
    // The proxy logs this id beside its own, which the worker logs: so one request is found on every node it passed.
    const ids = { trace: entry.request.traceId, request: entry.key.slice(0, LOGGED_ID_DIGITS) }
    deps.log.info('request ended', { ...ids, result, ...facts, seconds })
    if (result === 'ok') duration.observe(seconds)
    const { model } = entry.request
    entry.span?.end(result === 'ok', { ...facts, result, model, proxy: entry.connection.peer.remote })
    if (running.size === 0) for (const wake of waiters.splice(0)) wake()
  }

  function stop({ connection, requestId }: Running): void {
    if (connection.peer.extended) connection.send(encode(x1CancelQuery, { requestId }))
  }

  return {
    run,
    quote: (request) =>
      priceOf(request, sizeOf(httpRequest, queryOf(request, trace === noTrace ? null : ANY_TRACEPARENT))),
    answer,
    wholeAnswer,
    story(connectionId, story) {
      const entry = running.get(toHex(story.requestId))
      // The request may have ended here meanwhile: then nobody asks.
      if (entry !== undefined && entry.connection.id === connectionId) entry.story ??= story
    },
    lost(connectionId, why) {
      const lost = new CocoonError(
        'protocol.proxy-lost',
        { message: `the connection to the proxy was lost (${why.code})`, retryAfterMs: 1_000 },
        { cause: why },
      )
      for (const entry of [...running.values()]) if (entry.connection.id === connectionId) fail(entry, lost)
      for (const entry of [...owed.values()]) if (entry.connection.id === connectionId) charged(entry, 'unknown')
    },
    get running() {
      return running.size
    },
    mostOwedNano: () => mostOwedNano,
    runningOn: (connectionId) => countByConnection.get(connectionId) ?? 0,
    stats,
    idle: () => (running.size === 0 ? Promise.resolve() : new Promise((resolve) => waiters.push(resolve))),
  }
}

/** A quote is for the request as it will leave. */
const ANY_TRACEPARENT = traceparentOf(clientSpan(new Uint8Array(32)))

/** What a log line and a span say about the end. */
type EndFacts = Readonly<Record<string, string | bigint>>

type Headers = InferenceRequest['headers']

/** What peers write into a first answer; an answer that came whole has them beside it. */
function timeHeaders(message: X1ClientAnswer): Headers {
  return [
    ['X-Cocoon-Worker-Start', message.workerStartTime.toFixed(6)],
    ['X-Cocoon-Worker-End', message.workerEndTime.toFixed(6)],
    ['X-Cocoon-Proxy-Start', message.proxyStartTime.toFixed(6)],
    ['X-Cocoon-Proxy-End', message.proxyEndTime.toFixed(6)],
  ]
}

function queryOf({ path, headers, body }: InferenceRequest, traceparent: string | null): FieldsOf<typeof httpRequest> {
  const all = headers.map(([name, value]) => ({ name, value }))
  all.push({ name: 'Content-Length', value: String(body.length) })
  if (traceparent !== null) all.push({ name: 'traceparent', value: traceparent })
  return { method: 'POST', url: path, httpVersion: 'HTTP/1.1', headers: all, payload: body }
}
