/** `cocoon devnet`: a local TON chain with a real TVM, behind the HTTP API that wallets and libraries know. */
import { join } from 'node:path'
import { startDevnet } from '../devnet/index.ts'
import { systemClock, systemRandom } from '../util/index.ts'
import { portError } from './compose.ts'
import type { Loaded } from './config.ts'
import { untilStopped } from './lifecycle.ts'
import { createLog } from './log.ts'

export async function runDevnet({ config }: Loaded): Promise<number> {
  const log = createLog(config.log, 'devnet', process.stdout)
  const statePath = config.devnet.statePath ?? join(config.home, 'devnet', 'chain')
  const devnet = await startDevnet(
    { ...config.devnet, statePath },
    { clock: systemClock, random: systemRandom, log },
  ).catch((error: unknown) => {
    throw portError(error, 'the devnet', '--port (devnet.port)')
  })
  log.info('the devnet listens', { url: devnet.url, api: `${devnet.url}/api/v2/jsonRPC`, state: statePath })
  return untilStopped({ close: () => devnet.close() }, log, config.shutdownGraceMs)
}
