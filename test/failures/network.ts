/** Two proxies, three workers with an engine each, and a client: all processes of their own that can be killed and come back. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TEST_OWNER, until } from '../support/network.ts'
import { type Cocoon, cocoonHome } from '../support/processes.ts'

export const MODEL = 'test-model'
const PROXIES = 2
const WORKERS = 3
const PRICE_NANO = 2n
/** Of one answer: ten tokens of completion and twenty of prompt, all at one. */
export const COST_NANO = PRICE_NANO * 30n

/** A node that may die. */
export interface Mortal {
  readonly name: string
  readonly isUp: boolean
  /** Resolves when the process is gone. */
  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>
  start(): void
}

export interface Totals {
  /** By all proxies together, in nanoTON. */
  readonly chargedNano: bigint
  /** What the client's receipts say. */
  readonly paidNano: bigint
  /** What receipts hold for possible where nobody could say. */
  readonly unsettledNano: bigint
  readonly receipts: number
  /** The most that one request was charged, all its attempts together. */
  readonly dearestNano: bigint
  /** Requests that more than one proxy says it has charged, or one twice. */
  readonly chargedTwice: number
}

export interface MortalNetwork extends AsyncDisposable {
  readonly url: string
  readonly mortals: readonly Mortal[]
  /** Everybody is connected with everybody. */
  whole(): Promise<void>
  /** Nothing runs any more. */
  quiet(): Promise<void>
  totals(): Promise<Totals>
}

interface ProxyStatus {
  readonly requests: { readonly running: number }
  readonly workers: readonly { readonly enabled: boolean }[]
  readonly clients: readonly { readonly usedTokens: string; readonly reservedTokens: string }[]
}

interface UsageRow {
  readonly requests: number
  readonly cost_nano: string
  readonly unsettled_nano: string
}

