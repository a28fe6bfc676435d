/** The networks with a name. Only what is known of them stands here; the rest an operator must say. */
export interface NamedNetwork {
  /** Any form of address; null where nobody has published one: it must be given. */
  readonly root: string | null
  /** The bit that the root contract must have. */
  readonly isTest: boolean
  /** Public toncenter endpoints. Without a key they answer about once a second. */
  readonly endpoints: readonly string[]
}

export const NETWORKS = {
  mainnet: {
    root: 'EQCns7bYSp0igFvS1wpb5wsZjCKCV19MD5AVzI4EyxsnU73k',
    isTest: false,
    endpoints: ['https://toncenter.com/api/v2'],
  },
  testnet: { root: null, isTest: true, endpoints: ['https://testnet.toncenter.com/api/v2'] },
} as const satisfies Readonly<Record<string, NamedNetwork>>
