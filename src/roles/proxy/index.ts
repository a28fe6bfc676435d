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
