/** The last blocks and transactions, found by account, by message and by number; older ones are trimmed. */
import type { Block, TransactionRecord } from './records.ts'

export interface HistoryLimits {
  readonly keepBlocks: number
  readonly keepTransactions: number
  readonly keepTransactionsPerAccount: number
}

export interface History {
  /** Puts the next block on top and trims. */
  add(block: Block): void
  /** For restoring: a transaction whose block may be trimmed already. In order of blocks. */
  addTransaction(transaction: TransactionRecord): void
  addBlockOnly(block: Block): void
  blockAt(seqno: number): Block | undefined
  /** Oldest first. */
  blocks(): readonly Block[]
  /** Oldest first. */
  ofAccount(account: string): readonly TransactionRecord[]
  /** Of all accounts, oldest first. */
  transactions(): Iterable<TransactionRecord>
  /** Those that the message (hex hash, or normalized hash) entered or left. */
  byMessage(hash: string): readonly TransactionRecord[]
  byHash(hash: string): TransactionRecord | undefined
  count(): { readonly blocks: number; readonly transactions: number }
}

export function createHistory(limits: HistoryLimits): History {
  let blocks: Block[] = []
  const byAccount = new Map<string, TransactionRecord[]>()
  /** In order of insertion: the first is the oldest. */
  const byHash = new Map<string, TransactionRecord>()
  const byMessage = new Map<string, TransactionRecord[]>()

  const keysOf = (t: TransactionRecord): readonly string[] =>
    t.normHash === null || t.messages.includes(t.normHash) ? t.messages : [...t.messages, t.normHash]

  function drop(transaction: TransactionRecord): void {
    byHash.delete(transaction.hash)
    // It is the account's oldest as well: both lists are in the order of blocks.
    const own = byAccount.get(transaction.account)
    own?.shift()
    if (own?.length === 0) byAccount.delete(transaction.account)
    for (const key of keysOf(transaction)) {
      const left = (byMessage.get(key) ?? []).filter((t) => t !== transaction)
      if (left.length === 0) byMessage.delete(key)
      else byMessage.set(key, left)
    }
  }

  function addTransaction(transaction: TransactionRecord): void {
    byHash.set(transaction.hash, transaction)
    let own = byAccount.get(transaction.account)
    if (own === undefined) byAccount.set(transaction.account, (own = []))
    own.push(transaction)
    for (const key of keysOf(transaction)) {
      const known = byMessage.get(key)
      if (known === undefined) byMessage.set(key, [transaction])
      else known.push(transaction)
    }
    if (own.length > limits.keepTransactionsPerAccount) drop(own[0] as TransactionRecord)
    if (byHash.size > limits.keepTransactions) drop(byHash.values().next().value as TransactionRecord)
  }

  let kept = 0
  function addBlockOnly(block: Block): void {
    blocks.push(block)
    kept += block.transactions.length
    let trimmed = 0
    while (
      blocks.length - trimmed > limits.keepBlocks ||
      (kept > limits.keepTransactions && blocks.length - trimmed > 1)
    )
      kept -= (blocks[trimmed++] as Block).transactions.length
    if (trimmed > 0) blocks = blocks.slice(trimmed)
  }

  return {
    add(block) {
      addBlockOnly(block)
      for (const transaction of block.transactions) addTransaction(transaction)
    },
    addTransaction,
    addBlockOnly,
    // Numbers have no gaps, so the place follows from the number.
    blockAt: (seqno) => blocks[seqno - (blocks[0]?.seqno ?? 0)],
    blocks: () => blocks,
    ofAccount: (account) => byAccount.get(account) ?? [],
    transactions: () => byHash.values(),
    byMessage: (hash) => byMessage.get(hash) ?? [],
    byHash: (hash) => byHash.get(hash),
    count: () => ({ blocks: blocks.length, transactions: byHash.size }),
  }
}
