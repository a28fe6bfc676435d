/** What a node needs to use a chain: its owner, its wallet, and, for clients, a secret. */
import { join } from 'node:path'
import type { Address, ChainAccess, WalletSender } from '../chain/index.ts'
import { CocoonError, type Random, Secret, toHex } from '../util/index.ts'
import type { NodeChain, Process } from './compose.ts'
import { loadNodeWallet, type NodeRole } from './keys.ts'
import { ownerAddressOf } from './money.ts'
import { openNodeSender } from './paying.ts'
import { readPrivateFile, writePrivateFile } from '../disk/index.ts'

export interface RoleChain {
  /** Its name. */
  readonly network: string
  /** Gets what the node earns, and may block its wallet. */
  readonly owner: Address
  readonly chain: { readonly access: ChainAccess; readonly wallet: WalletSender }
}

/** Opens the node's wallet. Throws `config.owner` where nobody is known to own it, `config.locked` while another process pays from it. */
export async function openRoleChain(p: Process, nodeChain: NodeChain, role: NodeRole): Promise<RoleChain> {
  const { network, access } = nodeChain
  const owner = await ownerAddressOf(p.config, role, network.isTest)
  if (owner === null)
    throw new CocoonError('config.owner', {
      message: `no owner of the ${role} is known: set ${role}.ownerAddress to a wallet of yours, or make one with \`cocoon wallet create\``,
    })
  const wallet = loadNodeWallet(p.config.home, role, owner, p.random)
  const sender = await openNodeSender(p.config.home, network, wallet, { ...p, access })
  const { balanceNano } = await access.getAccount(wallet.address).catch(() => ({ balanceNano: null }))
  p.log.info('the node’s wallet is open', {
    wallet: wallet.address.toString({ testOnly: network.isTest }),
    nano: balanceNano,
  })
  return { network: network.name, owner, chain: { access, wallet: sender } }
}

const SECRET_BYTES = 32

/** What the client shows its proxies: as configured, or made once and kept beside its key. */
export function clientSecret(configured: Secret<string> | undefined, home: string, random: Random): Secret<string> {
  if (configured !== undefined) return configured
  const path = join(home, 'keys', 'client.secret')
  const kept = readPrivateFile(path)
  if (kept !== null) return new Secret(kept.trim())
  const made = toHex(random.bytes(SECRET_BYTES))
  return new Secret(writePrivateFile(path, `${made}\n`) ? made : (readPrivateFile(path) ?? '').trim())
}
