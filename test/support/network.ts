/** A whole network in this process, on real sockets: for tests that need to reach into a role. */
import {
  type Address,
  parseAddress,
  parseNetworkFile,
  type RootConfig,
  signingKeyFromSeed,
} from '../../src/chain/index.ts'
import { type ClientApi, clientApiOptions, createClientApi } from '../../src/api/index.ts'
import { createHttpEngine, httpEngineOptions } from '../../src/engine/index.ts'
import { createMemoryLedger, type Ledger } from '../../src/ledger/index.ts'
import { type ClientNode, type ClientOptions, clientOptions, startClientNode } from '../../src/roles/client/index.ts'
import { type ProxyNode, type ProxyOptions, proxyOptions, startProxyNode } from '../../src/roles/proxy/index.ts'
import { startWorkerNode, type WorkerNode, type WorkerOptions, workerOptions } from '../../src/roles/worker/index.ts'
import {
  type AttestationOptions,
  attestationOptions,
  type NodeAttestation,
  type NodeAttestationOptions,
  openAttestation,
} from '../../src/attest/index.ts'
import { createVerifier, type EvidenceSource, type GpuSource, type Policy } from '../../src/tee/index.ts'
import { createPowSolver, createTransportMetrics, type PowSolver, type TlsIdentity } from '../../src/transport/index.ts'
import {
  type Clock,
  type Log,
  type Metrics,
  noMetrics,
  noTrace,
  Secret,
  silentLog,
  systemClock,
  systemRandom,
  type Trace,
} from '../../src/util/index.ts'

export interface NetworkOptions {
  readonly engineUrl: string
  readonly worker?: Partial<WorkerOptions>
  readonly client?: Partial<ClientOptions>
  readonly proxy?: Partial<ProxyOptions>
  /** Further keys of the network file. */
  readonly registry?: Record<string, unknown>
  readonly cocoon?: Record<string, unknown>
  readonly log?: Log
  readonly metrics?: Metrics
  /** Of all roles. */
  readonly trace?: Trace
  readonly workers?: number
  /** What the client's `/metrics` says. */
  readonly metricsText?: () => Promise<string>
  /** Default: the system's. */
  readonly clock?: Clock
  /** Where collateral comes from, where the network's evidence is real. */
  readonly attestation?: Partial<AttestationOptions>
  /** Where other than what the network asks for. */
  readonly policies?: Partial<Readonly<Record<NodeAttestationOptions['role'], Policy>>>
  /** Of workers that bring no identity of their own. */
  readonly gpus?: GpuSource
  /** Of the proxy and of workers that bring no identity of their own. */
  readonly source?: EvidenceSource
  /** The client's HTTP API on a free port: true, or its options. */
  readonly http?: boolean | Readonly<Record<string, unknown>>
}

export interface TestNetwork {
  readonly client: ClientNode
  readonly proxy: ProxyNode
  readonly workers: readonly WorkerNode[]
  readonly ledger: Ledger
  readonly config: RootConfig
  /** Content of the network file, for clients that join. */
  readonly file: Readonly<Record<string, unknown>>
  /** `http://127.0.0.1:PORT/v1`; only with `http`. */
  readonly baseURL: string
  readonly api: ClientApi | undefined
  readonly attestation: Readonly<Record<NodeAttestationOptions['role'], NodeAttestation>>
  /** @param engineUrl another engine than the network's @param tls another identity */
  startWorker(options?: Partial<WorkerOptions>, engineUrl?: string, tls?: TlsIdentity): WorkerNode
  /** Ends the proxy at once and starts another on the same ports. */
  restartProxy(): Promise<void>
  close(): Promise<void>
}

export const TEST_OWNER = `0:${'22'.repeat(32)}`
const CLIENT_OWNER = `0:${'11'.repeat(32)}`
const WORKER_OWNER = `0:${'55'.repeat(32)}`

