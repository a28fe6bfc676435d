/** Where every nanoTON of a test chain is: in accounts, or burned as fees. Made from the histories of all accounts. */
import type { Address, ChainAccess, Transaction } from '../../src/chain/index.ts'

export interface Books {
  /** Minted by the faucet. */
  readonly mintedNano: bigint
  readonly heldNano: bigint
  readonly burnedNano: bigint
  readonly accounts: number
  readonly transactions: number
}

const FAUCET = '-1:0000000000000000000000000000000000000000000000000000000000000000'

/** Follows messages from these accounts to all that they ever reached. Nothing may be under way. */
export async function bookEverything(access: ChainAccess, from: readonly Address[]): Promise<Books> {
  const todo = [...from]
  const seen = new Set<string>()
  let [mintedNano, heldNano, burnedNano, transactions] = [0n, 0n, 0n, 0]
  for (let address = todo.pop(); address !== undefined; address = todo.pop()) {
    const key = address.toRawString()
    if (seen.has(key) || key === FAUCET) continue
    seen.add(key)
    const account = await access.getAccount(address)
    heldNano += account.balanceNano
    const { transactions: history } = await access.getTransactions(address, {
      afterLt: 0n,
      limit: 100_000,
      until: account,
    })
    for (const transaction of history) {
      transactions++
      mintedNano += mintedBy(transaction)
      burnedNano += burnedBy(transaction)
      for (const message of transaction.outMessages.values())
        if (message.info.type === 'internal') todo.push(message.info.dest)
    }
  }
  return { mintedNano, heldNano, burnedNano, accounts: seen.size, transactions }
}

function mintedBy({ inMessage }: Transaction): bigint {
  return inMessage?.info.type === 'internal' && inMessage.info.src.toRawString() === FAUCET
    ? inMessage.info.value.coins
    : 0n
}

/** To the makers of blocks: what the transaction cost, and what carrying its messages on costs. */
function burnedBy({ totalFees, outMessages }: Transaction): bigint {
  const carried = [...outMessages.values()].map((m) => (m.info.type === 'internal' ? m.info.forwardFee : 0n))
  return carried.reduce((sum, fee) => sum + fee, totalFees.coins)
}

/** All that messages have brought to an account; its balance is less by what storage costs. */
export async function receivedBy(access: ChainAccess, address: Address): Promise<bigint> {
  const account = await access.getAccount(address)
  const { transactions } = await access.getTransactions(address, { afterLt: 0n, limit: 100_000, until: account })
  return transactions.reduce(
    (sum, { inMessage }) => sum + (inMessage?.info.type === 'internal' ? inMessage.info.value.coins : 0n),
    0n,
  )
}
