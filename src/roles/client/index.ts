/** The client: pays and asks. Keeps proxies connected and runs requests on them. */
export type { AttemptStory } from './attempts.ts'
export * from './inference.ts'
export { type ContractList, openContractList } from './chain/index.ts'
export { type ClientDeps, type ClientNode, startClientNode } from './node.ts'
export { type ClientOptions, clientOptions } from './options.ts'
