/** What a proxy reads in the history of its own contract: its clients, its workers, its own saved states. */
import type { Address, Cell } from '@ton/core'
import { CocoonError } from '../../util/index.ts'
import { clientContractAddress, workerContractAddress } from './addresses.ts'
import type { ContractState } from './layout.ts'
import type { RootParams } from './params.ts'
import { type NotifiedClientState, payloads, proxyMessages, SAVE_STATE_INNER } from './proxy.ts'

/** What a proxy learns from a message that arrived at its contract. */
export type ProxyEvent =
  | {
      readonly kind: 'client'
      readonly owner: Address
      readonly client: NotifiedClientState
      /** The challenge that a `register` answers. */
      readonly nonce: bigint | null
    }
  | { readonly kind: 'worker'; readonly owner: Address; readonly state: ContractState; readonly tokens: bigint }
  | { readonly kind: 'saveState'; readonly seqno: number; readonly sessionHash: Uint8Array }

/** Whom a proxy believes. */
export interface ProxyReader {
  readonly params: RootParams
  /** The proxy's own contract. */
  readonly proxy: Address
  readonly proxyPublicKey: Uint8Array
  /** The proxy's own wallet: the only one whose saved states count. */
  readonly wallet: Address
}

/**
 * What a message means, or null when it tells nothing or its sender may not tell it. A client or worker contract is
 * known by its address, which its claimed owner must give: a notification needs no successful transaction, since
 * it comes with too little TON to be computed.
 */
export function readProxyEvent(sender: Address, body: Cell, reader: ProxyReader): ProxyEvent | null {
  const { clientRequest, workerRequest, saveState } = proxyMessages
  try {
    if (clientRequest.isIn(body)) {
      const { owner, client, payload } = clientRequest.read(body)
      if (!clientContractAddress(reader.params, { ...reader, owner }).equals(sender)) return null
      const nonce = payload !== null && payloads.register.isIn(payload) ? payloads.register.read(payload).nonce : null
      return { kind: 'client', owner, client, nonce }
    }
    if (workerRequest.isIn(body)) {
      const { owner, state, tokens } = workerRequest.read(body)
      if (!workerContractAddress(reader.params, { ...reader, owner }).equals(sender)) return null
      return { kind: 'worker', owner, state, tokens }
    }
    if (!saveState.isIn(body) || !sender.equals(reader.wallet)) return null
    const { inner, seqno, sessionHash } = saveState.read(body)
    return inner === SAVE_STATE_INNER ? { kind: 'saveState', seqno, sessionHash } : null
  } catch (error) {
    // Anybody can send anything; only what has the whole form counts.
    if (error instanceof CocoonError && error.code === 'chain.layout') return null
    throw error
  }
}
