/** Who a proxy is towards its peers, as TL strings and bytes. */
export interface ProxyIdentity {
  /** 32 bytes: the key that signs payments and seeds contract addresses. */
  readonly publicKey: Uint8Array
  readonly ownerAddress: string
  readonly contractAddress: string
  readonly isTest: boolean
}
