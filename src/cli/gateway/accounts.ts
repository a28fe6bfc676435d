/** `cocoon key`, `cocoon project`, `cocoon budget`: what the running client's gateway knows and takes. */
import { CocoonError } from '../../util/index.ts'
import type { Config } from '../schema.ts'
import type { Terminal } from '../terminal.ts'
import { adminClient } from './admin-client.ts'
import { amount, type Column, minute, type Row, rowsOf, showRows } from './show.ts'

export interface KeyFlags {
  readonly project?: string
  readonly name?: string
  readonly scope?: readonly string[]
  readonly model?: readonly string[]
  readonly expires?: string
  readonly requestsPerMinute?: string
  readonly tokensPerMinute?: string
  readonly maxConcurrent?: string
  readonly json?: boolean
}

export async function createKey(config: Config, o: KeyFlags, t: Terminal): Promise<number> {
  const limits = {
    requests_per_minute: countOf(o.requestsPerMinute, '--requests-per-minute'),
    tokens_per_minute: countOf(o.tokensPerMinute, '--tokens-per-minute'),
    max_concurrent: countOf(o.maxConcurrent, '--max-concurrent'),
  }
  const made = await adminClient(config).ask('POST', '/admin/keys', {
    project: o.project,
    name: o.name,
    scopes: o.scope,
    models: o.model,
    limits,
    ...(o.expires === undefined ? {} : { expires_at: timeOf(o.expires, Date.now()) }),
  })
  if (o.json === true) t.line(JSON.stringify(made, null, 2))
  else {
    t.line(String(made['key']))
    t.line(t.style('dim', `Key ${String(made['id'])} of project ${String(made['project'])}. It is shown this once.`))
  }
  return 0
}

const KEY_COLUMNS: readonly Column[] = [
  ['id', (k) => k['id']],
  ['project', (k) => k['project']],
  ['name', (k) => k['name']],
  ['state', stateOf],
  ['scopes', (k) => k['scopes']],
  ['models', (k) => ((k['models'] as string[]).length === 0 ? 'all' : k['models'])],
  ['limits', (k) => limitsOf(k['limits'] as Row)],
  ['created', (k) => minute(k['created_at'])],
  ['expires', (k) => minute(k['expires_at'])],
  ['made by', (k) => k['made_by'] ?? 'node'],
]

function stateOf(key: Row): string {
  if (key['revoked_at'] !== null) return 'revoked'
  return key['expires_at'] !== null && Date.parse(String(key['expires_at'])) <= Date.now() ? 'expired' : 'active'
}

function limitsOf(limits: Row): string {
  const { requests_per_minute: requests, tokens_per_minute: tokens, max_concurrent: concurrent } = limits
  const given = [
    requests === null ? '' : `${String(requests)} requests/min`,
    tokens === null ? '' : `${String(tokens)} tokens/min`,
    concurrent === null ? '' : `${String(concurrent)} at once`,
  ].filter(Boolean)
  return given.length === 0 ? 'none' : given.join(', ')
}

export const listKeys = (config: Config, asJson: boolean, t: Terminal): Promise<number> =>
  list(config, '/admin/keys', asJson, t, KEY_COLUMNS, 'No keys: everybody who reaches the API is served.')

export async function revokeKey(config: Config, id: string, t: Terminal): Promise<number> {
  await adminClient(config).ask('POST', `/admin/keys/${encodeURIComponent(id)}/revoke`, {})
  t.line(`The key ${id} is revoked. Requests that run with it end by themselves.`)
  return 0
}

export async function createProject(
  config: Config,
  id: string,
  name: string | undefined,
  t: Terminal,
): Promise<number> {
  await adminClient(config).ask('POST', '/admin/projects', { id, name })
  t.line(`The project ${id} exists. Make keys for it: cocoon key create --project ${id}`)
  return 0
}

const PROJECT_COLUMNS: readonly Column[] = [
  ['id', (p) => p['id']],
  ['name', (p) => p['name']],
  ['created', (p) => minute(p['created_at'])],
]

export const listProjects = (config: Config, asJson: boolean, t: Terminal): Promise<number> =>
  list(config, '/admin/projects', asJson, t, PROJECT_COLUMNS, 'No projects: keys belong to the project `default`.')

/** At most one of key and project; neither is the whole node. */
export interface BudgetFlags {
  readonly key?: string
  readonly project?: string
  readonly model?: string
  readonly window: string
  readonly warn?: string
}

function placeOf(o: BudgetFlags): Row {
  if (o.key !== undefined && o.project !== undefined)
    throw new CocoonError('config.flags', { message: 'give --key or --project, not both; neither is the whole node' })
  const scope = o.key !== undefined ? 'key' : o.project !== undefined ? 'project' : 'node'
  return { scope, id: o.key ?? o.project ?? '', model: o.model ?? '', window: o.window }
}

export async function setBudget(config: Config, limit: string, o: BudgetFlags, t: Terminal): Promise<number> {
  const body = { ...placeOf(o), limit: /TON$/i.test(limit) ? limit : `${limit} TON` }
  const warn = countOf(o.warn, '--warn')
  const state = await adminClient(config).ask('PUT', '/admin/budgets', {
    ...body,
    ...(warn === undefined ? {} : { warn_at_percent: warn }),
  })
  showRows(t, [state], BUDGET_COLUMNS, '')
  return 0
}

export async function dropBudget(config: Config, o: BudgetFlags, t: Terminal): Promise<number> {
  await adminClient(config).ask('DELETE', '/admin/budgets', placeOf(o))
  t.line('The budget is gone.')
  return 0
}

const BUDGET_COLUMNS: readonly Column[] = [
  ['of', (b) => (b['scope'] === 'node' ? 'node' : `${String(b['scope'])} ${String(b['id'])}`)],
  ['model', (b) => (b['model'] === '' ? 'all' : b['model'])],
  ['window', (b) => b['window']],
  ['limit', (b) => amount(b, 'limit')],
  ['spent', (b) => amount(b, 'spent')],
  ['reserved', (b) => amount(b, 'reserved')],
  ['warns at', (b) => `${String(b['warn_at_percent'])} %`],
  ['until', (b) => minute(b['window_ends'])],
]

export const showBudgets = (config: Config, asJson: boolean, t: Terminal): Promise<number> =>
  list(
    config,
    '/admin/budgets',
    asJson,
    t,
    BUDGET_COLUMNS,
    'No budgets: requests are bound by the client’s balance alone.',
  )

async function list(
  config: Config,
  path: string,
  asJson: boolean,
  t: Terminal,
  columns: readonly Column[],
  none: string,
): Promise<number> {
  const answer = await adminClient(config).ask('GET', path)
  if (asJson) t.line(JSON.stringify(answer, null, 2))
  else showRows(t, rowsOf(answer), columns, none)
  return 0
}

function countOf(text: string | undefined, flag: string): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d{1,10}$/.test(text)) throw new CocoonError('config.flags', { message: `${flag} must be a whole number` })
  return Number(text)
}

const UNIT_MS: Readonly<Record<string, number>> = { h: 3_600_000, d: 86_400_000 }

/** `30d`, `12h`, or a date; ISO 8601. */
function timeOf(text: string, nowMs: number): string {
  const span = /^(\d{1,5})([hd])$/.exec(text)
  if (span !== null) return new Date(nowMs + Number(span[1]) * (UNIT_MS[span[2] as string] ?? 0)).toISOString()
  const ms = Date.parse(text)
  if (Number.isNaN(ms))
    throw new CocoonError('config.flags', { message: '--expires must be like 30d, 12h or 2027-01-31' })
  return new Date(ms).toISOString()
}
