/** Reading the history of the proxy contract from where the ledger left off: each transaction is told once, in order. */
import {
  type AccountState,
  type ChainReader,
  type ProxyEvent,
  type ProxyReader,
  readProxyEvent,
} from '../../../chain/index.ts'

export interface HistoryEvent {
  readonly event: ProxyEvent
  /** Logical time of the message at its sender: orders what one contract tells. */
  readonly lt: bigint
}

export interface HistoryPart {
  readonly events: readonly HistoryEvent[]
  /** Logical time of the last transaction that was looked at. */
  readonly upTo: bigint
  readonly more: boolean
}

/** A page or two of an endpoint. */
const PART = 200

/** The next part after `afterLt`, up to the account as it was read. Throws `chain.*`. */
export async function readEvents(
  reader: ChainReader,
  account: AccountState,
  afterLt: bigint,
  who: ProxyReader,
  signal: AbortSignal,
): Promise<HistoryPart> {
  const { transactions, more } = await reader.getTransactions(account.address, {
    afterLt,
    limit: PART,
    until: account,
    signal,
  })
  const events = transactions.flatMap(({ inMessage }): HistoryEvent[] => {
    if (inMessage?.info.type !== 'internal' || inMessage.info.bounced) return []
    const event = readProxyEvent(inMessage.info.src, inMessage.body, who)
    return event === null ? [] : [{ event, lt: inMessage.info.createdLt }]
  })
  return { events, upTo: transactions.at(-1)?.lt ?? afterLt, more }
}
