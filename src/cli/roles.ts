/** `cocoon proxy`, `worker`, `client` and `engine`: one node of the network as this process. */
import { join } from 'node:path'
import { createClientApi, createOpsApi, type Ops } from '../api/index.ts'
import type { NodeAttestation } from '../attest/index.ts'
import { type Address, formatAddress, proxyContractAddress, type SigningKey } from '../chain/index.ts'
import { createHttpEngine } from '../engine/index.ts'
import { createSqliteLedger, type DurableLedger } from '../ledger/index.ts'
import { startProxyNode } from '../roles/proxy/index.ts'
import { startWorkerNode } from '../roles/worker/index.ts'
import { composeClient } from '../sdk/index.ts'
import { createVerifier } from '../tee/index.ts'
import { createPowSolver } from '../transport/index.ts'
import { Secret } from '../util/index.ts'
import { openProcess, portError, type Process } from './compose.ts'
import { loadKey, ownerOf } from './keys.ts'
import { type Running, untilStopped } from './lifecycle.ts'
import type { Config } from './schema.ts'

interface Node extends Running {
  ready(): readonly string[]
  status(): unknown
  jsonstats(): unknown
}

/** What `/status` shows: the node's own words, and what it proved and was shown. */
export const statusOf = (node: Pick<Node, 'status'>, attestation: NodeAttestation): object => ({
  ...(node.status() as object),
  attestation: attestation.status(),
})

const opsOf = (node: Node, p: Process): Ops => ({
  ready: () => node.ready(),
  status: () => statusOf(node, p.attestation),
  jsonstats: () => node.jsonstats(),
  metricsText: () => p.metrics.text(),
})

export async function runProxy(config: Config): Promise<number> {
  const p = await openProcess(config, 'proxy')
  const key = loadKey(config.home, 'proxy', p.random)
  const owner = ownerOf(config.proxy.ownerAddress, key, 'proxy.ownerAddress')
  const ledger = await openLedger(p, key, owner)
  const verifiers = { clients: createVerifier({ accept: ['none'] }), workers: p.verifier }
  const proxy = await startProxyNode({ ...p, ledger, key, owner, verifiers }, config.proxy).catch(
    async (error: unknown) => {
      await ledger.close()
      throw portError(error, 'the proxy', '--worker-port or --client-port (proxy.workerPort, proxy.clientPort)')
    },
  )
  p.log.info('the proxy listens', {
    workers: proxy.workerPort,
    clients: proxy.clientPort,
    contract: proxy.status().contract,
  })
  const node: Node = {
    ...proxy,
    ready() {
      const trouble = ledger.trouble()
      return trouble === null ? proxy.ready() : [trouble.message, ...proxy.ready()]
    },
    async close(graceMs) {
      try {
        await proxy.close(graceMs)
      } finally {
        await ledger.close()
      }
    },
  }
  return serveOps(p, node, 'proxy')
}

/** Totals belong to one contract, and another key or other parameters make another contract. */
function openLedger(p: Process, key: SigningKey, owner: Address): Promise<DurableLedger> {
  const { params, root } = p.registry.current()
  const contract = proxyContractAddress(params, { owner, publicKey: key.publicKey, root: root ?? owner })
  const inFolder = (name: string): string => join(p.config.home, 'proxy', name)
  return createSqliteLedger(p, {
    path: inFolder(`ledger-${formatAddress(contract, false)}.sqlite`),
    contract: contract.toRawString(),
    pricePerToken: params.pricePerToken,
    importFrom: inFolder(`${formatAddress(owner, false)}-${params.paramsVersion}.json`),
  })
}

export async function runWorker(config: Config): Promise<number> {
  const p = await openProcess(config, 'worker')
  const owner = ownerOf(config.worker.ownerAddress, loadKey(config.home, 'worker', p.random), 'worker.ownerAddress')
  const engine = createHttpEngine(p, config.worker.engine)
  const solver = createPowSolver()
  const node = startWorkerNode({ ...p, engine, owner, solver }, config.worker)
  p.log.info('the worker starts', {
    model: config.worker.model,
    engine: config.worker.engine.url,
    owner: formatAddress(owner, config.worker.isTestnet),
  })
  return serveOps(p, node, 'worker')
}

export async function runClient(config: Config): Promise<number> {
  const p = await openProcess(config, 'client')
  const owner = ownerOf(config.client.ownerAddress, loadKey(config.home, 'client', p.random), 'client.ownerAddress')
  const client = composeClient({ ...p, owner, secret: config.client.secret ?? new Secret(''), options: config.client })
  const { node } = client
  const api = createClientApi(
    { inference: node, ops: opsOf(node, p), clock: p.clock, random: p.random, log: p.log, metrics: p.metrics },
    config.client.http,
  )
  const url = await api.listen().catch(async (error: unknown) => {
    await client.close(0)
    throw portError(error, 'the client’s API', '--http-port (client.http.port)')
  })
  p.log.info('the client’s API listens', { url: `${url}/v1` })
  const running: Running = {
    async close(graceMs) {
      await api.drain(graceMs)
      await client.close(0)
      await api.close()
      p.attestation.close()
      p.registry.close()
    },
  }
  return untilStopped(running, p.log, config.shutdownGraceMs)
}

async function serveOps(p: Process, node: Node, role: 'proxy' | 'worker'): Promise<number> {
  const ops = createOpsApi(
    { ops: opsOf(node, p), clock: p.clock, random: p.random, log: p.log, metrics: p.metrics },
    p.config[role].http,
  )
  const url = await ops.listen().catch(async (error: unknown) => {
    await node.close(0)
    throw portError(error, `the ${role}’s operations endpoints`, `--http-port (${role}.http.port)`)
  })
  p.log.info('operations endpoints listen', { url })
  const running: Running = {
    async close(graceMs) {
      await node.close(graceMs)
      await ops.close()
      p.attestation.close()
      p.registry.close()
    },
  }
  return untilStopped(running, p.log, p.config.shutdownGraceMs)
}
