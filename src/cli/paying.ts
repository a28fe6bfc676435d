/** A wallet, opened to pay: its journal in the home folder, one process at a time. */
import { join } from 'node:path'
import {
  type Address,
  type ChainAccess,
  type ChainDeps,
  type ChainNetwork,
  formatAddress,
  openFileJournal,
  openSender,
  type PayingWallet,
  type WalletSender,
} from '../chain/index.ts'
import { devnetId } from './faucet.ts'
import type { NodeWallet } from './keys.ts'
import { takeProcessLock } from '../disk/index.ts'

type PayingDeps = ChainDeps & { readonly access: ChainAccess }

/**
 * A node's wallet. Goes on with what the journal holds. Journals are kept by chain and wallet, since what is open on one chain
 * means nothing on another. Throws `config.locked` while another process pays from the wallet, `chain.journal`.
 */
export const openNodeSender = (
  home: string,
  network: ChainNetwork,
  wallet: NodeWallet,
  deps: PayingDeps,
): Promise<WalletSender> => open(home, network, wallet.address, wallet, deps)

/** The same for any wallet. */
export const openWalletSender = (
  home: string,
  network: ChainNetwork,
  wallet: PayingWallet,
  deps: PayingDeps,
): Promise<WalletSender> => open(home, network, wallet.address, { wallet }, deps)

async function open(
  home: string,
  network: ChainNetwork,
  address: Address,
  payingWallet: NodeWallet | { readonly wallet: PayingWallet },
  deps: PayingDeps,
): Promise<WalletSender> {
  const name = formatAddress(address, network.isTest)
  const path = join(home, 'sent', await chainName(network), `${name}.jsonl`)
  const release = takeProcessLock(
    `${path}.lock`,
    (pid) => `process ${pid} pays from the wallet ${name}: stop that node first, or pay from another wallet`,
  )
  try {
    const journal = await openFileJournal(path)
    const sender = await openSender({ ...deps, journal }, { ...payingWallet, pollMs: network.pollMs })
    return {
      ...sender,
      async close() {
        try {
          await sender.close()
        } finally {
          release()
        }
      },
    }
  } catch (error) {
    release()
    throw error
  }
}

/** A local chain whose folder was deleted is another one afterwards, and nothing that was sent on the first is under way there. */
async function chainName(network: ChainNetwork): Promise<string> {
  return network.name === 'devnet' ? `devnet-${await devnetId(network)}` : network.name
}
