/** The network that `cocoon up` makes: one proxy on this machine, simulated evidence, prices without money. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { Address, formatAddress } from '../../chain/index.ts'
import { writeWhole } from '../../disk/index.ts'
import { devnetFile } from '../compose.ts'
import type { Config } from '../schema.ts'

/** Writes the network file where it is missing or differs; a difference raises its version, or nodes would ignore it. */
export function writeDevnet(config: Config): string {
  const path = devnetFile(config.home)
  const { proxy, up } = config
  const account = (name: string): string =>
    formatAddress(new Address(0, createHash('sha256').update(`cocoon devnet ${name}`).digest()), false)
  const content = {
    root_owner_address: account('owner'),
    registered_proxies: [{ seqno: 1, address: `${proxy.host}:${proxy.workerPort} ${proxy.host}:${proxy.clientPort}` }],
    last_proxy_seqno: 1,
    price_per_token: up.pricePerTokenNano,
    worker_fee_per_token: up.workerFeePerTokenNano,
    params_version: 1,
    cocoon: { evidence: 'simulated', root_contract_address: account('root') },
  }
  const before = existsSync(path) ? readOld(path) : { version: 0 }
  const { version, ...rest } = before
  if (JSON.stringify(rest) === JSON.stringify(content)) return path
  writeWhole(path, `${JSON.stringify({ ...content, version: version + 1 }, null, 2)}\n`)
  return path
}

/** A file that is no longer JSON is written anew: it is ours, and made from the configuration alone. */
function readOld(path: string): { version: number } & Record<string, unknown> {
  try {
    const old = JSON.parse(readFileSync(path, 'utf8')) as { version?: number }
    return { ...old, version: Number(old.version) || 0 }
  } catch {
    return { version: 0 }
  }
}
