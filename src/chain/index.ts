/** What the nodes read of TON: addresses, the root registry, contract addresses and signed payments. */
export { Address, formatAddress, parseAddress } from './address.ts'
export { digestCell, digestOf, parseBoc, type CellDigest } from './cell-hash.ts'
export {
  clientContractAddress,
  expectAddress,
  proxyContractAddress,
  verifyProxyContract,
  workerContractAddress,
} from './contracts/addresses.ts'
export type { PeerParties } from './contracts/addresses.ts'
export type { ContractCodes, Multipliers, RootParams } from './contracts/params.ts'
export { createPaymentVerifier, type PaymentReceiver } from './contracts/payment-verifier.ts'
export { signPayment, verifyPayment, type Payment, type PaymentKind } from './contracts/signed-payment.ts'
export { isSignatureValid, signingKeyFromSeed, type SigningKey } from './ed25519.ts'
export type { ChainErrorCode } from './errors.ts'
export { registryForTools } from './registry-stats.ts'
export { loadNetworkFile, parseNetworkFile, type NetworkFileWatch } from './network-file.ts'
export type { NetworkAddress, NetworkEvidence, RegisteredProxy, Registry, RootConfig } from './registry.ts'
