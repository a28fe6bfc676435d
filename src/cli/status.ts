/** `cocoon status`: the nodes of this configuration and the models they offer, as a table. */
import type { AttestationStatus } from '../attest/index.ts'
import { CocoonError, formatTon, reveal } from '../util/index.ts'
import type { Config } from './schema.ts'
import { describeEvidence } from './ask.ts'
import { printable, table, type Terminal } from './terminal.ts'

const TIMEOUT_MS = 3_000

interface NodeReport {
  readonly role: 'client' | 'proxy' | 'worker'
  readonly url: string
  readonly status: Record<string, unknown> | null
  readonly reasons: readonly string[]
}

/** Exit status 0 when every node answers and is ready. */
export async function showStatus(config: Config, t: Terminal, asJson: boolean): Promise<number> {
  const nodes = await Promise.all((['client', 'proxy', 'worker'] as const).map((role) => lookAt(config, role)))
  if (asJson) t.line(JSON.stringify(nodes, null, 2))
  else print(t, nodes)
  return nodes.every((n) => n.status !== null && n.reasons.length === 0) ? 0 : 1
}

async function lookAt(config: Config, role: NodeReport['role']): Promise<NodeReport> {
  const { host, port, apiKey } = config[role].http
  const url = `http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${port}`
  const headers = apiKey === undefined ? {} : { authorization: `Bearer ${reveal(apiKey)}` }
  const get = async (path: string): Promise<unknown> => {
    const reply = await fetch(url + path, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) })
    return reply.json()
  }
  try {
    const status = (await get('/status')) as Record<string, unknown>
    if (status['role'] !== role) throw new CocoonError('config.other-node', { message: `${url} is not a ${role}` })
    const { reasons = [] } = (await get('/readyz')) as { reasons?: readonly string[] }
    return { role, url, status, reasons }
  } catch (error) {
    const { message, cause } = error as Error & { cause?: { code?: string } }
    const why = cause?.code === 'ECONNREFUSED' ? 'not running' : message
    return { role, url, status: null, reasons: [why] }
  }
}

/** `chain` of a proxy's status; amounts are nanoTON. */
interface MoneyView {
  readonly contract: string
  readonly state: string
  readonly balanceNano: string
  readonly potNano: string
  readonly walletNano: string | null
  readonly feesNano: string
  readonly lastError: string | null
}

interface WorkerRow {
  readonly model: string
  readonly evidence: string
  readonly running: number
  readonly capacity: number
  readonly coefficient: number
  readonly enabled: boolean
  readonly remote: string
  readonly earnedTokens: string
  /** Null where it showed none; absent in the status of older proxies. */
  readonly gpus?: readonly { readonly chip: string }[] | null
}

/** A worker behind a proxy, as a client judged it. */
interface BehindRow {
  readonly model: string
  readonly evidence: string
  readonly reason: string | null
  readonly gpus: readonly { readonly chip: string }[] | null
}

function print(t: Terminal, nodes: readonly NodeReport[]): void {
  const rows = nodes.map((n) => {
    const requests = (n.status?.['requests'] ?? {}) as Record<string, number>
    const state = n.status === null ? 'down' : n.reasons.length === 0 ? 'ready' : 'not ready'
    const uptime = n.status === null ? '' : duration(Number(n.status['uptimeS']))
    return [
      n.role,
      state,
      n.url,
      uptime,
      String(requests['running'] ?? ''),
      String(requests['succeeded'] ?? ''),
      String(requests['failed'] ?? ''),
      String(requests['tokens'] ?? ''),
      n.reasons.join('; '),
    ]
  })
  t.line(table(t, [['node', 'state', 'address', 'up', 'running', 'answered', 'failed', 'tokens', 'why'], ...rows]))
  const proxy = nodes.find((n) => n.role === 'proxy')?.status
  const workers = (proxy?.['workers'] ?? []) as readonly WorkerRow[]
  if (workers.length > 0) {
    t.line()
    const list = workers.map((w) => [
      printable(w.model),
      w.evidence,
      chipsOf(w.gpus),
      `${w.running}/${w.capacity}`,
      (w.coefficient / 1000).toFixed(3),
      w.enabled ? 'yes' : 'no',
      w.remote,
      String(w.earnedTokens),
    ])
    t.line(table(t, [['model', 'evidence', 'GPUs', 'busy', 'price ×', 'enabled', 'worker', 'tokens earned'], ...list]))
  }
  showBehind(t, nodes.find((n) => n.role === 'client')?.status)
  showMoney(t, proxy?.['chain'] as MoneyView | null | undefined)
  for (const { role, status } of nodes) showRefused(t, role, status?.['attestation'] as AttestationStatus | undefined)
  const rules = nodes.map((n) => (n.status?.['attestation'] as AttestationStatus | undefined)?.network).find(Boolean)
  if (rules !== undefined) t.line(`\nevidence of this network: ${describeRules(t, rules)}`)
}

/** `GH100 GH100`, or a dash. */
const chipsOf = (gpus: BehindRow['gpus'] | undefined): string =>
  gpus === null || gpus === undefined ? '–' : printable(gpus.map(({ chip }) => chip).join(' '))

/** Who works behind the client's proxies, by what the workers proved and not by the proxies' word. */
function showBehind(t: Terminal, client: NodeReport['status'] | undefined): void {
  const proxies = (client?.['proxies'] ?? []) as readonly {
    readonly address: string
    readonly workers?: readonly BehindRow[]
  }[]
  const list = proxies.flatMap(({ address, workers = [] }) =>
    workers.map((w) => [address, printable(w.model), w.evidence, chipsOf(w.gpus), printable(w.reason ?? '')]),
  )
  if (list.length === 0) return
  t.line(`\nbehind the client’s proxies, judged by the client`)
  t.line(table(t, [['proxy', 'model', 'evidence', 'GPUs', 'why'], ...list]))
}

function showMoney(t: Terminal, money: MoneyView | null | undefined): void {
  if (money === null || money === undefined) return
  const ton = (nano: string | null): string => (nano === null ? 'not read yet' : `${formatTon(BigInt(nano))} TON`)
  t.line(
    `\nproxy contract ${money.contract} (${money.state}): earned ${ton(money.balanceNano)}, for workers ${ton(money.potNano)}; ` +
      `wallet ${ton(money.walletNano)}, fees ${ton(money.feesNano)} since the start`,
  )
  if (money.lastError !== null) t.line(`${t.style('yellow', '!')} ${printable(money.lastError)}`)
}

/** Whom a node refuses, and why: the newest last. */
function showRefused(t: Terminal, role: string, attestation: AttestationStatus | undefined): void {
  const refused = attestation?.peers?.refused ?? []
  if (refused.length === 0) return
  const list = refused.map(({ remote, code, reason, times, lastAt }) => [
    remote,
    code ?? '',
    String(times),
    lastAt.slice(0, 19),
    printable(reason ?? ''),
  ])
  t.line(`\n${t.style('yellow', `refused by the ${role}`)}`)
  t.line(table(t, [['peer', 'code', 'times', 'last', 'why'], ...list]))
}

function describeRules(t: Terminal, { evidence, testRoots }: AttestationStatus['network']): string {
  if (evidence !== 'real') return describeEvidence(t, evidence)
  return testRoots ? t.style('yellow', 'real, on test roots (proves nothing; test network)') : t.style('green', 'real')
}

function duration(s: number): string {
  if (s < 120) return `${s} s`
  if (s < 7200) return `${Math.round(s / 60)} min`
  return `${(s / 3600).toFixed(1)} h`
}
