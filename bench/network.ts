/** A network of real processes on this machine: `cocoon proxy`, `worker` and `client`, with simulated evidence. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MODEL } from './answer.ts'
import { answers, freePorts, type Running, startRole, until } from './processes.ts'

export interface NetworkPorts {
  readonly workerPort: number
  readonly clientPort: number
  readonly proxyHttp: number
  readonly workerHttp: number
  readonly clientHttp: number
}

export interface RunningProxy extends AsyncDisposable {
  readonly ports: NetworkPorts
  readonly networkFile: string
  readonly proxy: Running
  readonly env: Readonly<Record<string, string>>
}

export const OWNER = `0:${'22'.repeat(32)}`
/** Registry of a network whose one proxy listens on these ports. */
export const networkText = (workerPort: number, clientPort: number): string =>
  JSON.stringify({
    root_owner_address: OWNER,
    price_per_token: 20,
    worker_fee_per_token: 18,
    version: 1,
    params_version: 1,
    registered_proxies: [{ seqno: 1, address: `127.0.0.1:${workerPort} 127.0.0.1:${clientPort}` }],
    cocoon: { evidence: 'simulated' },
  })

export async function startProxy(options: {
  readonly powDifficulty: number
  readonly profileInto?: string | undefined
  readonly settings?: Readonly<Record<string, string>>
}): Promise<RunningProxy> {
  const [workerPort, clientPort, proxyHttp, workerHttp, clientHttp] = (await freePorts(5)) as [
    number,
    number,
    number,
    number,
    number,
  ]
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-bench-'))
  const networkFile = join(folder, 'network.json')
  writeFileSync(networkFile, networkText(workerPort, clientPort))
  const env = { COCOON_NETWORK: networkFile, COCOON_HOME: folder, ...options.settings }
  const dispose = (): void => rmSync(folder, { recursive: true, force: true })
  try {
    const proxy = await startRole(
      'proxy',
      {
        ...env,
        COCOON_PROXY_WORKER_PORT: String(workerPort),
        COCOON_PROXY_CLIENT_PORT: String(clientPort),
        COCOON_PROXY_HTTP_PORT: String(proxyHttp),
        COCOON_PROXY_POW_DIFFICULTY: String(options.powDifficulty),
      },
      { httpPort: proxyHttp, profileInto: options.profileInto },
    )
    return {
      ports: { workerPort, clientPort, proxyHttp, workerHttp, clientHttp },
      networkFile,
      proxy,
      env,
      async [Symbol.asyncDispose]() {
        await proxy[Symbol.asyncDispose]()
        dispose()
      },
    }
  } catch (error) {
    dispose()
    throw error
  }
}

export interface RunningChain extends AsyncDisposable {
  readonly url: string
  /** Of the proxy's own pages. */
  readonly proxyUrl: string
  /** Of the client: where its admin key is. */
  readonly home: string
  readonly roles: { readonly proxy: Running; readonly worker: Running; readonly client: Running }
}

/** Resolves when a request would be answered. */
export async function startChain(options: {
  readonly engineUrl: string
  readonly profileInto?: string | undefined
  /** Requests that the worker serves at once. */
  readonly capacity?: number
  /** Further settings of all roles. */
  readonly settings?: Readonly<Record<string, string>>
}): Promise<RunningChain> {
  const { profileInto, capacity = 1000, settings = {} } = options
  await using stack = new AsyncDisposableStack()
  const { ports, env, proxy } = stack.use(await startProxy({ powDifficulty: 4, profileInto, settings }))
  const worker = stack.use(
    await startRole(
      'worker',
      {
        ...env,
        COCOON_WORKER_ENGINE_URL: options.engineUrl,
        COCOON_WORKER_MODEL: MODEL,
        COCOON_WORKER_HTTP_PORT: String(ports.workerHttp),
        COCOON_WORKER_MAX_ACTIVE_REQUESTS: String(capacity),
      },
      { httpPort: ports.workerHttp, profileInto },
    ),
  )
  const client = stack.use(
    await startRole(
      'client',
      { ...env, COCOON_CLIENT_HTTP_PORT: String(ports.clientHttp), COCOON_CLIENT_PROXY_CONNECTIONS: '1' },
      { httpPort: ports.clientHttp, profileInto },
    ),
  )
  await until(() => answers(ports.workerHttp, '/readyz'), 'the worker is ready', worker.child)
  await until(() => answers(ports.clientHttp, '/readyz'), 'the client is ready', client.child)
  const kept = stack.move()
  return {
    url: `http://127.0.0.1:${ports.clientHttp}`,
    proxyUrl: `http://127.0.0.1:${ports.proxyHttp}`,
    home: env['COCOON_HOME'] ?? '',
    roles: { proxy, worker, client },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}
