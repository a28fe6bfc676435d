/** When the network's parameters change, every contract has another address: whoever pays or is paid begins anew. */
import type { Log } from '../util/index.ts'
import type { Registry } from './registry.ts'

/** Calls `renew` once for each version of the parameters after the present one. The result stops it. */
export function onNewParams(registry: Registry, log: Log, renew: () => void): () => void {
  let known = registry.current().params.paramsVersion
  return registry.subscribe(({ params: { paramsVersion } }) => {
    if (paramsVersion === known) return
    known = paramsVersion
    log.info('the network has new parameters: connecting anew, with new contracts', { paramsVersion })
    renew()
  })
}
