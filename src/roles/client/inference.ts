/** What the HTTP API and the SDK know of a client node: an interface, not a role. */
import type { Multipliers } from '../../chain/index.ts'
import { type Abilities, CocoonError } from '../../util/index.ts'
import type { EvidenceLabel } from '../../transport/index.ts'
import type { AttemptStory } from './attempts.ts'

export interface InferenceRequest {
  /** A path that engines serve: `/v1/chat/completions`, `/v1/audio/transcriptions`, … */
  readonly path: string
  /** Headers fit to leave the client: no `Authorization`, no cookies, no hop-by-hop ones. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Body for the engine, JSON or a form; control fields already removed, token limit already in it. */
  readonly body: Uint8Array
  /** Base model name. */
  readonly model: string
  /** Upper bound of generated tokens over all choices: what is reserved. */
  readonly maxTokens: number
  /** Highest price coefficient accepted, per mille. */
  readonly maxCoefficient: number
  readonly timeoutMs: number
  /** When a second proxy is asked as well, where the first has not begun to answer; 0 never. Absent: as the node is set. */
  readonly hedgeAfterMs?: number
  readonly debug: boolean
  /** Whether the caller asked for the answer in pieces. Not sent to peers, who read the body. */
  readonly stream?: boolean
  /**
   * So that what it was charged can be asked for later, by another process if need be: the 16 bytes that all its ids begin with, and
   * the only proxies that may have it, by address. Without, ids are random.
   */
  readonly recall?: { readonly name: Uint8Array; readonly proxies: ReadonlySet<string> }
  /** Correlates logs; not sent to peers. */
  readonly traceId: string
  /** Whose request it is: the id of an API key, or `OWNER`. Not sent to peers. Absent where nobody keeps accounts. */
  readonly caller?: string
  /** The caller's own limit in nanoTON; a request that could cost more is refused before it leaves. */
  readonly maxCostNano?: bigint
}

/** The caller that is the owner of the node: no key's limits hold for it. */
export const OWNER = 'owner'

/** What a request could cost, by the network's prices of this moment. */
export interface Quote {
  /** What would be reserved: no answer costs more. */
  readonly maxCostNano: bigint
  readonly pricePerTokenNano: bigint
  /** Ten thousandths of the price by class of tokens, before a worker's coefficient. */
  readonly multipliers: Multipliers
}

/** Throws `payment.max-cost` for a request that could cost more than its caller allows. */
export function expectWithinMaxCost({ maxCostNano: limit }: InferenceRequest, quote: Pick<Quote, 'maxCostNano'>): void {
  if (limit === undefined || quote.maxCostNano <= limit) return
  throw new CocoonError('payment.max-cost', {
    field: 'max_cost',
    message: `This request can cost up to ${quote.maxCostNano} nanoTON, above its max_cost of ${limit}: raise max_cost, or lower max_tokens or max_coefficient.`,
  })
}

/** `unknown`: it may have cost up to its reservation, and nobody told. */
export type Charge = FinalInfo | 'nothing' | 'unknown'

/** Adjusted tokens by class, as charged. */
export interface ChargedTokens {
  readonly prompt: bigint
  readonly cached: bigint
  readonly completion: bigint
  readonly reasoning: bigint
  readonly total: bigint
}

export interface FinalInfo {
  readonly tokens: ChargedTokens
  /** `tokens.total` × the registry's price per token. */
  readonly costNano: bigint
  /** Unix seconds. Zero where the peer's protocol version has no times. */
  readonly proxyStart: number
  readonly proxyEnd: number
  readonly workerStart: number
  readonly workerEnd: number
  /** JSON texts, only with `debug`. */
  readonly workerDebug?: string
  readonly proxyDebug?: string
}

/** Where an answer goes. Order: at most one `head`, any number of `part`, then exactly one of `end` and `fail`. */
export interface InferenceSink {
  head(head: {
    readonly status: number
    readonly headers: readonly (readonly [name: string, value: string])[]
    /** Most this request can cost, in nanoTON: the reservation. */
    readonly maxCostNano: bigint
    readonly proxy: string
    readonly evidence: EvidenceLabel
    /** The wallet that owns the worker, where the proxy tells it. */
    readonly worker?: string | null | undefined
    /** How many workers have had it, this one included, where the proxy counts them. */
    readonly attempts?: number | undefined
  }): void
  part(bytes: Uint8Array): void
  end(info: FinalInfo): void
  /** `capacity.*`, `payment.*`, `request.*`, `protocol.*`, `engine.*`. Nothing was charged unless `info` says so. */
  fail(error: CocoonError, info?: FinalInfo): void
}

export interface RequestStory {
  /** How long it waited for a worker, in ms; null where no proxy told. */
  readonly queuedMs: number | null
  /** In the order in which they began. */
  readonly attempts: readonly AttemptStory[]
}

/** Of a request that nobody had. */
export const NO_STORY: RequestStory = { queuedMs: null, attempts: [] }

export interface RunningInference {
  /** The caller hung up: stops the work where the peers can, and ignores what still arrives. */
  cancel(): void
  /**
   * What was charged in the end, which may be known only after a cancelled or timed out request has ended at the proxy as well.
   * Never rejects; ask after the end or the cancelling.
   */
  charge(): Promise<Charge>
  /** Who has had it so far. All is known after the end. */
  story(): RequestStory
}

export interface ModelOffer {
  /** Base model name. */
  readonly id: string
  readonly workers: readonly {
    readonly coefficient: number
    readonly runningRequests: number
    readonly maxRunningRequests: number
    /** What it proved to the proxy; absent where the proxy does not tell. */
    readonly evidence?: EvidenceLabel
    /** What it said that the model can do; absent where nobody tells. */
    readonly abilities?: Abilities
    /** Addresses of the proxies that it works behind. */
    readonly proxies: readonly string[]
  }[]
}

/** What all connected proxies have on offer, each worker once. */
export interface Offers {
  readonly models: readonly ModelOffer[]
  /** Addresses of connected proxies that did not answer in time: what only they have is missing. */
  readonly silent: readonly string[]
}

/** What one proxy knows of requests that were to be remembered (`InferenceRequest.recall`). */
export interface RecalledCharges {
  /** Of a request that was sent within this time and is not listed, nothing was charged and nothing runs. */
  readonly knownForMs: number
  readonly charges: readonly {
    /** 16 bytes, hex. */
    readonly name: string
    readonly tokens: bigint
    readonly costNano: bigint
    /** It has not ended there. */
    readonly isRunning: boolean
  }[]
}

/** Asking proxies what requests were charged, also those of a process before this one. */
export interface ChargeRecall {
  /** Addresses of the proxies that are connected now. */
  proxies(): readonly string[]
  /** Rejects with `capacity.no-proxy` where it is not connected, with `request.unsupported` where it keeps no charges. */
  chargesAt(proxy: string, names: readonly string[]): Promise<RecalledCharges>
}

export interface Inference {
  run(request: InferenceRequest, sink: InferenceSink): RunningInference
  /** What this request could cost. Nothing is sent. */
  quote(request: InferenceRequest): Quote
  /** Live offers of all connected proxies. Rejects with `capacity.no-proxy`, and with what went wrong where none answers. */
  models(signal?: AbortSignal): Promise<Offers>
}
