/** The client node behind an SDK client: at once in a network without money, and as soon as the chain was read on TON. */
import { join } from 'node:path'
import { attestationOptions, createAttestation } from '../attest/index.ts'
import {
  type ChainAccess,
  openChainAccess,
  openChainRegistry,
  openFileJournal,
  openSender,
  ownCode,
  pause,
  type Registry,
  type WalletSender,
} from '../chain/index.ts'
import { readPrivateFile, takeProcessLock, writePrivateFile } from '../disk/index.ts'
import { type ClientNode, openContractList } from '../roles/client/index.ts'
import { type Random, Secret, toCocoonError, toHex } from '../util/index.ts'
import { type ClientParts, composeClient } from './compose-client.ts'
import type { SdkOptions, SdkWallet } from './options.ts'

export interface Connection {
  readonly node: ClientNode
  /** Disconnects, and gives back what was opened. */
  close(): Promise<void>
}

type OnFile = Extract<SdkOptions['network'], { readonly kind: 'file' }>
type OnChain = Extract<SdkOptions['network'], { readonly kind: 'chain' }>

export const connectByFile = (options: SdkOptions, { registry }: OnFile): Connection =>
  start(options, registry, { secret: options.secret ?? new Secret('') })

/** One that is being made. */
export interface Opening {
  /**
   * Waits for the chain as long as the signal lets it. Rejects with what waiting does not mend: `chain.no-root`,
   * `chain.other-network`, `chain.test-flag`, `chain.struct-version`, `config.locked`, `config.key-file`, `chain.journal`.
   */
  readonly connection: Promise<Connection>
  /** What it waits for, if it knows. */
  why(): string | null
}

export function connectOnChain(options: SdkOptions, { chain, wallet }: OnChain, signal: AbortSignal): Opening {
  const access = openChainAccess(chain, options)
  const registry = openChainRegistry(chain, access, options, chain.evidence)
  const undo: (() => Promise<void> | void)[] = [() => registry.close()]
  const close = async (): Promise<void> => {
    for (const one of undo.toReversed()) await one()
  }

  async function open(): Promise<Connection> {
    await registry.ready(signal)
    const folder = join(wallet.statePath, (await zeroState(access, options, signal)).slice(0, CHAIN_DIGITS))
    undo.push(
      takeProcessLock(
        join(wallet.statePath, 'lock'),
        (pid) => `process ${pid} uses ${wallet.statePath}: one at a time pays from a wallet; close that one first`,
      ),
    )
    const sender = await openWallet(options, wallet, access, folder, chain.pollMs)
    undo.push(() => sender.close())
    const contracts = openContractList(join(folder, 'contracts.json'), sender.address)
    const secret = options.secret ?? keptSecret(wallet.statePath, options.random)
    signal.throwIfAborted()
    const connection = start(options, registry, { secret, chain: { access, wallet: sender, contracts } })
    undo.push(() => connection.close())
    return { node: connection.node, close }
  }

  return {
    connection: open().catch(async (error: unknown) => {
      await close()
      throw error
    }),
    why: () => registry.status().lastError?.message ?? null,
  }
}

/** What was sent on one chain means nothing on another: enough of its name to tell them apart. */
const CHAIN_DIGITS = 16
const PATIENCE_MS = 1_000
const SECRET_BYTES = 32

async function zeroState(access: ChainAccess, { clock, log }: SdkOptions, signal: AbortSignal): Promise<string> {
  for (;;)
    try {
      return await access.zeroState({ signal })
    } catch (error) {
      signal.throwIfAborted()
      const why = toCocoonError(error)
      if (why.code === 'chain.other-network') throw error
      log.warn('the chain could not be asked which one it is', { code: why.code, why: why.message })
      await pause(clock, PATIENCE_MS, signal)
    }
}

async function openWallet(
  options: SdkOptions,
  { key, owner }: SdkWallet,
  access: ChainAccess,
  folder: string,
  pollMs: readonly [number, number],
): Promise<WalletSender> {
  const journal = await openFileJournal(join(folder, 'sent.jsonl'))
  return openSender({ ...options, access, journal }, { key, owner, code: ownCode('wallet'), pollMs })
}

function keptSecret(statePath: string, random: Random): Secret<string> {
  const path = join(statePath, 'client.secret')
  const made = toHex(random.bytes(SECRET_BYTES))
  // Of two that start at once, one writes and both read what it wrote.
  writePrivateFile(path, `${made}\n`)
  return new Secret((readPrivateFile(path) ?? made).trim())
}

function start(
  { log, metrics, clock, random, owner, node: options }: SdkOptions,
  registry: Registry,
  own: Pick<ClientParts, 'secret' | 'chain'>,
): Connection {
  const attestation = createAttestation(
    { clock, random, log, registry },
    { ...attestationOptions.parse({}), role: 'client', policy: null, collateralPath: null },
  )
  const { node, close } = composeClient({
    ...attestation,
    ...own,
    registry,
    owner,
    options,
    log,
    metrics,
    clock,
    random,
  })
  return {
    node,
    async close() {
      await close(0)
      attestation.close()
      registry.close()
    },
  }
}
