/** The registry as polling tools know it: the object `root_contract_config`. */
import { toHex } from '../util/index.ts'
import { formatAddress } from './address.ts'
import type { RootConfig } from './registry.ts'

/** Hashes in upper-case hex; amounts as bigint, to be written with all their digits. */
export function registryForTools(config: RootConfig, isTestnet: boolean): Record<string, unknown> {
  const { params } = config
  const { multipliers, codes } = params
  const hex = (bytes: Uint8Array): string => toHex(bytes).toUpperCase()
  const list = (hashes: ReadonlySet<string>): string[] => [...hashes].map((h) => h.toUpperCase())
  const proxies = config.proxies.map((p) => ({
    seqno: p.seqno,
    address_for_clients: `${p.forClients.host}:${p.forClients.port}`,
    address_for_workers: `${p.forWorkers.host}:${p.forWorkers.port}`,
  }))
  return {
    owner_address: formatAddress(config.owner, isTestnet),
    proxy_hashes: list(config.proxyHashes),
    registered_proxies: proxies,
    last_proxy_seqno: config.lastProxySeqno,
    worker_hashes: list(config.workerHashes),
    model_hashes: list(config.modelHashes),
    version: config.version,
    struct_version: params.structVersion,
    params_version: params.paramsVersion,
    unique_id: params.uniqueId,
    is_test: params.isTest,
    price_per_token: params.pricePerToken,
    worker_fee_per_token: params.workerFeePerToken,
    prompt_tokens_price_multiplier: multipliers.prompt,
    cached_tokens_price_multiplier: multipliers.cached,
    completion_tokens_price_multiplier: multipliers.completion,
    reasoning_tokens_price_multiplier: multipliers.reasoning,
    proxy_delay_before_close: params.proxyDelayBeforeCloseS,
    client_delay_before_close: params.clientDelayBeforeCloseS,
    proxy_min_stake: params.minProxyStakeNano,
    client_min_stake: params.minClientStakeNano,
    proxy_code_hash: hex(codes.proxy.hash),
    worker_code_hash: hex(codes.worker.hash),
    client_code_hash: hex(codes.client.hash),
  }
}
