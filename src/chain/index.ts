/**
 * TON for nodes: addresses, the root registry (a file, or the root contract), contracts and their messages, signed payments,
 * reading and sending through toncenter endpoints. Nothing here decides when to pay; the ledger and the roles do.
 */
export type { Transaction } from '@ton/core'
export { Address, formatAddress, parseAddress } from './address.ts'
export { codeCell, type CodeCell, digestCell, digestOf, parseBoc, type CellDigest } from './cell-hash.ts'
export {
  accountUrl,
  type ChainDeps,
  type ChainNetwork,
  chainNetwork,
  type ChainNetworkSettings,
  openChainAccess,
  openChainRegistry,
  requireRoot,
  transactionUrl,
} from './chain-network.ts'
export {
  clientContractAddress,
  expectAddress,
  proxyContractAddress,
  verifyProxyContract,
  workerContractAddress,
} from './contracts/addresses.ts'
export type { PeerParties } from './contracts/addresses.ts'
export {
  CHECKPOINT_NANO,
  type ContractOrder,
  DEPLOY_NANO,
  EMPTY_CELL,
  ORDER_NANO,
  orderTransfer,
  RENT_FLOOR_NANO,
} from './contracts/amounts.ts'
export { clientMessages, clientState, type ClientState } from './contracts/client.ts'
export { commonMessages, EXIT_CODES } from './contracts/common.ts'
export { clientStateInit, proxyStateInit, type StateInit, workerStateInit } from './contracts/deploy.ts'
export type { ContractState } from './contracts/layout.ts'
export { type ContractOnChain, readContract } from './contracts/read-contract.ts'
export { textCommand, textComment } from './contracts/message.ts'
export {
  externalMessage,
  initialWalletData,
  internalMessage,
  type InternalMessage,
  isBlocked,
  loadWalletOrder,
  nodeWalletAddress,
  REFERENCE_WALLET_CODE,
  signWalletOrder,
  WALLET_COMMANDS,
  walletMessages,
  walletState,
  type WalletOrder,
  type WalletParties,
  type WalletState,
  type WalletTransfer,
} from './contracts/node-wallet.ts'
export { ownCode, ownCodes } from './contracts/own-code.ts'
export {
  codeOf,
  type ContractCodes,
  decodeParams,
  encodeParams,
  loadParams,
  type Multipliers,
  type RootParams,
  type StoredParams,
  storeParams,
} from './contracts/params.ts'
export { createPaymentVerifier, type PaymentReceiver } from './contracts/payment-verifier.ts'
export { buildSaveState, payloads, proxyMessages, proxyState, type ProxyState } from './contracts/proxy.ts'
export { type ProxyEvent, type ProxyReader, readProxyEvent } from './contracts/proxy-events.ts'
export { rootMessages } from './contracts/root-messages.ts'
export {
  type Payment,
  type PaymentKind,
  redirectExcesses,
  signClosing,
  signPayment,
  signPublicKey,
  verifyPayment,
} from './contracts/signed-payment.ts'
export { workerMessages, workerState, type WorkerState } from './contracts/worker.ts'
export { isSignatureValid, signingKeyFromSeed, type SigningKey } from './ed25519.ts'
export type { ChainErrorCode } from './errors.ts'
export { registryForTools } from './registry-stats.ts'
export { loadNetworkFile, parseNetworkFile, type NetworkFileWatch } from './network-file.ts'
export { parseProxyAddresses } from './network-address.ts'
export { isNetworkName, type NamedNetwork, type NetworkName, NETWORKS } from './networks.ts'
export { onNewParams } from './new-params.ts'
export { carryOut, type OrderDeps, type OrderProgress, type OrderResult } from './orders/carry-out.ts'
export {
  changeRoot,
  deployMissing,
  deployRoot,
  fundMissing,
  type NewRoot,
  planRootChanges,
  readRoot,
  rootStateInit,
  type WantedContract,
  type WantedFunds,
} from './orders/deploy-network.ts'
export { EFFECT_MS, type OnceOrder, sendOnce } from './orders/send-once.ts'
export { type Order, type Payer, payFrom, payThroughWallet } from './orders/payer.ts'
export {
  describeRootChange,
  type HashList,
  planRoot,
  proxyText,
  type RootChange,
  type RootTerms,
  type RootWish,
  termsOf,
} from './orders/root-plan.ts'
export type {
  AccountState,
  ChainAccess,
  ChainReader,
  History,
  HistoryRange,
  MethodResult,
  ReadOptions,
  SendBocResult,
} from './reader.ts'
export {
  type AllowedHashes,
  allowedHashes,
  type KeyManager,
  type NetworkAddress,
  type NetworkEvidence,
  type RegisteredProxy,
  type RegisteredPublicKey,
  type Registry,
  type RootConfig,
  type TestRoots,
} from './registry.ts'
export {
  type ChainRegistry,
  type ChainRegistryOptions,
  type ChainRegistryStatus,
  createChainRegistry,
} from './root/chain-registry.ts'
export { parseRootState, type RootDraft, type RootState, storeRootState } from './root/state.ts'
export { pause } from './pause.ts'
export { openFileJournal } from './sender/file-journal.ts'
export type { SendAttempt, SendJournal, SendOutcome, SendRecord } from './sender/journal.ts'
export { type PayingWallet, unusableWallet } from './sender/paying-wallet.ts'
export {
  openSender,
  type SenderDeps,
  type SenderOptions,
  type SenderStatus,
  type SendRequest,
  type WalletSender,
} from './sender/sender.ts'
export type { EndpointOptions } from './toncenter/endpoint.ts'
export type { HttpAnswer, HttpPost, HttpRequest } from './toncenter/http.ts'
export { createToncenter, type ToncenterDeps, type ToncenterOptions } from './toncenter/toncenter.ts'
