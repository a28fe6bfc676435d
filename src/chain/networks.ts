/** The networks with a name. Only what is known of them stands here; the rest an operator must say. */
export interface NamedNetwork {
  /** Any form of address; null where nobody has published one: it must be given, or deployed. */
  readonly root: string | null
  /**
   * Hash of the chain's first state, lower-case hex: `init.root_hash` of its endpoints, and `zero_state` in the configuration that
   * light clients of the network start with. Null for a chain that is made anew on each machine.
   */
  readonly zeroState: string | null
  /** The bit that the root contract must have. */
  readonly isTest: boolean
  /** Toncenter endpoints, up to and with the version. Public ones without a key answer about once a second. */
  readonly endpoints: readonly string[]
  /** What peers must show: evidence of hardware, or a simulation of it that proves nothing. */
  readonly evidence: 'simulated' | 'real'
  /** Whether image and model hashes are compared with the root's lists. */
  readonly checkHashes: boolean
  /** A web site that shows accounts and transactions; null where the endpoint itself must do. */
  readonly explorer: string | null
}

export const NETWORKS = {
  mainnet: {
    root: 'EQCns7bYSp0igFvS1wpb5wsZjCKCV19MD5AVzI4EyxsnU73k',
    zeroState: '17a3a92992aabea785a7a090985a265cd31f323d849da51239737e321fb05569',
    isTest: false,
    endpoints: ['https://toncenter.com/api/v2'],
    evidence: 'real',
    checkHashes: true,
    explorer: 'https://tonviewer.com',
  },
  testnet: {
    root: null,
    zeroState: '823f81f306ff02694f935cf5021548e3ce2b86b529812af6a12148879e95a128',
    isTest: true,
    endpoints: ['https://testnet.toncenter.com/api/v2'],
    evidence: 'real',
    checkHashes: true,
    explorer: 'https://testnet.tonviewer.com',
  },
  devnet: {
    root: null,
    zeroState: null,
    isTest: true,
    endpoints: ['http://127.0.0.1:18080/api/v2'],
    evidence: 'simulated',
    checkHashes: false,
    explorer: null,
  },
} as const satisfies Readonly<Record<string, NamedNetwork>>

export type NetworkName = keyof typeof NETWORKS

export const isNetworkName = (text: string): text is NetworkName => Object.hasOwn(NETWORKS, text)
