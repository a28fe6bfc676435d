/** `cocoon proxy`, `worker`, `client` and `engine`: one node of the network as this process. */
import { join } from 'node:path'
import { createClientApi, createOpsApi, type Ops } from '../api/index.ts'
import type { NodeAttestation } from '../attest/index.ts'
import { formatAddress, parseAddress } from '../chain/index.ts'
import { createHttpEngine } from '../engine/index.ts'
import type { ProxyNode } from '../roles/proxy/index.ts'
import { startWorkerNode } from '../roles/worker/index.ts'
import { composeClient } from '../sdk/index.ts'
import { createPowSolver } from '../transport/index.ts'
import { Secret } from '../util/index.ts'
import { openProcess, portError, type Process } from './compose.ts'
import { openClientBatches, openClientGateway } from './gateway/open.ts'
import { loadKey, ownerOf } from './keys.ts'
import { type Running, untilStopped } from './lifecycle.ts'
import { clientSecret, openRoleChain, type RoleChain } from './node-chain.ts'
import { type ClientNode, type ContractList, openContractList } from '../roles/client/index.ts'
import { openProxyInstances } from './proxy-instances.ts'
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

export async function runProxy(asConfigured: Config): Promise<number> {
  const p = await openProcess(asConfigured, 'proxy')
  const { config } = p
  const key = loadKey(config.home, 'proxy', p.random)
  const onChain = p.chain === null ? null : await openRoleChain(p, p.chain, 'proxy')
  const owner = onChain?.owner ?? ownerOf(config.proxy.ownerAddress, key, 'proxy.ownerAddress')
  const proxy = await openProxyInstances(p, { key, owner, chain: onChain?.chain ?? null }).catch(
    async (error: unknown) => {
      await onChain?.chain.wallet.close()
      throw error
    },
  )
  p.log.info('the proxy listens', {
    workers: proxy.node.workerPort,
    clients: proxy.node.clientPort,
    contract: proxy.node.status().contract,
  })
  warnIfUnlisted(p, proxy.node)
  const node: Node = {
    status: () => proxy.node.status(),
    jsonstats: () => proxy.node.jsonstats(),
    ready() {
      const trouble = proxy.ledgerTrouble()
      return trouble === null ? proxy.node.ready() : [trouble.message, ...proxy.node.ready()]
    },
    close: (graceMs) => proxy.close(graceMs),
  }
  return Promise.race([serveOps(p, node, 'proxy'), proxy.failed])
}

/** Nodes connect to the proxies that the network lists, and to no others. */
function warnIfUnlisted({ registry, log, config }: Process, { workerPort, clientPort }: ProxyNode): void {
  const isListed = registry
    .current()
    .proxies.some((one) => one.forWorkers.port === workerPort && one.forClients.port === clientPort)
  if (!isListed)
    log.warn('the network lists no proxy with these ports: nobody connects until its owner has listed this one', {
      command: `cocoon root register-proxy "ADDRESS:${workerPort} ADDRESS:${clientPort}" --yes --network ${config.network}`,
    })
}

export async function runWorker(asConfigured: Config): Promise<number> {
  const p = await openProcess(asConfigured, 'worker')
  const { config } = p
  const onChain = p.chain === null ? null : await openRoleChain(p, p.chain, 'worker')
  const owner =
    onChain?.owner ??
    ownerOf(config.worker.ownerAddress, loadKey(config.home, 'worker', p.random), 'worker.ownerAddress')
  const engine = createHttpEngine(p, config.worker.engine)
  const solver = createPowSolver()
  const { chain: _chain, ...rest } = p
  const deps = { ...rest, engine, owner, solver, ...(onChain === null ? {} : { chain: onChain.chain }) }
  const worker = startWorkerNode(deps, config.worker)
  const node: Node = {
    ...worker,
    async close(graceMs) {
      await worker.close(graceMs)
      await onChain?.chain.wallet.close()
    },
  }
  p.log.info('the worker starts', {
    model: config.worker.model,
    engine: config.worker.engine.url,
    owner: formatAddress(owner, config.worker.isTestnet),
  })
  return serveOps(p, node, 'worker')
}

/** One for each network: contracts of one mean nothing on another. */
const contractList = ({ home }: Config, { network, chain }: RoleChain): ContractList =>
  openContractList(join(home, 'client', `contracts-${network}.json`), chain.wallet.address)

const leaveProxy = (node: ClientNode, proxyContract: string | null): Promise<void> =>
  node.leave(proxyContract === null ? undefined : parseAddress(proxyContract, 'proxy_contract'))

export async function runClient(asConfigured: Config): Promise<number> {
  const p = await openProcess(asConfigured, 'client')
  const { config } = p
  const onChain = p.chain === null ? null : await openRoleChain(p, p.chain, 'client')
  const { chain: _chain, ...rest } = p
  // On a chain, the wallet is the owner of the client's contracts, and there is always a secret.
  const client = composeClient(
    onChain === null
      ? {
          ...rest,
          owner: ownerOf(config.client.ownerAddress, loadKey(config.home, 'client', p.random), 'client.ownerAddress'),
          secret: config.client.secret ?? new Secret(''),
          options: config.client,
        }
      : {
          ...rest,
          owner: onChain.chain.wallet.address,
          secret: clientSecret(config.client.secret, config.home, p.random),
          chain: { ...onChain.chain, contracts: contractList(config, onChain) },
          options: config.client,
        },
  )
  const { node } = client
  const { gateway, admin, meter } = await openClientGateway(
    p,
    onChain === null ? undefined : (proxy) => leaveProxy(node, proxy),
  ).catch(async (error: unknown) => {
    await client.close(0)
    throw error
  })
  const { batches, live } = await openClientBatches(p, gateway, meter(node), node).catch(async (error: unknown) => {
    await client.close(0)
    await gateway.close()
    throw error
  })
  const troubles = (): string[] => [gateway.trouble(), batches.of.trouble()].flatMap((one) => one?.message ?? [])
  const ops: Ops = { ...opsOf(node, p), ready: () => [...node.ready(), ...troubles()] }
  const { clock, random, log, metrics } = p
  const api = createClientApi(
    { inference: live, gateway, admin, batches, ops, clock, random, log, metrics },
    config.client.http,
  )
  const url = await api.listen().catch(async (error: unknown) => {
    await batches.of.close()
    await client.close(0)
    await gateway.close()
    throw portError(error, 'the client’s API', '--http-port (client.http.port)')
  })
  p.log.info('the client’s API listens', { url: `${url}/v1` })
  const running: Running = {
    async close(graceMs) {
      await Promise.all([api.drain(graceMs), batches.of.drain(graceMs)])
      await batches.of.close()
      await client.close(0)
      await onChain?.chain.wallet.close()
      await api.close()
      await gateway.close()
      p.attestation.close()
      p.registry.close()
      await p.trace.close()
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
      await p.trace.close()
    },
  }
  return untilStopped(running, p.log, p.config.shutdownGraceMs)
}
