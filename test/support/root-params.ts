/** Parameters of a root that tests of a node's chain share, where it matters that they are some and not which. */
import { Address, ownCodes, type RootParams } from '../../src/chain/index.ts'
import { NANO_PER_TON } from '../../src/util/index.ts'

export const ROOT_PARAMS: RootParams = {
  structVersion: 4,
  paramsVersion: 1,
  uniqueId: 1,
  isTest: true,
  pricePerToken: 20n,
  workerFeePerToken: 18n,
  multipliers: { prompt: 10_000, cached: 10_000, completion: 10_000, reasoning: 10_000 },
  proxyDelayBeforeCloseS: 600,
  clientDelayBeforeCloseS: 300,
  minProxyStakeNano: NANO_PER_TON,
  minClientStakeNano: NANO_PER_TON,
  codes: ownCodes(),
}

/** Nobody's: an address of one byte, over and over. */
export const addressAt = (byte: number): Address => new Address(0, Buffer.alloc(32, byte))
