/** `cocoon wallet show`: the owner's wallet and those of the nodes, with what they hold. */
import { type AccountState, type Address, ownCode, REFERENCE_WALLET_CODE } from '../../chain/index.ts'
import { formatTon, toHex } from '../../util/index.ts'
import { findKey, type NodeRole, nodeWallet, walletKeyName } from '../keys.ts'
import { addressText, link, type Money, ownerAddressOf, show } from '../money.ts'
import { table } from '../terminal.ts'
import { nodeWalletState } from './node-state.ts'
import { findWallet } from './wallet-file.ts'

interface Row {
  readonly wallet: string
  readonly address: string
  readonly state: string
  readonly balanceNano: bigint
  readonly kind: string
  readonly note: string
  readonly url: string
}

export async function showWallets(money: Money): Promise<number> {
  const { config, network } = money
  const rows: Row[] = []
  const stored = findWallet(config.home, config.wallet.name)
  if (stored !== null) {
    const { standardWalletAddress } = await import('./standard-wallet.ts')
    const address = standardWalletAddress(stored.publicKey, network.isTest)
    const note = stored.isSealed ? 'under a passphrase' : 'without a passphrase'
    rows.push(await rowOf(money, stored.name, address, 'standard wallet v5r1', () => note))
  }
  for (const role of ['client', 'proxy', 'worker'] as const) {
    const row = await nodeRow(money, role)
    if (row !== null) rows.push(row)
  }
  show(money, { network: network.name, wallets: rows }, () => textOf(money, rows))
  return 0
}

async function nodeRow(money: Money, role: NodeRole): Promise<Row | null> {
  const { config, network } = money
  const key = findKey(config.home, walletKeyName(role))
  const owner = await ownerAddressOf(config, role, network.isTest)
  if (key === null || owner === null) return null
  const { address } = nodeWallet(key, owner)
  return rowOf(money, role, address, 'node wallet', (account) => {
    const state = nodeWalletState(account)
    const ownedBy = `owner ${addressText(money, owner)}`
    return state?.isBlocked === true ? `its key is blocked, ${ownedBy}` : ownedBy
  })
}

async function rowOf(
  money: Money,
  wallet: string,
  address: Address,
  kind: string,
  noteOf: (account: AccountState) => string,
): Promise<Row> {
  const account = await money.access.getAccount(address, { signal: money.signal })
  const state = account.status === 'uninitialized' ? 'not deployed' : account.status
  const note = noteOf(account)
  return {
    wallet,
    address: addressText(money, address),
    state,
    balanceNano: account.balanceNano,
    kind: isForeign(account, kind) ? 'wallet of another kind' : kind,
    note,
    url: link(money, address),
  }
}

/** At a node wallet's address there is a node wallet or nothing; said, should that ever not be so. */
function isForeign({ code }: AccountState, kind: string): boolean {
  if (code === null || kind !== 'node wallet') return false
  const hash = code.hash().toString('hex')
  return hash !== toHex(ownCode('wallet').hash) && hash !== toHex(REFERENCE_WALLET_CODE.hash)
}

function textOf({ out, network, config }: Money, rows: readonly Row[]): readonly string[] {
  if (rows.length === 0) return [`No wallet in ${config.home} yet: make one with \`cocoon wallet create\`.`]
  const cells = rows.map((r) => [r.wallet, `${formatTon(r.balanceNano)} TON`, r.state, r.address, r.kind, r.note])
  return [
    `network ${network.name}`,
    table(out, [['wallet', 'balance', 'state', 'address', 'kind', ''], ...cells]),
    ...rows.map((r) => out.style('dim', `${r.wallet}: ${r.url}`)),
  ]
}
