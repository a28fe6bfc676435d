/** The proxy: admits requests, chooses workers, meters and settles, signs payments. */
export { type ProxyDeps, type ProxyNode, startProxyNode } from './node.ts'
export {
  createProxyChain,
  DRAINED_FACT,
  PARAMS_FACT,
  type ProxyChain,
  type ProxyChainOptions,
} from './chain/index.ts'
export { type ProxyOptions, proxyOptions } from './options.ts'
export { Dispatcher, type DispatchLimits, type Effect, type Job } from './dispatcher.ts'
export { WorkerPool, type WorkerSlot } from './scheduler.ts'
export type { Verdict } from './worker-record.ts'
