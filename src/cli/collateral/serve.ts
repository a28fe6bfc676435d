/** `cocoon collateral serve`: a bundle as a service, until the process is told to stop. */
import { serveCollateral } from '../../attest/index.ts'
import { CocoonError } from '../../util/index.ts'
import { portError } from '../compose.ts'
import type { Loaded } from '../config.ts'
import { untilStopped } from '../lifecycle.ts'
import { createLog } from '../log.ts'
import { readBundleFile } from './commands.ts'

export interface ServeFlags {
  readonly host: string
  readonly port: string
}

export async function serve({ config }: Loaded, file: string, { host, port }: ServeFlags): Promise<number> {
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535)
    throw new CocoonError('config.value', { message: `--port must be 0 to 65535, not "${port}"` })
  const bundle = readBundleFile(file)
  const log = createLog(config.log, 'collateral', process.stdout)
  const server = await serveCollateral({
    host,
    port: Number(port),
    bundle: () => bundle,
    onRequest: (path, status) => log.info('asked', { path: path.slice(0, 256), status }),
  }).catch((error: unknown) => {
    throw portError(error, 'the collateral server', '--port')
  })
  log.info(
    'serving collateral; set attestation.intelServer, amdServer, nvidiaServer or nvidiaOcspServer to this address',
    {
      url: server.url,
      items: bundle.items.length,
    },
  )
  return untilStopped({ close: () => server.close() }, log, 0)
}
