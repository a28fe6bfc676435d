/** The client's side of the chain: its contracts deployed, funded, charged and closed. Rules: plan.ts. */
export { type ClientChain, type ClientContract, createClientChain, type ProxyParties } from './client-chain.ts'
export { type ContractList, openContractList } from './contract-list.ts'
export { clientChainOptions } from './terms.ts'
