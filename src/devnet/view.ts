/** The chain as of one block: what an endpoint answers from, be it the last block or one that is late. */
import { type AccountFacts, readAccount } from './account.ts'
import type { History } from './history.ts'
import type { Block, TransactionRecord } from './records.ts'

/** What the accounts of a block's transactions were before it. */
export interface Undo {
  readonly seqno: number
  readonly before: ReadonlyMap<string, string | undefined>
}

export interface View {
  /** The last block of this view. */
  readonly block: Block
  /** Seconds: what contracts see as now. */
  readonly now: number
  /** Bag of cells, Base64; undefined when the account never was. */
  accountBoc(id: string): string | undefined
  account(id: string): AccountFacts
  blockAt(seqno: number): Block | undefined
  /** Oldest first. */
  blocks(): readonly Block[]
  /** Oldest first. */
  ofAccount(id: string): readonly TransactionRecord[]
  byMessage(hash: string): readonly TransactionRecord[]
  byHash(hash: string): TransactionRecord | undefined
  /** Newest first. */
  all(): readonly TransactionRecord[]
}

export interface ViewSource {
  readonly block: Block
  readonly head: Block
  readonly undo: readonly Undo[]
  readonly accounts: ReadonlyMap<string, string>
  readonly history: History
  readonly now: number
}

/** Good for one answer: it reads the chain's own maps, so it must not be kept across a wait. */
export function createView({ block, head, undo, accounts, history, now }: ViewSource): View {
  const { seqno } = block
  const isLatest = block === head
  const upTo = (list: readonly TransactionRecord[]): readonly TransactionRecord[] =>
    isLatest ? list : list.filter((t) => t.seqno <= seqno)

  function accountBoc(id: string): string | undefined {
    if (isLatest) return accounts.get(id)
    const changed = undo.find((u) => u.seqno > seqno && u.before.has(id))
    return changed === undefined ? accounts.get(id) : changed.before.get(id)
  }

  return {
    block,
    now,
    accountBoc,
    account: (id) => readAccount(accountBoc(id)),
    blockAt: (at) => (at > seqno ? undefined : history.blockAt(at)),
    blocks: () => (isLatest ? history.blocks() : history.blocks().filter((b) => b.seqno <= seqno)),
    ofAccount: (id) => upTo(history.ofAccount(id)),
    byMessage: (hash) => upTo(history.byMessage(hash)),
    byHash: (hash) => {
      const found = history.byHash(hash)
      return found !== undefined && found.seqno <= seqno ? found : undefined
    },
    all: () => upTo([...history.transactions()]).toReversed(),
  }
}
