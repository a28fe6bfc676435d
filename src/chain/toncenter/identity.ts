/**
 * Which chain the endpoints of a network must serve. Chains are told apart by the hash of their first state, from which every
 * block follows: an endpoint of another chain answers in the right form, with the wrong accounts, and takes signed messages.
 */
import { CocoonError } from '../../util/index.ts'
import { NETWORKS } from '../networks.ts'

export interface ChainIdentity {
  /** Lower-case hex; null until an endpoint of a chain that is not known by name has told it. */
  readonly zeroState: string | null
  /** Throws `chain.other-network` where an endpoint serves another chain than is meant. */
  expect(endpoint: string, zeroState: string): void
}

/** @param network its name, for people; @param known its first state; null for a local chain: then its first endpoint says, and the others agree */
export function createChainIdentity(network: string, known: string | null): ChainIdentity {
  let zeroState = known
  let by = network
  return {
    get zeroState() {
      return zeroState
    },
    expect(endpoint, told) {
      const name = Object.entries(NETWORKS).find(([, facts]) => facts.zeroState === told)?.[0]
      if (zeroState === null && name === undefined) [zeroState, by] = [told, endpoint]
      if (zeroState === told) return
      const other = name ?? `another chain than ${by}`
      throw new CocoonError('chain.other-network', {
        endpoint,
        message: `${endpoint} serves ${other}, and this node is set for ${network}: correct --ton-endpoints (ton.endpoints) or --network; nothing was sent there`,
      })
    },
  }
}