export async function startNetwork(options: NetworkOptions): Promise<TestNetwork> {
  const { log = silentLog, metrics = noMetrics, trace = noTrace, clock = systemClock } = options
  const random = systemRandom
  const solver: PowSolver = createPowSolver()
  const file = (clientPort: number, workerPort: number): Record<string, unknown> => ({
    root_owner_address: TEST_OWNER,
    price_per_token: 2,
    worker_fee_per_token: 1,
    version: 1,
    params_version: 1,
    registered_proxies:
      clientPort === 0 ? [] : [{ seqno: 1, address: `127.0.0.1:${workerPort} 127.0.0.1:${clientPort}` }],
    ...options.registry,
    cocoon: { evidence: 'simulated', ...options.cocoon },
  })
  const parse = (content: object): RootConfig => parseNetworkFile(JSON.stringify(content), 'test network')
  let config = parse(file(0, 0))
  const registry = { current: () => config, subscribe: () => () => undefined, close() {} }
  const account = (raw: string): Address => parseAddress(raw, 'test owner')
  const attest = (role: NodeAttestationOptions['role']): Promise<NodeAttestation> =>
    openAttestation(
      { clock, random, log, registry },
      {
        ...attestationOptions.parse({ ...options.attestation }),
        role,
        policy: options.policies?.[role] ?? null,
        openSource: () => Promise.resolve(options.source ?? null),
        gpus: role === 'worker' ? (options.gpus ?? null) : null,
        collateralPath: null,
      },
    )
  const attestation = { client: await attest('client'), proxy: await attest('proxy'), worker: await attest('worker') }
  const anyone = createVerifier({ accept: ['none'] })
  const ledger = createMemoryLedger({ pricePerToken: config.params.pricePerToken })
  const shared = {
    clock,
    random,
    log,
    metrics,
    trace,
    transportMetrics: createTransportMetrics(metrics),
    registry,
    solver,
  }
  const startProxy = (ports: { clientPort: number; workerPort: number }): Promise<ProxyNode> =>
    startProxyNode(
      {
        ...shared,
        ledger,
        key: signingKeyFromSeed(new Uint8Array(32).fill(7)),
        owner: account(TEST_OWNER),
        tls: attestation.proxy.tls,
        verifiers: { clients: anyone, workers: attestation.proxy.verifier },
      },
      proxyOptions.parse({ powDifficulty: 4, ...options.proxy, ...ports }),
    )
  let proxy = await startProxy({ clientPort: 0, workerPort: 0 })
  const ports = { clientPort: proxy.clientPort, workerPort: proxy.workerPort }
  const content = file(ports.clientPort, ports.workerPort)
  config = parse(content)

  const workers: WorkerNode[] = []
  const { verifier } = attestation.worker
  const startWorker = (
    over: Partial<WorkerOptions> = {},
    engineUrl = options.engineUrl,
    tls: TlsIdentity = attestation.worker.tls,
  ): WorkerNode => {
    const engine = createHttpEngine({ clock, log, metrics }, httpEngineOptions.parse({ url: engineUrl }))
    const worker = startWorkerNode(
      { ...shared, engine, owner: account(WORKER_OWNER), tls, verifier },
      workerOptions.parse({ model: 'test-model', ...options.worker, ...over }),
    )
    workers.push(worker)
    return worker
  }
  for (let i = 0; i < (options.workers ?? 1); i++) startWorker()
  const client = startClientNode(
    { ...shared, owner: account(CLIENT_OWNER), secret: new Secret(''), ...attestation.client },
    clientOptions.parse({ ...options.client }),
  )
  await client.whenReady(AbortSignal.timeout(20_000))
  const api = options.http
    ? createClientApi(
        {
          inference: client,
          clock,
          random,
          log,
          metrics,
          ops: {
            ready: () => client.ready(),
            status: () => client.status(),
            jsonstats: () => client.jsonstats(),
            metricsText: options.metricsText ?? (() => Promise.resolve('')),
          },
        },
        clientApiOptions.parse({ port: 0, ...(options.http === true ? {} : options.http) }),
      )
    : undefined
  const baseURL = api === undefined ? '' : `${await api.listen()}/v1`
  await until(() => workers.length === 0 || proxy.status().workers.some((w) => w.enabled), 'a worker is enabled')
  return {
    client,
    get proxy() {
      return proxy
    },
    workers,
    ledger,
    config,
    file: content,
    baseURL,
    api,
    attestation,
    startWorker,
    async restartProxy() {
      await proxy.close(0)
      proxy = await startProxy(ports)
    },
    async close() {
      await api?.close()
      await client.close(0)
      await Promise.all(workers.map((w) => w.close(0)))
      await proxy.close(0)
      for (const one of Object.values(attestation)) one.close()
      solver.close()
    },
  }
}

/** Waits for a condition of the running system; the only place where tests look again and again. */
export async function until(isTrue: () => boolean | Promise<boolean>, what: string, timeoutMs = 20_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`still not true after ${timeoutMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
