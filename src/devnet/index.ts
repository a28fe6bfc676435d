/**
 * A local TON chain with the real TVM behind the toncenter HTTP API: for tests and for work on this machine. See
 * docs/devnet.md. The virtual machine loads when a chain is started and not before: importing this costs nothing.
 */
import type { Devnet, DevnetDeps } from './devnet.ts'
import type { DevnetOptions } from './options.ts'

export type { Devnet, DevnetDeps } from './devnet.ts'
export type { DevnetErrorCode } from './errors.ts'
export { type DevnetOptions, devnetOptions } from './options.ts'

/** See `devnet.ts`. Throws `config.devnet-locked`, `chain.devnet-state`, or what `listen` throws. */
export async function startDevnet(options: DevnetOptions, deps: DevnetDeps): Promise<Devnet> {
  const { startDevnet: start } = await import('./devnet.ts')
  return start(options, deps)
}
