/** What a client shows of itself: `/status` in our form, `/jsonstats` in the form that polling tools know. */
import { type Address, formatAddress, registryForTools, type RootConfig } from '../../chain/index.ts'
import { type Target, type TargetStatus, targetStatus } from '../../transport/index.ts'
import { statsForTools } from '../../util/index.ts'
import type { ClientContract } from './chain/index.ts'
import type { ClientOptions } from './options.ts'
import { type Link, type ProxyMemory, proxyKeyHex } from './proxy-link.ts'
import type { Requests } from './requests.ts'
import type { JudgedWorker } from './worker-proofs.ts'

export interface ClientFacts {
  readonly config: RootConfig
  readonly owner: Address
  readonly options: ClientOptions
  readonly requests: Requests
  readonly memory: ReadonlyMap<string, ProxyMemory>
  /** Null in a network without a chain. */
  readonly chain: readonly ClientContract[] | null
  readonly targets: readonly Target<Link>[]
  readonly startedAtMs: number
  readonly nowMs: number
  readonly enabled: boolean
}

export interface ClientStatus {
  readonly role: 'client'
  readonly enabled: boolean
  readonly uptimeS: number
  readonly owner: string
  readonly pricePerTokenNano: bigint
  readonly requests: {
    readonly running: number
    readonly succeeded: number
    readonly failed: number
    readonly tokens: number
  }
  readonly proxies: readonly (TargetStatus & {
    /** Behind it, judged by what they proved to it, and not by its word. */
    readonly workers: readonly JudgedWorker[]
  })[]
  readonly accounts: readonly {
    readonly proxyContract: string
    readonly contract: string
    readonly signedTokens: bigint
    readonly confirmedTokens: bigint
    readonly tokens: bigint
    /** What stands on chain; null without one, or before it was read. */
    readonly onChain: ShownContract | null
  }[]
}

export interface ShownContract {
  readonly state: string
  readonly balanceNano: bigint
  readonly stakeNano: bigint
  readonly chargedTokens: bigint
  readonly order: string | null
  readonly transaction: string | null
  readonly lastError: string | null
}

export function clientStatus(facts: ClientFacts): ClientStatus {
  const { requests } = facts
  return {
    role: 'client',
    enabled: facts.enabled,
    uptimeS: Math.round((facts.nowMs - facts.startedAtMs) / 1000),
    owner: formatAddress(facts.owner, facts.options.isTestnet),
    pricePerTokenNano: facts.config.params.pricePerToken,
    requests: {
      running: requests.running,
      succeeded: requests.stats.success.total,
      failed: requests.stats.failed.total,
      tokens: requests.stats.tokens.total.total,
    },
    proxies: facts.targets.map((t) => ({
      ...targetStatus(t, ({ connection, session }) => ({
        evidence: connection.peer.evidence,
        version: session.at === 'ready' ? session.proxy.version : null,
      })),
      workers: t.ready ? (t.link?.workers ?? []) : [],
    })),
    accounts: [...facts.memory.values()].map((m) => ({
      proxyContract: formatAddress(m.contract, facts.options.isTestnet),
      contract: formatAddress(m.ownContract, facts.options.isTestnet),
      signedTokens: m.chain,
      confirmedTokens: m.db,
      tokens: m.max,
      onChain: showContract(facts.chain?.find((c) => c.contract.equals(m.ownContract))),
    })),
  }
}

function showContract(contract: ClientContract | undefined): ShownContract | null {
  if (contract === undefined || contract.account === null) return null
  const { account, order, transaction, lastError } = contract
  const { state, balanceNano, stakeNano, charged: chargedTokens } = account
  return { state, balanceNano, stakeNano, chargedTokens, order, transaction, lastError }
}

export function clientJsonStats(facts: ClientFacts): Record<string, unknown> {
  const { config, options } = facts
  return {
    status: { ton_last_synced_at: Math.floor(facts.nowMs / 1000), enabled: true, git_commit: '', git_commit_data: '' },
    stats: statsForTools(facts.requests.stats, { rejected: false, tokens: false }),
    localconf: {
      root_address: config.root === null ? '' : formatAddress(config.root, options.isTestnet),
      owner_address: formatAddress(facts.owner, options.isTestnet),
      check_image_hashes: config.checkHashes,
    },
    root_contract_config: registryForTools(config, options.isTestnet),
    proxy_connections: facts.targets.map((t) => {
      const session = t.link?.session
      const proxyScAddress =
        session?.at === 'ready' ? formatAddress(session.proxy.contract, options.isTestnet) : undefined
      return {
        address: `[${t.host}:${t.port}]`,
        is_ready: t.ready,
        ...(proxyScAddress === undefined ? {} : { proxy_sc_address: proxyScAddress }),
      }
    }),
    proxies: [...facts.memory.values()].map((m) => ({
      proxy_sc_address: formatAddress(m.contract, options.isTestnet),
      proxy_public_key: proxyKeyHex(m),
      sc_address: formatAddress(m.ownContract, options.isTestnet),
      state: 0,
      tokens_used_proxy_committed_to_blockchain: m.chain,
      tokens_used_proxy_committed_to_db: m.db,
      tokens_used_proxy_max: m.max,
      tokens_charged: 0,
      tokens_payed:
        config.params.pricePerToken === 0n ? 0n : config.testClientBalanceNano / config.params.pricePerToken,
    })),
  }
}
