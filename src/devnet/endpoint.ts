/** One address that clients talk to: a chain seen through the endpoint's own faults. */
import type { Acknowledged, Chain } from './chain.ts'
import type { ChainFaults, Faults, ReplyFaults } from './faults.ts'
import type { View } from './view.ts'

export interface Endpoint {
  /** The chain that this endpoint is on right now. */
  chain(): Chain
  /** What to answer from; a `seqno` names the block. */
  view(seqno?: number): View
  /** Checks and takes an external message, Base64 decoded. */
  send(boc: Uint8Array): Promise<Acknowledged>
  /** A message was put under way otherwise. */
  kick(): void
  readonly faults: Faults & ReplyFaults
  /** Hash of the chain's first state, lower-case hex: tells chains apart, and stays when old blocks are forgotten. */
  readonly zeroState: string
}

export function createEndpoint(parts: {
  readonly chain: () => Chain
  readonly kick: () => void
  readonly faults: Faults & ReplyFaults
  readonly chainFaults: ChainFaults
  readonly zeroState: string
}): Endpoint {
  const { chain, kick, faults, chainFaults, zeroState } = parts
  return {
    chain,
    kick,
    faults,
    zeroState,
    view: (seqno) => chain().view(seqno === undefined ? { lag: faults.lag() } : { seqno }),
    async send(boc) {
      const target = chain()
      const message = await target.check(boc)
      if (chainFaults.losesMessage()) return message
      target.accept(message)
      kick()
      return message
    },
  }
}
