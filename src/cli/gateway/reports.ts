/** `cocoon usage`, `cocoon receipts`, `cocoon quote`, `cocoon console`: what was spent, and what a request can cost. */
import { CocoonError, reveal } from '../../util/index.ts'
import type { Config } from '../schema.ts'
import type { Terminal } from '../terminal.ts'
import { adminClient } from './admin-client.ts'
import { readAdminKey } from './admin-key.ts'
import { amount, type Column, minute, type Row, rowsOf, showRows } from './show.ts'

/** How to print. */
interface Format {
  readonly json?: boolean
  readonly csv?: boolean
}

interface Filter {
  readonly project?: string
  readonly key?: string
  readonly model?: string
  readonly from?: string
}

export interface UsageFlags extends Format, Filter {
  readonly by: string
  readonly to?: string
}

export interface ReceiptFlags extends Format, Filter {
  readonly request?: string
  readonly result?: string
  readonly code?: string
  readonly until?: string
  readonly limit: string
}

export async function showUsage(config: Config, o: UsageFlags, t: Terminal): Promise<number> {
  const { json, csv, ...query } = o
  const path = `/admin/usage?${queryOf(query)}`
  if (csv === true) return printCsv(config, path, t)
  const answer = await adminClient(config).ask('GET', path)
  if (json === true) t.line(JSON.stringify(answer, null, 2))
  else showRows(t, rowsOf(answer), usageColumns(o.by), 'Nothing was used.')
  return 0
}

const usageColumns = (by: string): readonly Column[] => [
  [by, (u) => u[by]],
  ['requests', (u) => u['requests']],
  ['failed', (u) => u['failed']],
  // Of reasons there is nothing else to say: tokens and costs stand in the other sums.
  ...(by === 'code' ? REASON_COLUMNS : SUM_COLUMNS),
]

const REASON_COLUMNS: readonly Column[] = [['refused', (u) => u['refused']]]

const SUM_COLUMNS: readonly Column[] = [
  ['prompt', (u) => u['prompt_tokens']],
  ['cached', (u) => u['cached_tokens']],
  ['completion', (u) => u['completion_tokens']],
  ['reasoning', (u) => u['reasoning_tokens']],
  ['cost', (u) => amount(u, 'cost')],
]

const RECEIPT_COLUMNS: readonly Column[] = [
  ['ended', (r) => minute(r['ended_at'])],
  ['request', (r) => String(r['request']).slice(0, 12)],
  ['key', (r) => r['key']],
  ['model', (r) => r['model']],
  ['result', (r) => r['code'] ?? r['result']],
  ['tokens', (r) => r['total_tokens']],
  ['cost', (r) => amount(r, 'cost')],
  ['queued', (r) => (r['queued_ms'] === null ? '' : `${String(r['queued_ms'])} ms`)],
  ['first byte', (r) => (r['first_byte_ms'] === null ? '' : `${String(r['first_byte_ms'])} ms`)],
  ['all', (r) => `${String(r['duration_ms'])} ms`],
  ['tries', (r) => triesOf(r)],
  ['worker', (r) => shortened(r['worker'])],
  ['evidence', (r) => r['evidence']],
]

/** A count, and of those that did not serve it why. */
function triesOf(receipt: Row): string {
  const tries = (receipt['tries'] ?? []) as readonly Row[]
  const ended = tries.slice(0, -1).map((one) => String(one['ended']))
  return tries.length === 0 ? '' : [String(tries.length), ...ended].join(' ')
}

/** Addresses begin alike; their ends differ. */
const shortened = (address: unknown): string => (typeof address === 'string' ? `…${address.slice(-6)}` : '')

export async function showReceipts(config: Config, o: ReceiptFlags, t: Terminal): Promise<number> {
  const { json, csv, from, until, ...query } = o
  const path = `/admin/receipts?${queryOf({ ...query, from: instant(from), until: instant(until) })}`
  if (csv === true) return printCsv(config, path, t)
  const answer = await adminClient(config).ask('GET', path)
  if (json === true) {
    t.line(JSON.stringify(answer, null, 2))
    return 0
  }
  showRows(t, rowsOf(answer), RECEIPT_COLUMNS, 'No receipts.')
  t.line(`${String(answer['count'])} requests, ${amount(answer, 'cost')} (${String(answer['cost_nano'])} nanoTON)`)
  return 0
}

export interface QuoteFlags {
  readonly model?: string
  readonly maxTokens?: string
  readonly maxCoefficient?: string
  readonly json?: boolean
}

/** With a question: the most that one can cost. Without: the price list. */
export async function showQuote(
  config: Config,
  question: string | undefined,
  o: QuoteFlags,
  t: Terminal,
): Promise<number> {
  const client = adminClient(config)
  const prices = await client.ask('GET', '/v1/prices')
  if (question === undefined) {
    if (o.json === true) t.line(JSON.stringify(prices, null, 2))
    else showRows(t, rowsOf(prices), PRICE_COLUMNS, 'No worker offers a model.')
    return 0
  }
  const model = o.model ?? rowsOf(prices)[0]?.['id']
  if (model === undefined)
    throw new CocoonError('capacity.no-model', { message: 'no worker offers a model: give --model' })
  const quote = await client.ask('POST', '/v1/quote/chat/completions', {
    model,
    messages: [{ role: 'user', content: question }],
    ...(o.maxTokens === undefined ? {} : { max_tokens: Number(o.maxTokens) }),
    ...(o.maxCoefficient === undefined ? {} : { max_coefficient: Number(o.maxCoefficient) }),
  })
  if (o.json === true) t.line(JSON.stringify(quote, null, 2))
  else
    t.line(
      `at most ${amount(quote, 'max_cost')} for up to ${String(quote['max_tokens'])} tokens of ${String(quote['model'])}, at up to ${Number(quote['max_coefficient']) / 1000} × the network’s price of ${String(quote['price_per_token_nano'])} nanoTON a token`,
    )
  return 0
}

const perMillion =
  (of: string, name: string) =>
  (row: Row): string => {
    const price = row[of] as Row | null
    return price === null ? '' : amount(price, `${name}_per_million`)
  }

const PRICE_COLUMNS: readonly Column[] = [
  ['model', (p) => p['id']],
  ['workers', (p) => p['workers']],
  ['prompt / 1 M', perMillion('cheapest', 'prompt')],
  ['cached', perMillion('cheapest', 'cached')],
  ['completion', perMillion('cheapest', 'completion')],
  ['reasoning', perMillion('cheapest', 'reasoning')],
  ['dearest completion', perMillion('dearest', 'completion')],
]

/** The key is behind `#`, which browsers do not send. */
export function showConsole(config: Config, t: Terminal): number {
  const { host, port } = config.client.http
  const at = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  t.line(`http://${at}:${port}/console#${reveal(readAdminKey(config.home))}`)
  return 0
}

async function printCsv(config: Config, path: string, t: Terminal): Promise<number> {
  t.write(await adminClient(config).text(`${path}&format=csv`))
  return 0
}

function queryOf(values: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(values).filter((one): one is [string, string] => one[1] !== undefined)
  return new URLSearchParams(given).toString()
}

function instant(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const ms = Date.parse(text)
  if (Number.isNaN(ms))
    throw new CocoonError('config.flags', {
      message: `'${text.slice(0, 40)}' is no time: write 2026-08-31 or 2026-08-31T12:00Z`,
    })
  return new Date(ms).toISOString()
}
