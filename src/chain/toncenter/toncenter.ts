/** TON through several toncenter endpoints: the first that is well is asked, the next when it fails. */
import type { Address } from '@ton/core'
import { type Clock, CocoonError, type Log, type Metrics, type Random, toCocoonError } from '../../util/index.ts'
import { pause } from '../pause.ts'
import type { AccountState, ChainAccess, ReadOptions, SendBocResult } from '../reader.ts'
import { readAccount, readAgreed } from './account.ts'
import { createEndpoint, type Endpoint, type EndpointOptions } from './endpoint.ts'
import { readHistory } from './history.ts'
import type { ChainIdentity } from './identity.ts'
import { fetchPost, type HttpPost } from './http.ts'
import { BlockHeader, FirstState, MasterchainInfo, RunResult, SendResult } from './schemas.ts'
import { decodeStack, encodeStack } from './stack.ts'

export interface ToncenterOptions {
  /** In the order in which they are preferred. */
  readonly endpoints: readonly EndpointOptions[]
  /** For one answer. */
  readonly timeoutMs?: number
  /** An endpoint whose newest block is older than this is behind. */
  readonly maxAgeMs?: number
  /** Whether `confirmed` readings take two endpoints; true where there are two. */
  readonly crossCheck?: boolean
  /** The chain that is meant; without, endpoints are not asked which one they serve. */
  readonly identity?: ChainIdentity
}

export interface ToncenterDeps {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
  /** Another way to send HTTP requests; for tests. */
  readonly post?: HttpPost
}

const DEFAULT_TIMEOUT_MS = 10_000
/** A dozen blocks. */
const DEFAULT_MAX_AGE_MS = 60_000
/** Rounds over all endpoints before giving up, and the time before the second; it doubles. */
const ROUNDS = 3
const FIRST_PAUSE_MS = 500

/** Another endpoint may do better. */
const RETRIED = new Set(['chain.unavailable', 'chain.bad-answer', 'chain.stale', 'chain.clock', 'chain.other-network'])

