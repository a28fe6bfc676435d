/** The worker's side of the chain: what proxies have signed, and collecting it. Rules: plan.ts. */
export { createWorkerChain, type SignedWork, type WorkerChain, type WorkerContract } from './worker-chain.ts'
export { workerChainOptions } from './terms.ts'
