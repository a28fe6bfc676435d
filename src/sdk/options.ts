/** Options of `createClient`: what an application may say, and what it becomes. */
import type { z } from 'zod'
import { clientApiOptions } from '../api/index.ts'
import { type Address, loadNetworkFile, parseAddress, parseNetworkFile, type Registry } from '../chain/index.ts'
import { type ClientOptions, clientOptions } from '../roles/client/index.ts'
import {
  type Clock,
  type Log,
  type Metrics,
  noMetrics,
  type Random,
  Secret,
  silentLog,
  systemClock,
  systemRandom,
} from '../util/index.ts'
import { badOption } from './errors.ts'

export interface CreateClientOptions {
  /**
   * The network: the path of its file, which is then watched for new versions, or the content as an object. Where its evidence
   * is real, proxies must prove theirs; what that needs is fetched from the hardware's makers.
   */
  readonly network: string | Readonly<Record<string, unknown>>
  /**
   * The account that pays, in any form of a TON address. Default: one that all clients without their own share, which is
   * fit for networks without money.
   */
  readonly ownerAddress?: string
  /** What this client proves to proxies that it is the account's. Networks without money need none. */
  readonly secret?: string | Secret<string>
  /** Proxies to keep a connection to; requests are spread over them. Default 1. */
  readonly proxyConnections?: number
  /** Token limit of requests that give none. Default 1000. */
  readonly defaultMaxTokens?: number
  /** Highest price accepted by requests that give none, per mille of the network's price. Default 4000. */
  readonly defaultMaxCoefficient?: number
  /** Time limit of requests that give none. Default 120 000. */
  readonly defaultTimeoutMs?: number
  /** Requests in work at once; more are answered with 429. Default 1000. */
  readonly maxRunning?: number
  /** Largest request body. Default 8 MiB. */
  readonly maxBodyBytes?: number
  /** An answer that is not a stream is held back up to this, so that its price stands in the headers. Default 32 MiB. */
  readonly maxBufferedBytes?: number
  /** A stream of which more than this lies unread is cancelled. Default 16 MiB. */
  readonly maxUndeliveredBytes?: number
  /** How long a request waits while no proxy is connected, before it is answered with 503. Default 10 000. */
  readonly connectWaitMs?: number
  /** How long `close` lets running requests finish. Default 5 000. */
  readonly closeGraceMs?: number
  /** Default: silent. */
  readonly log?: Log
  readonly metrics?: Metrics
  readonly clock?: Clock
  /** Must be secure: keys come from it. */
  readonly random?: Random
}

export interface SdkOptions {
  readonly registry: Registry
  readonly owner: Address
  readonly secret: Secret<string>
  readonly node: ClientOptions
  readonly api: z.output<typeof apiPart>
  readonly connectWaitMs: number
  readonly closeGraceMs: number
  readonly log: Log
  readonly metrics: Metrics
  readonly clock: Clock
  readonly random: Random
}

const apiPart = clientApiOptions.pick({
  defaultMaxTokens: true,
  defaultMaxCoefficient: true,
  defaultTimeoutMs: true,
  maxRunning: true,
  maxBodyBytes: true,
  maxBufferedBytes: true,
  maxUndeliveredBytes: true,
})
const nodePart = clientOptions.pick({ proxyConnections: true })

/** SHA-256 of `cocoon client without an account`: nobody has a key for it, and networks without money ask for none. */
const SHARED_ACCOUNT = '0:b2eda880615a1ccd93462c2ef639971f5f2da3c24d29be884180c16a7356832b'
const DEFAULT_CONNECT_WAIT_MS = 10_000
const DEFAULT_CLOSE_GRACE_MS = 5_000
/** What a timer can hold. */
const MAX_WAIT_MS = 2 ** 31 - 1

/** Throws `config.sdk-option`, and `chain.network-file` for what is wrong inside the network file. */
export function readOptions(options: CreateClientOptions): SdkOptions {
  const {
    network,
    ownerAddress = SHARED_ACCOUNT,
    secret = '',
    connectWaitMs = DEFAULT_CONNECT_WAIT_MS,
    closeGraceMs = DEFAULT_CLOSE_GRACE_MS,
    log = silentLog,
    metrics = noMetrics,
    clock = systemClock,
    random = systemRandom,
    proxyConnections,
    ...rest
  } = options
  const api = check(apiPart, rest)
  const node = clientOptions.parse(check(nodePart, proxyConnections === undefined ? {} : { proxyConnections }))
  for (const [name, value] of Object.entries({ connectWaitMs, closeGraceMs }))
    if (!(Number.isInteger(value) && value >= 0 && value <= MAX_WAIT_MS))
      throw badOption(name, 'must be a whole number of milliseconds')
  return {
    owner: parseAddress(ownerAddress, "createClient: 'ownerAddress'"),
    secret: secret instanceof Secret ? secret : new Secret(secret),
    node,
    api,
    connectWaitMs,
    closeGraceMs,
    log,
    metrics,
    clock,
    random,
    // Last: it starts a timer.
    registry: registryOf(network, clock, log),
  }
}

function registryOf(network: CreateClientOptions['network'] | undefined, clock: Clock, log: Log): Registry {
  if (typeof network === 'string' && network !== '') return loadNetworkFile(network, { clock, log })
  if (typeof network !== 'object' || network === null)
    throw badOption('network', 'must be the path of a network file, or its content as an object')
  const config = parseNetworkFile(JSON.stringify(network), "createClient: 'network'")
  return { current: () => config, subscribe: () => () => undefined, close() {} }
}

function check<T extends z.ZodType>(schema: T, value: object): z.output<T> {
  const checked = schema.safeParse(value)
  if (checked.success) return checked.data
  const [issue] = checked.error.issues
  if (issue?.code === 'unrecognized_keys') throw badOption(issue.keys[0] as string, 'is not an option')
  throw badOption(issue?.path.join('.') ?? '', issue?.message ?? 'is wrong')
}