export function createToncenter(options: ToncenterOptions, deps: ToncenterDeps): ChainAccess {
  const { clock, random, log } = deps
  const requests = deps.metrics.counter('chain_requests_total', 'Requests to TON endpoints by outcome', [
    'endpoint',
    'outcome',
  ])
  const endpoints = options.endpoints.map((one) =>
    createEndpoint(one, {
      clock,
      random,
      requests,
      log,
      ...(options.identity === undefined ? {} : { identity: options.identity }),
      post: deps.post ?? fetchPost,
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      maxAgeMs: options.maxAgeMs ?? DEFAULT_MAX_AGE_MS,
    }),
  )
  if (endpoints.length === 0)
    throw new CocoonError('config.ton-endpoints', { message: 'no toncenter endpoint is configured: give at least one' })
  const crossCheck = options.crossCheck ?? endpoints.length > 1
  if (crossCheck && endpoints.length < 2)
    throw new CocoonError('config.ton-endpoints', { message: 'crossCheck needs a second toncenter endpoint' })

  deps.metrics.gauge(
    'chain_clock_offset_seconds',
    'How far this machine’s clock is ahead of the endpoint’s that says most; 0 where none says',
    () => -endpoints.map((e) => (e.serverAheadMs() ?? 0) / 1000).reduce((a, b) => (Math.abs(a) < Math.abs(b) ? b : a)),
  )

  /** Why endpoints rest; null while one answers. */
  let trouble: CocoonError | null = null

  /** Runs `ask` on `count` endpoints that are well, best first; on others when they fail. */
  async function withEndpoints<T>(
    count: 1 | 2,
    ask: (chosen: readonly Endpoint[]) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    let last = trouble ?? new CocoonError('chain.unavailable', { message: 'no toncenter endpoint could be asked' })
    for (let round = 0; round < ROUNDS; round++) {
      if (round > 0) await pause(clock, random.fraction() * FIRST_PAUSE_MS * 2 ** round, signal)
      const well = endpoints.filter((e) => e.circuit.restMs() === 0)
      for (const chosen of choices(well, count)) {
        signal?.throwIfAborted()
        try {
          const answer = await ask(chosen)
          trouble = null
          return answer
        } catch (error) {
          signal?.throwIfAborted()
          last = toCocoonError(error)
          if (!RETRIED.has(last.code)) throw error
          trouble = last
          log.debug('a TON endpoint failed', { code: last.code, why: last.message })
        }
      }
    }
    const retryAfterMs = Math.min(...endpoints.map((e) => e.circuit.restMs()))
    // The last endpoint's words say most; when to come again is known only here.
    throw new CocoonError(last.code, { ...last.info, message: last.message, retryAfterMs }, { cause: last })
  }
  const withOne = <T>(ask: (endpoint: Endpoint) => Promise<T>, signal?: AbortSignal): Promise<T> =>
    withEndpoints(1, ([endpoint]) => ask(endpoint as Endpoint), signal)

  const getAccount = (address: Address, { signal, confirmed = false }: ReadOptions = {}): Promise<AccountState> =>
    confirmed && crossCheck
      ? withEndpoints(2, ([a, b]) => readAgreed([a as Endpoint, b as Endpoint], address, clock, signal), signal)
      : withOne((endpoint) => readAccount(endpoint, address, signal), signal)

  return {
    getAccount,
    async getTransactions(address, range) {
      const until =
        range.until ?? (await getAccount(address, range.signal === undefined ? {} : { signal: range.signal }))
      return withOne((endpoint) => readHistory(endpoint, address, { ...range, until }), range.signal)
    },
    runGetMethod(address, method, stack = [], { signal } = {}) {
      const params = { address: address.toRawString(), method, stack: encodeStack(stack) }
      return withOne((endpoint) => {
        const result = RunResult.transform((raw) => ({ exitCode: raw.exit_code, stack: decodeStack(raw.stack) }))
        return endpoint.call('runGetMethod', params, result, signal)
      }, signal)
    },
    zeroState: ({ signal } = {}) =>
      withOne((endpoint) => {
        const told = FirstState.transform(({ init }) => init.root_hash)
        return endpoint.call('getMasterchainInfo', {}, told, signal)
      }, signal),
    masterchainInfo: ({ signal } = {}) =>
      withOne(async (endpoint) => {
        const before = endpoint.newest()
        const { last } = await endpoint.call('getMasterchainInfo', {}, MasterchainInfo, signal)
        const place = { workchain: -1, shard: '-9223372036854775808', seqno: last.seqno }
        const fresh = BlockHeader.transform(({ gen_utime }) => {
          const info = { seqno: last.seqno, atMs: gen_utime * 1000 }
          endpoint.checkFresh(info, before)
          return info
        })
        return endpoint.call('getBlockHeader', place, fresh, signal)
      }, signal),
    /** Through every endpoint that is well: the same bytes count once, wherever they arrive. */
    async sendBoc(message, { signal } = {}) {
      const boc = message.toBoc().toString('base64')
      const well = endpoints.filter((e) => e.circuit.restMs() === 0)
      const answers = await Promise.allSettled(
        well.map((endpoint) => endpoint.call('sendBoc', { boc }, SendResult, signal)),
      )
      signal?.throwIfAborted()
      if (answers.some((a) => a.status === 'fulfilled')) return { accepted: true }
      const errors = answers.flatMap((a) => (a.status === 'rejected' ? [toCocoonError(a.reason)] : []))
      const refused = errors.find((e) => e.code === 'chain.refused')
      if (refused !== undefined) return { accepted: false, why: String(refused.info.why) } satisfies SendBocResult
      throw errors[0] ?? new CocoonError('chain.unavailable', { message: 'no toncenter endpoint could be asked' })
    },
  }
}

/** One after the other, or all pairs: the best first. */
function choices(well: readonly Endpoint[], count: 1 | 2): readonly (readonly Endpoint[])[] {
  if (count === 1) return well.map((endpoint) => [endpoint])
  return well.flatMap((a, i) => well.slice(i + 1).map((b) => [a, b]))
}
