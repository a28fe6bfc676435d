/**
 * A proxy over the life of its network: one node for the parameters that hold now, and the contracts of earlier parameters, which
 * are wound up beside it until everybody has what is theirs. Each contract has a ledger of its own.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Address,
  decodeParams,
  formatAddress,
  parseAddress,
  proxyContractAddress,
  type RootParams,
  type SigningKey,
} from '../chain/index.ts'
import { createSqliteLedger, type DurableLedger } from '../ledger/index.ts'
import {
  createProxyChain,
  DRAINED_FACT,
  PARAMS_FACT,
  type ProxyChain,
  type ProxyNode,
  startProxyNode,
} from '../roles/proxy/index.ts'
import { createVerifier } from '../tee/index.ts'
import { type CocoonError, toCocoonError } from '../util/index.ts'
import { portError, type Process } from './compose.ts'
import type { RoleChain } from './node-chain.ts'

export interface ProxyInstances {
  /** Of the parameters that hold now. */
  readonly node: ProxyNode
  /** Why the ledger cannot be written; null while all is well. */
  ledgerTrouble(): CocoonError | null
  /** Rejects when the proxy can never serve with this ledger or key. */
  readonly failed: Promise<never>
  close(graceMs: number): Promise<void>
}

export interface ProxyParts {
  readonly key: SigningKey
  readonly owner: Address
  /** Null in a network without a chain. */
  readonly chain: RoleChain['chain'] | null
}

interface Instance {
  readonly node: ProxyNode
  readonly ledger: DurableLedger
  readonly contract: Address
}

interface Draining {
  readonly chain: ProxyChain
  readonly ledger: DurableLedger
}

/** An old contract's money needs no hurry of ours; what waits for it are people. */
const RESTART_GRACE_MS = 5_000

export async function openProxyInstances(p: Process, parts: ProxyParts): Promise<ProxyInstances> {
  const { config, log, registry } = p
  const { key, owner, chain } = parts
  const inFolder = (name: string): string => join(config.home, 'proxy', name)
  const ledgerName = (contract: Address): string => `ledger-${formatAddress(contract, false)}.sqlite`
  const draining = new Map<string, Draining>()
  let fail: (why: unknown) => void = () => undefined
  const failed = new Promise<never>((_, reject) => (fail = reject))
  failed.catch(() => undefined)
  let isClosing = false

  const contractNow = (): Address => {
    const { params, root } = registry.current()
    return proxyContractAddress(params, { owner, publicKey: key.publicKey, root: root ?? owner })
  }

  /** Totals belong to one contract, and another key or other parameters make another contract. */
  async function start(): Promise<Instance> {
    const { params } = registry.current()
    const contract = contractNow()
    const ledger = await createSqliteLedger(p, {
      path: inFolder(ledgerName(contract)),
      contract: contract.toRawString(),
      pricePerToken: params.pricePerToken,
      importFrom: inFolder(`${formatAddress(owner, false)}-${params.paramsVersion}.json`),
    })
    const verifiers = { clients: createVerifier({ accept: ['none'] }), workers: p.verifier }
    const { chain: _chain, ...rest } = p
    const deps = { ...rest, ledger, key, owner, verifiers, ...(chain === null ? {} : { chain }) }
    const node = await startProxyNode(deps, config.proxy).catch(async (error: unknown) => {
      await ledger.close()
      throw portError(error, 'the proxy', '--worker-port or --client-port (proxy.workerPort, proxy.clientPort)')
    })
    node.opened.catch((error: unknown) => isClosing || fail(error))
    if (chain !== null)
      node.outdated.then(
        () => move(),
        () => undefined,
      )
    return { node, ledger, contract }
  }

  /** To the contract of the new parameters; the old one is wound up from here on. */
  async function move(): Promise<void> {
    if (isClosing) return
    const old = current
    try {
      await old.node.close(RESTART_GRACE_MS)
      windUp(old.ledger, old.contract)
      current = await start()
    } catch (error) {
      fail(error)
    }
  }

  function windUp(ledger: DurableLedger, contract: Address): void {
    const kept = ledger.fact(PARAMS_FACT)
    if (chain === null || kept === undefined) return
    const root = registry.current().root
    if (root === null) return
    const params: RootParams = decodeParams(kept)
    log.info('an old proxy contract is wound up: refunds, last payouts, then its end', {
      contract: contract.toString(),
    })
    const old = createProxyChain(
      { ...p, ledger, ...chain, key, owner, root, params, contract, isDraining: true },
      config.proxy.chain,
    )
    const name = contract.toRawString()
    draining.set(name, { chain: old, ledger })
    old.open(new AbortController().signal).catch((error: unknown) => {
      if (!isClosing) log.error('an old proxy contract cannot be wound up', { why: toCocoonError(error).message })
    })
    void old.drained.then(async () => {
      log.info('an old proxy contract is wound up', { contract: contract.toString() })
      draining.delete(name)
      await old.close()
      await ledger.close()
    })
  }

  /** Ledgers of earlier parameters that are not done yet. One that cannot be used keeps no other from its end. */
  async function windUpEarlier(): Promise<void> {
    if (chain === null) return
    const names = readdirSync(inFolder('')).filter((name) => /^ledger-[\w-]+\.sqlite$/.test(name))
    for (const name of names.filter((n) => n !== ledgerName(current.contract)))
      await openEarlier(name).catch((error: unknown) =>
        log.error('the ledger of an old contract cannot be opened', { name, why: toCocoonError(error).message }),
      )
  }

  async function openEarlier(name: string): Promise<void> {
    const contract = parseAddress(name.slice('ledger-'.length, -'.sqlite'.length), name)
    const options = { path: inFolder(name), contract: contract.toRawString(), pricePerToken: 0n }
    const ledger = await createSqliteLedger(p, options)
    const kept = ledger.fact(PARAMS_FACT)
    if (kept === undefined || ledger.fact(DRAINED_FACT) !== undefined) return ledger.close()
    if (isOurs(contract, decodeParams(kept))) return windUp(ledger, contract)
    await ledger.close()
    // Orders that are signed with another key cost fees and do nothing.
    log.error(
      'an old contract of another key or owner is not wound up: bring back the keys/proxy.key and proxy.ownerAddress it was made with, and its workers and clients get what is theirs',
      { contract: contract.toString() },
    )
  }

  function isOurs(contract: Address, params: RootParams): boolean {
    const { root } = registry.current()
    return root !== null && proxyContractAddress(params, { owner, publicKey: key.publicKey, root }).equals(contract)
  }

  let current = await start()
  await windUpEarlier()
  return {
    get node() {
      return current.node
    },
    ledgerTrouble: () => current.ledger.trouble(),
    failed,
    async close(graceMs) {
      isClosing = true
      try {
        await current.node.close(graceMs)
      } finally {
        for (const { chain: old, ledger } of draining.values()) {
          await old.close()
          await ledger.close()
        }
        await current.ledger.close()
        await chain?.wallet.close()
      }
    },
  }
}
