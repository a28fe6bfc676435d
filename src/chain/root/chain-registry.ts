/** The registry read from the root contract on TON: asked now and again, believed only in order, refused when it is old. */
import type { Address } from '@ton/core'
import {
  type Clock,
  CocoonError,
  type ErrorCode,
  type Log,
  type Random,
  type Timer,
  toCocoonError,
  uniform,
} from '../../util/index.ts'
import { formatAddress } from '../address.ts'
import { pause } from '../pause.ts'
import type { AccountState, ChainReader } from '../reader.ts'
import type { NetworkEvidence, Registry, RootConfig } from '../registry.ts'
import { parseRootState, type RootState } from './state.ts'

export interface ChainRegistryOptions {
  readonly reader: ChainReader
  readonly rootAddress: Address
  /** The node's own setting; the root contract must say the same. */
  readonly isTest: boolean
  /** What peers must show: the chain does not say, the network's policy does. */
  readonly evidence: NetworkEvidence
  readonly checkHashes: boolean
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** The next reading comes after a time drawn evenly from here. */
  readonly pollMs?: readonly [low: number, high: number]
  /** Counted from the block that the configuration was last read at. */
  readonly staleAfterMs?: number
}

export interface ChainRegistryStatus {
  readonly rootAddress: string
  /** Null before the first reading. */
  readonly version: number | null
  /** The block it was last read at. */
  readonly readAtMs: number | null
  /** Entries of registered proxies that are no addresses. */
  readonly skippedProxies: number
  readonly lastError: { readonly code: ErrorCode; readonly message: string } | null
}

export interface ChainRegistry extends Registry {
  /**
   * The first configuration. Waits through failing endpoints until `signal` ends it; throws at once what waiting does not
   * mend: `chain.no-root`, `chain.other-network`, `chain.test-flag`, `chain.struct-version`, `chain.layout`.
   */
  ready(signal?: AbortSignal): Promise<RootConfig>
  status(): ChainRegistryStatus
}

/** As every node does: often enough for a price, seldom enough for an endpoint without a key. */
const DEFAULT_POLL_MS = [30_000, 60_000] as const
/** Two hours: the network's limit. */
const DEFAULT_STALE_AFTER_MS = 7_200_000
/** No block is from the future: a clock that was set back would make what is stale look fresh. */
const MAX_AHEAD_MS = 60_000
/** Before the first reading somebody waits. */
const FIRST_POLL_MS = [1_000, 3_000] as const

const NOT_MENDED_BY_WAITING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'chain.no-root',
  'chain.other-network',
  'chain.test-flag',
  'chain.struct-version',
  'chain.layout',
])

export function createChainRegistry(options: ChainRegistryOptions): ChainRegistry {
  const { reader, rootAddress, isTest, clock, random, log } = options
  const pollMs = options.pollMs ?? DEFAULT_POLL_MS
  const staleAfterMs = options.staleAfterMs ?? DEFAULT_STALE_AFTER_MS
  const named = formatAddress(rootAddress, isTest)
  const closing = new AbortController()
  const listeners = new Set<(config: RootConfig) => void>()
  let accepted: { config: RootConfig; dataHash: string; readAtMs: number; skippedProxies: number } | null = null
  let lastError: CocoonError | null = null
  let timer: Timer | undefined
  let reading = read()

  async function read(): Promise<void> {
    try {
      // Everything a node does hangs on it: whom it talks to, at what price.
      accept(await reader.getAccount(rootAddress, { confirmed: true, signal: closing.signal }))
      lastError = null
    } catch (error) {
      if (closing.signal.aborted) return
      lastError = toCocoonError(error)
      log.warn('the root contract could not be read', { root: named, code: lastError.code, why: lastError.message })
    }
    const [low, high] = accepted === null ? FIRST_POLL_MS : pollMs
    timer = clock.after(uniform(random, low, high), () => {
      reading = read()
    })
  }

  function accept(account: AccountState): void {
    if (account.status !== 'active' || account.data === null)
      throw new CocoonError('chain.no-root', {
        root: named,
        message: `there is no root contract at ${named}: is it the address of this network?`,
      })
    const dataHash = account.data.hash().toString('hex')
    if (dataHash === accepted?.dataHash) {
      accepted.readAtMs = Math.max(accepted.readAtMs, account.atMs)
      return
    }
    const state = parseRootState(account.data)
    const { version, params } = state
    if (params.isTest !== isTest)
      throw new CocoonError('chain.test-flag', {
        root: named,
        message: `the root contract ${named} is for ${params.isTest ? 'test networks' : 'a real network'}, this node is set for ${isTest ? 'test networks' : 'a real network'}: choose the network that is meant`,
      })
    if (accepted !== null && version <= accepted.config.version)
      throw new CocoonError('chain.contradiction', {
        root: named,
        message: `the root contract has changed without a higher version (${version} after ${accepted.config.version}): an endpoint is behind, or the contract's owner forgot to raise it`,
      })
    const config = configOf(state)
    accepted = { config, dataHash, readAtMs: account.atMs, skippedProxies: state.skippedProxies }
    log.info('the root contract has a new version', {
      root: named,
      version,
      paramsVersion: params.paramsVersion,
      proxies: config.proxies.length,
      skippedProxies: state.skippedProxies,
    })
    for (const listener of listeners) listener(config)
  }

  function configOf({ keyManager, publicKeys, ...state }: RootState): RootConfig {
    return {
      owner: state.owner,
      root: rootAddress,
      proxies: state.proxies,
      proxyHashes: state.proxyHashes,
      workerHashes: state.workerHashes,
      modelHashes: state.modelHashes,
      lastProxySeqno: state.lastProxySeqno,
      version: state.version,
      params: state.params,
      ...(keyManager === null ? {} : { keyManager }),
      registeredPublicKeys: publicKeys,
      evidence: options.evidence,
      checkHashes: options.checkHashes,
      testClientBalanceNano: 0n,
    }
  }

  function current(): RootConfig {
    if (accepted === null)
      throw lastError ?? new CocoonError('chain.stale', { root: named, message: 'the root contract was not read yet' })
    const ageMs = clock.now() - accepted.readAtMs
    if (ageMs < -MAX_AHEAD_MS)
      throw new CocoonError('chain.clock', {
        root: named,
        message: `this machine’s clock is at least ${Math.round(-ageMs / 1000)} s behind the chain’s, so nobody can tell what is stale: set it, best by NTP`,
      })
    if (ageMs > staleAfterMs)
      throw new CocoonError('chain.stale', {
        root: named,
        ageS: Math.round(ageMs / 1000),
        why: lastError?.message,
        message: `the root contract was last read ${Math.round(ageMs / 1000)} s ago, at most ${staleAfterMs / 1000} s are allowed${lastError === null ? '' : `: ${lastError.message}`}`,
      })
    return accepted.config
  }

  return {
    current,
    async ready(signal) {
      for (;;) {
        await reading
        if (accepted !== null) return current()
        if (lastError !== null && NOT_MENDED_BY_WAITING.has(lastError.code)) throw lastError
        signal?.throwIfAborted()
        if (closing.signal.aborted) throw new CocoonError('chain.closed', { message: 'the registry was closed' })
        await pause(clock, FIRST_POLL_MS[0] / 4, signal)
      }
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    status: () => ({
      rootAddress: named,
      version: accepted?.config.version ?? null,
      readAtMs: accepted?.readAtMs ?? null,
      skippedProxies: accepted?.skippedProxies ?? 0,
      lastError: lastError === null ? null : { code: lastError.code, message: lastError.message },
    }),
    close() {
      closing.abort()
      timer?.cancel()
    },
  }
}
