/** The chain that `cocoon up` brings along: an owner's wallet, play money, a root contract, money for the nodes. Done once, found later. */
import {
  type Address,
  changeRoot,
  deployRoot,
  fundMissing,
  type NewRoot,
  type OrderDeps,
  payFrom,
  readRoot,
  type RootTerms,
} from '../../chain/index.ts'
import { formatTon, NANO_PER_TON, systemRandom, toCocoonError } from '../../util/index.ts'
import type { Loaded } from '../config.ts'
import { askFaucet } from '../faucet.ts'
import { loadNodeWallet, type NodeRole } from '../keys.ts'
import { addressText, type Money, openMoney, ownerAddressOf, withOwner } from '../money.ts'
import { rememberRoot } from '../network.ts'
import type { Config } from '../schema.ts'
import type { Terminal } from '../terminal.ts'
import { findWallet, newWords, storeWallet } from '../wallet/wallet-file.ts'

export interface UpChain {
  readonly money: Money
  readonly root: Address
  readonly walletByRole: Readonly<Record<NodeRole, Address>>
}

/** Play money: nobody misses it, and a demonstration shall not end for want of it. */
const OWNER_TON = { atLeast: 5_000n, faucet: 20_000n }
const NODE_TON = { client: 50n, proxy: 1_000n, worker: 20n } as const
const ROLES: readonly NodeRole[] = ['client', 'proxy', 'worker']
/** As long as a demonstration may wait for its money. */
const DELAYS = { proxyDelayBeforeCloseS: 600, clientDelayBeforeCloseS: 300 }

/** What the nodes are told where nobody has said otherwise: every answer is charged and paid, since that is what is to be seen. */
export const QUICK_SETTINGS: readonly (readonly [setting: string, variable: string, value: string])[] = [
  ['proxy.chain.pollMs', 'COCOON_PROXY_CHAIN_POLL_MS', '400'],
  ['proxy.chain.checkpointEveryMs', 'COCOON_PROXY_CHAIN_CHECKPOINT_EVERY_MS', '2000'],
  ['proxy.chain.checkpointAtTon', 'COCOON_PROXY_CHAIN_CHECKPOINT_AT_TON', '0'],
  ['proxy.chain.chargeAtTon', 'COCOON_PROXY_CHAIN_CHARGE_AT_TON', '0'],
  ['proxy.chain.payoutAtTon', 'COCOON_PROXY_CHAIN_PAYOUT_AT_TON', '0'],
  ['client.chain.pollMs', 'COCOON_CLIENT_CHAIN_POLL_MS', '1000'],
  ['worker.chain.pollMs', 'COCOON_WORKER_CHAIN_POLL_MS', '1000'],
]

/** Deploys and funds what is missing. Throws `chain.*`, and `config.passphrase` where the owner's wallet has one and nobody can type it. */
export async function prepareChain(loaded: Loaded, t: Terminal, err: Terminal): Promise<UpChain> {
  const { config } = loaded
  await ensureOwner(config)
  const money = openMoney(loaded, QUIET(t), err, false)
  const { network, access } = money
  return withOwner(money, async (sender) => {
    if ((await access.getAccount(sender.address)).balanceNano < OWNER_TON.atLeast * NANO_PER_TON)
      await askFaucet(network, access, sender.address, OWNER_TON.faucet * NANO_PER_TON)
    const deps: OrderDeps = {
      reader: access,
      payer: payFrom(sender),
      clock: money.deps.clock,
      random: money.deps.random,
      pollMs: network.pollMs,
      signal: money.signal,
    }
    const root = (await isThere(money, network.root, sender.address))
      ? (network.root as Address)
      : await newRoot(config, deps, sender.address)
    const { host, workerPort, clientPort } = config.proxy
    const proxies = [`${host}:${workerPort} ${host}:${clientPort}`]
    await changeRoot(deps, root, { proxies, terms: pricesOf(config) })
    const wallets = await walletsOf(config, network.isTest, sender.address)
    await fundMissing(
      deps,
      ROLES.map((role) => ({
        label: `fund the ${role}’s wallet`,
        address: wallets[role],
        atLeastNano: (NODE_TON[role] * NANO_PER_TON) / 2n,
        upToNano: NODE_TON[role] * NANO_PER_TON,
      })),
    )
    return { money, root, walletByRole: wallets }
  })
}

/** A wallet of play money needs no passphrase; one that is there already is used as it is. */
async function ensureOwner({ home, wallet }: Config): Promise<void> {
  if (findWallet(home, wallet.name) === null) await storeWallet(home, wallet.name, await newWords(), null, systemRandom)
}

/** The root that this folder deployed last, if it is on this chain and obeys this owner. */
async function isThere(money: Money, root: Address | null, owner: Address): Promise<boolean> {
  if (root === null) return false
  try {
    return (await readRoot(money.access, root)).owner.equals(owner)
  } catch (error) {
    if (toCocoonError(error).code === 'chain.no-root') return false
    throw error
  }
}

async function newRoot(config: Config, deps: OrderDeps, owner: Address): Promise<Address> {
  const draft: NewRoot = {
    owner,
    isTest: true,
    uniqueId: 1,
    terms: {
      ...pricesOf(config),
      ...DELAYS,
      minProxyStakeNano: NANO_PER_TON,
      minClientStakeNano: NANO_PER_TON,
    },
    multipliers: { prompt: 10_000, cached: 10_000, completion: 10_000, reasoning: 10_000 },
  }
  const root = await deployRoot(deps, draft)
  rememberRoot(config.home, 'devnet', root)
  return root
}

const pricesOf = ({ up }: Config): Pick<RootTerms, 'pricePerToken' | 'workerFeePerToken'> => ({
  pricePerToken: BigInt(up.pricePerTokenNano),
  workerFeePerToken: BigInt(up.workerFeePerTokenNano),
})

async function walletsOf(
  config: Config,
  isTest: boolean,
  fallback: Address,
): Promise<Readonly<Record<NodeRole, Address>>> {
  const addresses = await Promise.all(
    ROLES.map(async (role) => {
      const owner = (await ownerAddressOf(config, role, isTest)) ?? fallback
      return [role, loadNodeWallet(config.home, role, owner, systemRandom).address] as const
    }),
  )
  return Object.fromEntries(addresses) as Record<NodeRole, Address>
}

/** What was prepared, in a line. */
export const describeChain = ({ money, root }: UpChain, config: Config): string =>
  `root ${addressText(money, root)}, ${formatTon(BigInt(config.up.pricePerTokenNano))} TON a token`

/** Orders report nothing here: the step's own line does. */
const QUIET = (t: Terminal): Terminal => ({ ...t, write() {}, line() {} })
