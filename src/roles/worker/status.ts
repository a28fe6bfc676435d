/** What a worker shows of itself: `/status` in our form, `/jsonstats` in the form that polling tools know. */
import { type Address, formatAddress, registryForTools, type RootConfig } from '../../chain/index.ts'
import type { EngineState } from '../../engine/index.ts'
import { type Target, type TargetStatus, targetStatus } from '../../transport/index.ts'
import { statsForTools, toHex } from '../../util/index.ts'
import type { WorkerContract } from './chain/index.ts'
import type { WorkerOptions } from './options.ts'
import type { Link, ProxyMemory } from './proxy-link.ts'
import type { Requests } from './requests.ts'

export interface WorkerFacts {
  readonly config: RootConfig
  readonly owner: Address
  readonly options: WorkerOptions
  readonly requests: Requests
  readonly memory: ReadonlyMap<string, ProxyMemory>
  /** Null in a network without a chain. */
  readonly chain: readonly WorkerContract[] | null
  readonly engine: EngineState
  readonly targets: readonly Target<Link>[]
  readonly startedAtMs: number
  readonly nowMs: number
  readonly enabled: boolean
}

export interface WorkerStatus {
  readonly role: 'worker'
  readonly enabled: boolean
  readonly uptimeS: number
  readonly owner: string
  readonly model: string
  readonly coefficient: number
  readonly engine: { readonly ready: boolean; readonly models: readonly string[]; readonly reason: string | null }
  readonly requests: {
    readonly running: number
    readonly succeeded: number
    readonly failed: number
    readonly refused: number
    readonly tokens: number
  }
  readonly proxies: readonly TargetStatus[]
  readonly accounts: readonly {
    readonly proxyContract: string
    readonly contract: string
    readonly signedTokens: bigint
    readonly confirmedTokens: bigint
    readonly tokens: bigint
    /** What stands on chain; null without one, or before it was read. */
    readonly onChain: Omit<WorkerContract, 'proxy' | 'contract'> | null
  }[]
}

export function workerStatus(facts: WorkerFacts): WorkerStatus {
  const { engine, requests, options } = facts
  return {
    role: 'worker',
    enabled: facts.enabled,
    uptimeS: Math.round((facts.nowMs - facts.startedAtMs) / 1000),
    owner: formatAddress(facts.owner, options.isTestnet),
    model: options.model,
    coefficient: options.coefficient,
    engine: engine.ready
      ? { ready: true, models: engine.models, reason: null }
      : { ready: false, models: [], reason: engine.why?.message ?? 'not asked yet' },
    requests: {
      running: requests.running,
      succeeded: requests.stats.success.total,
      failed: requests.stats.failed.total,
      refused: requests.stats.rejected.total,
      tokens: requests.stats.tokens.total.total,
    },
    proxies: facts.targets.map((t) =>
      targetStatus(t, ({ evidence, session }) => ({
        evidence,
        version: session.at === 'ready' ? session.proxy.version : null,
      })),
    ),
    accounts: [...facts.memory.values()].map((m) => ({
      proxyContract: formatAddress(m.contract, facts.options.isTestnet),
      contract: formatAddress(m.ownContract, facts.options.isTestnet),
      signedTokens: m.totals.chain,
      confirmedTokens: m.totals.db,
      tokens: m.totals.max,
      onChain: showContract(facts.chain?.find((c) => c.contract.equals(m.ownContract))),
    })),
  }
}

function showContract(found: WorkerContract | undefined): WorkerStatus['accounts'][number]['onChain'] {
  if (found === undefined) return null
  const { proxy: _proxy, contract: _contract, ...shown } = found
  return shown
}

export function workerJsonStats(facts: WorkerFacts): Record<string, unknown> {
  const { config, options, memory } = facts
  return {
    status: {
      actual_image_hash: true,
      actual_model: true,
      ton_last_synced_at: Math.floor(facts.nowMs / 1000),
      enabled: true,
      git_commit: '',
      git_commit_data: '',
    },
    stats: statsForTools(facts.requests.stats, { rejected: false, tokens: true }),
    localconfig: {
      root_address: config.root === null ? '' : formatAddress(config.root, options.isTestnet),
      owner_address: formatAddress(facts.owner, options.isTestnet),
      model: options.model,
      coefficient: options.coefficient,
      check_image_hashes: config.checkHashes,
    },
    root_contract_config: registryForTools(config, options.isTestnet),
    proxies: [...memory.values()].map((m) => ({
      sc_inited: true,
      proxy_sc_address: formatAddress(m.contract, options.isTestnet),
      proxy_public_key: toHex(m.publicKey).toUpperCase(),
      sc_address: formatAddress(m.ownContract, options.isTestnet),
      earned_tokens_committed_to_blockchain: m.totals.chain,
      earned_tokens_committed_to_proxy_db: m.totals.db,
      earned_tokens_max_known: m.totals.max,
      cached_out_tokens: 0,
      expected_cached_out_tokens: 0,
      running_request: false,
      params_version: config.params.paramsVersion,
    })),
  }
}
