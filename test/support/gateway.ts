/** The HTTP API of a client node with keys, budgets, batches and the console, in front of a test network. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clientApiOptions, createClientApi } from '../../src/api/index.ts'
import { buildWithVite, createConsolePage } from '../../src/cli/gateway/console-page.ts'
import { type Gateway, gatewayOptions, meterInference, openGateway } from '../../src/gateway/index.ts'
import { noMetrics, Secret, silentLog, systemClock, systemRandom } from '../../src/util/index.ts'
import { openBatchesBeside } from './batch-node.ts'
import type { TestNetwork } from './network.ts'
import { ROOT } from './source-files.ts'

export interface GatewayUnderTest {
  readonly gateway: Gateway
  /** Without a path. */
  readonly url: string
  /** @param closeNetwork in between, so that what still runs is settled */
  close(closeNetwork: () => Promise<void>): Promise<void>
}

/** Of the form that the client makes. */
export const ADMIN_KEY = 'an-admin-key-for-tests'.padEnd(43, '0')

export async function startGateway({ client }: Pick<TestNetwork, 'client'>): Promise<GatewayUnderTest> {
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-gateway-'))
  const deps = { clock: systemClock, random: systemRandom, log: silentLog, metrics: noMetrics }
  const gateway = await openGateway(
    { ...deps, fetch },
    { ...gatewayOptions.parse({}), path: join(folder, 'gateway.sqlite') },
  )
  const http = clientApiOptions.parse({ port: 0 })
  const metered = meterInference({ inference: client, gateway, clock: systemClock })
  const { batches, live: inference } = await openBatchesBeside(metered, { ...deps, gateway, folder, http })
  const ops = {
    ready: () => client.ready(),
    status: () => client.status(),
    jsonstats: () => client.jsonstats(),
    metricsText: () => Promise.resolve(''),
  }
  const admin = {
    key: new Secret(ADMIN_KEY),
    console: createConsolePage({ root: ROOT, log: silentLog, build: buildWithVite }),
  }
  const api = createClientApi({ ...deps, inference, gateway, admin, ops, batches }, http)
  return {
    gateway,
    url: await api.listen(),
    async close(closeNetwork) {
      await api.close()
      await batches.of.close()
      await closeNetwork()
      await gateway.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
