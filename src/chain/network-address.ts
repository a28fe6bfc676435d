/** Where registered nodes listen: `IPv4:port`, the only form the registry has. */
import { isIPv4 } from 'node:net'
import type { NetworkAddress } from './registry.ts'

/** Null unless the text is `IPv4:port`, bare or in square brackets. */
export function parseNetworkAddress(text: string): NetworkAddress | null {
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text
  const match = /^([\d.]{7,15}):(\d{1,5})$/.exec(bare)
  const port = Number(match?.[2])
  if (match?.[1] === undefined || !isIPv4(match[1]) || port < 1 || port > 65_535) return null
  return { host: match[1], port }
}

/** `"<workers> <clients>"`, or one address for both; null when it is neither. */
export function parseProxyAddresses(
  text: string,
): { readonly forWorkers: NetworkAddress; readonly forClients: NetworkAddress } | null {
  const [workers, clients = workers, ...more] = text.split(' ')
  if (workers === undefined || clients === undefined || more.length > 0) return null
  const [forWorkers, forClients] = [parseNetworkAddress(workers), parseNetworkAddress(clients)]
  return forWorkers === null || forClients === null ? null : { forWorkers, forClients }
}
