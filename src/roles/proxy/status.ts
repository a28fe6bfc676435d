/** What a proxy shows of itself: `/status` in our form, `/jsonstats` in the form that polling tools know. */
import { formatAddress, parseAddress, registryForTools, type RootConfig } from '../../chain/index.ts'
import type { Ledger, OwnerKey } from '../../ledger/index.ts'
import type { EvidenceLabel, ProvenGpu } from '../../transport/index.ts'
import { type Abilities, statsForTools, toHex } from '../../util/index.ts'
import type { ProxyChainStatus } from './chain/index.ts'
import type { ProxyIdentity } from './identity.ts'
import type { Requests } from './requests.ts'
import type { Party } from './running.ts'
import type { WorkerPool } from './scheduler.ts'
import type { WorkerParty } from './workers.ts'

export interface ProxyFacts {
  readonly config: RootConfig
  readonly identity: ProxyIdentity
  readonly enabled: boolean
  readonly startedAtMs: number
  readonly nowMs: number
  readonly requests: Requests
  readonly pool: WorkerPool
  readonly clients: ReadonlyMap<number, Party>
  readonly workers: ReadonlyMap<number, WorkerParty>
  readonly ledger: Ledger
  /** Null in a network without a chain. */
  readonly chain: ProxyChainStatus | null
  readonly isTestnet: boolean
}

export interface ProxyStatus {
  readonly role: 'proxy'
  readonly enabled: boolean
  readonly uptimeS: number
  readonly contract: string
  readonly publicKey: string
  readonly registry: {
    readonly version: number
    readonly paramsVersion: number
    readonly evidence: string
    readonly pricePerTokenNano: bigint
    readonly workerFeePerTokenNano: bigint
  }
  readonly requests: {
    readonly running: number
    readonly succeeded: number
    readonly failed: number
    readonly refused: number
    readonly tokens: number
  }
  readonly queue: {
    readonly waiting: number
    readonly models: readonly {
      readonly model: string
      readonly waiting: number
      readonly clients: number
      /** How long a request keeps a worker's place; null before the first has ended. */
      readonly serviceMs: number | null
      readonly places: number
      readonly freePlaces: number
    }[]
  }
  /** The last ones, the newest first: what was done with a request, and why. */
  readonly decisions: readonly {
    readonly ageS: number
    readonly what: string
    readonly model: string
    readonly client: string
    readonly facts: Readonly<Record<string, string | number>>
  }[]
  readonly workers: readonly {
    readonly owner: string
    readonly model: string
    readonly version: number
    readonly coefficient: number
    readonly enabled: boolean
    readonly running: number
    readonly capacity: number
    readonly evidence: EvidenceLabel
    /** Proven by the worker's claims; null where it showed none. */
    readonly gpus: readonly ProvenGpu[] | null
    readonly remote: string
    readonly earnedTokens: bigint
    /** Lower is chosen sooner; proportional to load, expected time to the first answer and price. */
    readonly score: number
    /** What it said it can do; null where it has not. */
    readonly abilities: Abilities | null
    /** What is known of its first answers, in milliseconds; null before one was seen. */
    readonly firstAnswerMs: { readonly streamed: number | null; readonly whole: number | null }
    /** Of its last requests, in (0, 1]. */
    readonly successRate: number
    /** `open`: failed several times in a row, gets nothing for a while. `probing`: one request tries whether it works. */
    readonly breaker: 'closed' | 'open' | 'probing'
    /** Below 1 for a while after it came or came back. */
    readonly slowStart: number
  }[]
  readonly clients: readonly {
    readonly owner: string
    readonly connections: number
    readonly running: number
    readonly usedTokens: bigint
    readonly availableTokens: bigint
    readonly reservedTokens: bigint
  }[]
  readonly chain: ShownChain | null
}

/** What the proxy contract and the proxy's wallet hold, and what was sent lately. */
export interface ShownChain extends Omit<ProxyChainStatus, 'contract' | 'wallet'> {
  readonly contract: string
  readonly wallet: string
}