export async function startMortalNetwork(): Promise<MortalNetwork> {
  const homes: Cocoon[] = []
  for (let i = 0; i < WORKERS; i++) homes.push(await cocoonHome())
  const [first] = homes as [Cocoon]
  const network = join(first.home, 'network.json')
  const proxies = homes.slice(0, PROXIES)
  const addressOf = ({ env }: Cocoon): string =>
    `127.0.0.1:${env['COCOON_PROXY_WORKER_PORT']} 127.0.0.1:${env['COCOON_PROXY_CLIENT_PORT']}`
  writeFileSync(
    network,
    JSON.stringify({
      root_owner_address: TEST_OWNER,
      price_per_token: Number(PRICE_NANO),
      registered_proxies: proxies.map((home, i) => ({ seqno: i + 1, address: addressOf(home) })),
      cocoon: { evidence: 'simulated' },
    }),
  )
  const engineUrl = (home: Cocoon): string => `http://127.0.0.1:${home.env['COCOON_ENGINE_PORT']}`
  const common = ['--network', network]
  /** What proxies wrote, in all their lives. */
  const logs: (() => string)[] = []
  const mortals = [
    ...proxies.map((home, i) =>
      mortal(`proxy ${i}`, () => {
        const { child, output } = home.start(['proxy', ...common])
        logs.push(output)
        return child
      }),
    ),
    ...homes.map((home, i) => mortal(`engine ${i}`, () => startEngine(home))),
    ...homes.map((home, i) =>
      mortal(
        `worker ${i}`,
        () =>
          home.start([
            ...['worker', ...common, '--model', MODEL, '--engine-url', engineUrl(home)],
            ...['--proxy-connections', String(PROXIES)],
          ]).child,
      ),
    ),
  ]
  for (const each of mortals) each.start()
  const client = first.start(['client', ...common, '--proxy-connections', String(PROXIES)])

  const json = async <T>(url: string): Promise<T | null> => {
    try {
      return (await (await fetch(url)).json()) as T
    } catch {
      return null
    }
  }
  const statuses = (): Promise<(ProxyStatus | null)[]> =>
    Promise.all(proxies.map(({ env }) => json<ProxyStatus>(`http://127.0.0.1:${env['COCOON_PROXY_HTTP_PORT']}/status`)))
  const clientStatus = (): Promise<{
    readonly requests: { readonly running: number }
    readonly proxies: readonly { readonly ready: boolean }[]
  } | null> => json(`${first.clientUrl}/status`)

  return {
    url: first.clientUrl,
    mortals,
    whole: () =>
      until(
        async () =>
          (await statuses()).every((s) => s?.workers.filter((w) => w.enabled).length === WORKERS) &&
          (await clientStatus())?.proxies.filter((p) => p.ready).length === PROXIES,
        'everybody is connected',
        60_000,
      ),
    quiet: () =>
      until(
        async () =>
          (await clientStatus())?.requests.running === 0 &&
          (await statuses()).every(
            (s) => s?.requests.running === 0 && s.clients.every((c) => BigInt(c.reservedTokens) === 0n),
          ),
        'nothing runs any more',
        60_000,
      ),
    async totals() {
      const tokens = (await statuses()).flatMap((s) => s?.clients ?? []).map((c) => BigInt(c.usedTokens))
      const authorization = `Bearer ${readFileSync(join(first.home, 'keys/admin.key'), 'utf8').trim()}`
      const admin = async <T>(path: string): Promise<T> =>
        (await (await fetch(`${first.clientUrl}/admin/${path}`, { headers: { authorization } })).json()) as T
      const { data: usage } = await admin<{ readonly data: readonly UsageRow[] }>('usage?by=model')
      const newest = await admin<{ readonly data: readonly { readonly cost_nano: string }[] }>('receipts?limit=10000')
      const sum = (of: 'cost_nano' | 'unsettled_nano'): bigint => usage.reduce((n, row) => n + BigInt(row[of]), 0n)
      return {
        chargedNano: tokens.reduce((total, used) => total + used, 0n) * PRICE_NANO,
        paidNano: sum('cost_nano'),
        unsettledNano: sum('unsettled_nano'),
        receipts: usage.reduce((n, row) => n + row.requests, 0),
        chargedTwice: chargedTwice(
          client.output(),
          logs.map((log) => log()),
        ),
        dearestNano: newest.data.reduce((most, r) => (BigInt(r.cost_nano) > most ? BigInt(r.cost_nano) : most), 0n),
      }
    },
    async [Symbol.asyncDispose]() {
      for (const home of homes) home.close()
      await Promise.all(mortals.map((each) => each.kill('SIGKILL')))
      for (const { home } of homes) rmSync(home, { recursive: true, force: true })
    },
  }
}

/** Each attempt has an id that the proxy's log names; the client's log says which request it was an attempt of. */
function chargedTwice(clientLog: string, proxyLogs: readonly string[]): number {
  const requestOf = new Map(endedIn(clientLog).map((entry) => [entry['request'], entry['trace']]))
  const charged = proxyLogs
    .flatMap(endedIn)
    .filter(({ result, tokens }) => result === 'ok' && Number(tokens) > 0)
    .map((entry) => {
      const request = requestOf.get(entry['clientRequest'])
      if (request === undefined) throw new Error(`a proxy charged what no client asked: ${JSON.stringify(entry)}`)
      return request
    })
  if (charged.length === 0) throw new Error('the logs of the proxies name no charge')
  return charged.length - new Set(charged).size
}

/** A line may be cut off by the death of who wrote it. */
const endedIn = (log: string): Record<string, unknown>[] =>
  log.split('\n').flatMap((line) => {
    if (!line.includes('request ended') || !line.endsWith('}')) return []
    return [JSON.parse(line) as Record<string, unknown>]
  })

function mortal(name: string, spawn: () => ChildProcess): Mortal {
  let child: ChildProcess | null = null
  return {
    name,
    get isUp() {
      return child !== null && child.exitCode === null && child.signalCode === null
    },
    start() {
      child = spawn()
    },
    async kill(signal) {
      if (child === null || child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      child.kill(signal)
      await gone
    },
  }
}

function startEngine({ env }: Cocoon): ChildProcess {
  return fork(new URL('./engine-process.ts', import.meta.url), [env['COCOON_ENGINE_PORT'] ?? '', MODEL], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
}
