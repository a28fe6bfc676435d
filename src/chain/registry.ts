/** The root registry as nodes see it: who takes part, at what price. Read through an interface; TON is one source. */
import type { Address } from '@ton/core'
import type { RootParams } from './contracts/params.ts'

export interface NetworkAddress {
  readonly host: string
  readonly port: number
}

export interface RegisteredProxy {
  readonly seqno: number
  readonly forWorkers: NetworkAddress
  readonly forClients: NetworkAddress
}

/** Who hands out the keys that requests are sealed with. */
export interface KeyManager {
  readonly address: NetworkAddress | null
  /** Lower-case hex; what signs registrations of keys. Null where the registry has zeros, which are no key. */
  readonly publicKey: string | null
  /** Lower-case hex; the image it must run. */
  readonly imageHash: string | null
}

export interface RegisteredPublicKey {
  /** Lower-case hex. */
  readonly publicKey: string
  readonly keyType: number
  /** Unix seconds. */
  readonly expiresAtS: number
}

/** Which evidence a network's peers must show. Only `real` proves anything; the others exist for test networks only. */
export type NetworkEvidence = 'none' | 'simulated' | 'real'

/** Makers of hardware that exist in tests only. What names them proves nothing to anybody else. */
export interface TestRoots {
  /** X ‖ Y of a P-256 key, 128 hex digits. */
  readonly intel?: string
  /** SHA-256 of a key, hex, and the product line that it certifies. */
  readonly amd?: readonly { readonly product: 'Milan' | 'Genoa' | 'Turin'; readonly keyPin: string }[]
  /** SHA-256 of the keys that NVIDIA's device and manifest roots have, hex. */
  readonly nvidiaDevices?: readonly string[]
  readonly nvidiaManifests?: readonly string[]
}

export interface RootConfig {
  readonly owner: Address
  /**
   * The registry contract itself, part of every proxy contract's address. Null where a network without a chain names none:
   * proxies then use `owner` in its place, and a peer's stated proxy address cannot be recomputed.
   */
  readonly root: Address | null
  readonly proxies: readonly RegisteredProxy[]
  /** Lower-case hex SHA-256 values. */
  readonly proxyHashes: ReadonlySet<string>
  readonly workerHashes: ReadonlySet<string>
  /** Hashes of full model names, and of base names where the network lists models by name. */
  readonly modelHashes: ReadonlySet<string>
  readonly lastProxySeqno: number
  /** Grows with any change; requests name it so that nobody serves on older rules. */
  readonly version: number
  readonly params: RootParams
  /** Absent where the registry names none, or is older than key managers. */
  readonly keyManager?: KeyManager
  readonly registeredPublicKeys?: readonly RegisteredPublicKey[]
  readonly evidence: NetworkEvidence
  /** Only in a network file, which is always a test network. */
  readonly testRoots?: TestRoots
  /** Whether image and model hashes are compared with the lists above. */
  readonly checkHashes: boolean
  /** nanoTON that a client nobody has seen before owns; only where the network has no chain. */
  readonly testClientBalanceNano: bigint
}

/** The image hashes that a registry allows for one role. */
export interface AllowedHashes {
  /** Throws what `Registry.current` throws. */
  current(): ReadonlySet<string>
  subscribe(listener: () => void): () => void
}

export const allowedHashes = (registry: Registry, of: 'proxies' | 'workers'): AllowedHashes => ({
  current: () => (of === 'proxies' ? registry.current().proxyHashes : registry.current().workerHashes),
  subscribe: (listener) => registry.subscribe(listener),
})

export interface Registry {
  /** The newest accepted configuration. Throws `chain.stale` where a chain was not read for too long: nobody goes on with a guess. */
  current(): RootConfig
  /** Calls `listener` after each change; the result stops it. */
  subscribe(listener: (config: RootConfig) => void): () => void
  close(): void
}