export function proxyStatus(facts: ProxyFacts): ProxyStatus {
  const { config, identity, ledger, requests } = facts
  const { waiting, queues, decisions } = requests.scheduling()
  const address = (owner: OwnerKey): string => formatAddress(parseAddress(owner, 'owner'), facts.isTestnet)
  return {
    role: 'proxy',
    enabled: facts.enabled,
    uptimeS: Math.round((facts.nowMs - facts.startedAtMs) / 1000),
    contract: identity.contractAddress,
    publicKey: toHex(identity.publicKey),
    registry: {
      version: config.version,
      paramsVersion: config.params.paramsVersion,
      evidence: config.evidence,
      pricePerTokenNano: config.params.pricePerToken,
      workerFeePerTokenNano: config.params.workerFeePerToken,
    },
    requests: {
      running: requests.running,
      succeeded: requests.stats.success.total,
      failed: requests.stats.failed.total,
      refused: requests.stats.rejected.total,
      tokens: requests.stats.tokens.total.total,
    },
    queue: {
      waiting,
      models: queues.map(({ model, ...rest }) => {
        const { all: places, free: freePlaces } = facts.pool.places(model)
        return {
          model,
          ...rest,
          serviceMs: rest.serviceMs === null ? null : Math.round(rest.serviceMs),
          places,
          freePlaces,
        }
      }),
    },
    decisions: decisions.map(({ atMs, client, ...rest }) => ({
      ageS: (facts.nowMs - atMs) / 1000,
      client: address(client),
      ...rest,
    })),
    workers: facts.pool.slots().flatMap((slot) => {
      const party = facts.workers.get(slot.connectionId)
      if (party === undefined) return []
      const { peer } = party.connection
      const { model, version, coefficient, enabled, running, capacity } = slot
      const earnedTokens = ledger.worker(party.owner)?.totals.max ?? 0n
      const { record } = slot
      const rounded = (ms: number | undefined): number | null => (ms === undefined ? null : Math.round(ms))
      return [
        {
          owner: address(party.owner),
          model,
          version,
          coefficient,
          enabled,
          running,
          capacity,
          evidence: peer.evidence,
          gpus: party.proof.gpus,
          remote: peer.remote,
          earnedTokens,
          score: Number(facts.pool.score(slot, facts.nowMs).toPrecision(4)),
          abilities: slot.abilities,
          firstAnswerMs: {
            streamed: rounded(record.lastSeenMs('streamed')),
            whole: rounded(record.lastSeenMs('whole')),
          },
          successRate: Number(record.successRate.toPrecision(3)),
          breaker: record.breaker.is,
          slowStart: Number(record.share(facts.nowMs).toPrecision(2)),
        },
      ]
    }),
    clients: ledger.clients().map((c) => ({
      owner: address(c.owner),
      connections: [...facts.clients.values()].filter((p) => p.owner === c.owner).length,
      running: c.running,
      usedTokens: c.totals.max,
      availableTokens: c.available,
      reservedTokens: c.reserved,
    })),
    chain: showChain(facts),
  }
}

function showChain({ chain, isTestnet }: ProxyFacts): ShownChain | null {
  if (chain === null) return null
  const shown = (address: ProxyChainStatus['contract']): string => formatAddress(address, isTestnet)
  return { ...chain, contract: shown(chain.contract), wallet: shown(chain.wallet) }
}

export function proxyJsonStats(facts: ProxyFacts): Record<string, unknown> {
  const { config, identity, ledger, requests, isTestnet } = facts
  const address = (owner: OwnerKey): string => formatAddress(parseAddress(owner, 'owner'), isTestnet)
  return {
    status: {
      actual_image_hash: true,
      ton_last_synced_at: Math.floor(facts.nowMs / 1000),
      enabled: facts.enabled,
      git_commit: '',
      git_commit_data: '',
    },
    stats: statsForTools(requests.stats, { rejected: true, tokens: true }),
    localconfig: {
      root_address: config.root === null ? '' : formatAddress(config.root, isTestnet),
      owner_address: identity.ownerAddress,
      check_image_hashes: config.checkHashes,
    },
    smartcontract: {
      address: identity.contractAddress,
      params_version: config.params.paramsVersion,
      balance: facts.chain?.balanceNano ?? 0n,
      ready_for_withdraw: facts.chain?.balanceNano ?? 0n,
    },
    old_instances: [],
    root_contract_config: registryForTools(config, isTestnet),
    workers: ledger.workers().map((w) => ({
      owner_address: address(w.owner),
      sc_address: '',
      earned_tokens: w.totals.max,
      unpayed_tokens: w.totals.max,
      paying_now: false,
      running_queries: [...facts.workers].reduce(
        (n, [id, p]) => n + (p.owner === w.owner ? (facts.pool.slot(id)?.running ?? 0) : 0),
        0,
      ),
    })),
    worker_connections: [...facts.workers].map(([id, party]) => {
      const slot = facts.pool.slot(id)
      const hash = party.connection.peer.imageHash
      return {
        owner_address: address(party.owner),
        model: slot?.model ?? '',
        worker_hash: hash === null ? '' : toHex(hash).toUpperCase(),
        coefficient: slot?.coefficient ?? 0,
        running_queries: slot?.running ?? 0,
        enabled: slot?.enabled ?? false,
        machine_description: party.machine,
      }
    }),
    clients: ledger.clients().map((c) => ({
      owner_address: address(c.owner),
      sc_address: '',
      used_tokens: c.totals.max,
      tokens_to_charge: c.totals.chain,
      available_tokens: c.available,
      reserved_tokens: c.reserved,
      running_queries: c.running,
      closing: false,
      closed: false,
    })),
  }
}
