/** The proxy's side of the chain: its contract followed, checkpoints, charges, payouts, refunds. Rules: plan.ts, checkpoints.ts. */
export {
  createProxyChain,
  DRAINED_FACT,
  PARAMS_FACT,
  type ProxyChain,
  type ProxyChainDeps,
  type ProxyChainStatus,
} from './proxy-chain.ts'
export { isRealSecret } from './standings.ts'
export { type ProxyChainOptions, proxyChainOptions } from './terms.ts'
