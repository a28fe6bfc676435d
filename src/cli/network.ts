/** Which network the configuration names: a file, or a chain. The one place that knows what `--network` may say. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Address,
  type ChainNetwork,
  chainNetwork,
  formatAddress,
  isNetworkName,
  type NetworkName,
  NETWORKS,
} from '../chain/index.ts'
import { writeWhole } from '../disk/index.ts'
import { CocoonError } from '../util/index.ts'
import type { Config } from './schema.ts'

export type ChosenNetwork =
  /** Without a chain: everything is in the file. */
  { readonly kind: 'file'; readonly path: string } | { readonly kind: 'chain'; readonly chain: ChainNetwork }

/** Throws `config.network` for a file that is not there, and what `chainNetwork` throws. */
export function chooseNetwork(config: Config): ChosenNetwork {
  const { network: name, home, ton } = config
  if (!isNetworkName(name)) {
    if (existsSync(name)) return { kind: 'file', path: name }
    throw new CocoonError('config.network', {
      message: `the network file ${name} does not exist: correct --network, which is a file or ${Object.keys(NETWORKS).join(', ')}`,
    })
  }
  const root = config.rootContractAddress ?? NETWORKS[name].root ?? deployedRoot(home, name)
  const endpoints = ton.endpoints ?? (name === 'devnet' ? [localEndpoint(config)] : undefined)
  return { kind: 'chain', chain: chainNetwork(name, { ...ton, endpoints, root }) }
}

/** For commands that have no meaning without a chain. Throws `config.network` for a network file. */
export function chooseChain(config: Config): ChainNetwork {
  const chosen = chooseNetwork(config)
  if (chosen.kind === 'chain') return chosen.chain
  throw new CocoonError('config.network', {
    message: `${chosen.path} is a network without a chain, so no money is there: choose one with --network ${Object.keys(NETWORKS).join('|')}`,
  })
}

/** Where `cocoon devnet` listens with this configuration. */
function localEndpoint({ devnet: { host, port } }: Config): string {
  return `http://${host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host}:${port}/api/v2`
}

const recordPath = (home: string, name: NetworkName): string => join(home, 'networks', `${name}.json`)

/** The root contract that was last deployed from this folder, for networks that have none of their own. */
function deployedRoot(home: string, name: NetworkName): string | undefined {
  const path = recordPath(home, name)
  if (!existsSync(path)) return undefined
  try {
    const { root } = JSON.parse(readFileSync(path, 'utf8')) as { readonly root?: unknown }
    if (typeof root === 'string') return root
  } catch (cause) {
    throw new CocoonError(
      'config.network',
      { message: `${path} cannot be read: ${(cause as Error).message}` },
      { cause },
    )
  }
  throw new CocoonError('config.network', { message: `${path} names no root contract: delete it, or deploy again` })
}

/** Written before the contract is sent: its address is known, and whoever goes on must find it. */
export function rememberRoot(home: string, name: NetworkName, root: Address): void {
  writeWhole(
    recordPath(home, name),
    `${JSON.stringify({ root: formatAddress(root, NETWORKS[name].isTest) }, null, 2)}\n`,
  )
}
