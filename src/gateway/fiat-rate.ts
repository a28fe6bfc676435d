/**
 * The rate by which amounts are shown in a currency: a constant, or one that a server tells. Of a server's rates only one that is
 * fresh and plausible is used; without one, amounts are shown in TON alone. Accounts never use it.
 */
import { type Clock, type CocoonError, type Log, type Metrics, type Timer, toCocoonError } from '../util/index.ts'
import { gatewayError } from './errors.ts'
import type { Fiat } from './fiat.ts'

export interface FiatSource {
  readonly url: string
  /** Members and indexes on the way to the rate, with points between: `data.0.usd`. Empty: the document is the rate. */
  readonly path: string
  readonly refreshSeconds: number
  /** A rate that was read longer ago is not shown any more. */
  readonly maxAgeSeconds: number
  /** Rates outside these bounds are not believed. */
  readonly atLeast: string
  readonly atMost: string
}

export interface FiatOptions {
  readonly currency: string
  /** Constant rate; absent where there is a source. */
  readonly perTon?: string | undefined
  readonly source?: FiatSource | undefined
}

export interface FiatRate {
  /** Undefined while there is no rate to trust. */
  current(): Fiat | undefined
  close(): void
}

export interface FiatDeps {
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly fetch: typeof globalThis.fetch
}

const TIMEOUT_MS = 10_000
/** Lists of all the coins there are take less. */
const MAX_BYTES = 4 * 1024 * 1024
/** As `formatFiat` counts. */
const RATE_DIGITS = 6
/**
 * A rate that is so many times another, while that one is still fresh, is more likely a mistake than a market. It is believed
 * when the earlier one has become too old.
 */
const MAX_JUMP = 3

/** Undefined without options. Asks a source at once, and then on its cadence. */
export function createFiatRate(deps: FiatDeps, options: FiatOptions | undefined): FiatRate {
  if (options === undefined) return { current: () => undefined, close() {} }
  const { currency, perTon, source } = options
  if (source === undefined) {
    const constant = perTon === undefined ? undefined : { currency, perTon }
    return { current: () => constant, close() {} }
  }
  return followSource(deps, currency, source)
}

function followSource({ clock, log, metrics, fetch }: FiatDeps, currency: string, source: FiatSource): FiatRate {
  const stopped = new AbortController()
  let good: { readonly perTon: string; readonly atMs: number } | null = null
  let timer: Timer | undefined
  /** Told once for each trouble: a source that is down is down for hours. */
  let said = ''
  const failures = metrics.counter('fiat_refreshes_failed_total', 'Rates that could not be read, or were not believed')
  metrics.gauge('fiat_rate_age_seconds', 'Since the rate in use was read; -1 without one', () =>
    good === null ? -1 : (clock.now() - good.atMs) / 1000,
  )
  const isFresh = (): boolean => good !== null && clock.now() - good.atMs <= source.maxAgeSeconds * 1000

  async function refresh(): Promise<void> {
    try {
      const perTon = believable(rateIn(await read(fetch, source.url, stopped.signal), source.path))
      good = { perTon, atMs: clock.now() }
      if (said !== '') log.info('the rate of the currency is told again', { currency, perTon })
      said = ''
    } catch (error) {
      if (stopped.signal.aborted) return
      failures.add(1)
      const { message } = toCocoonError(error)
      if (message !== said) log.warn('no rate for the currency', { currency, why: message, shown: isFresh() })
      said = message
    }
    if (!stopped.signal.aborted) timer = clock.after(source.refreshSeconds * 1000, () => void refresh())
  }

  function believable(perTon: string): string {
    const [value, low, high] = [perTon, source.atLeast, source.atMost].map(Number) as [number, number, number]
    if (!(value >= low && value <= high))
      throw bad(`the rate ${perTon} is not between ${source.atLeast} and ${source.atMost} (client.gateway.fiat.source)`)
    const before = isFresh() && good !== null ? Number(good.perTon) : value
    if (value > before * MAX_JUMP || value < before / MAX_JUMP)
      throw bad(`the rate jumped from ${before} to ${perTon}: not believed until the earlier one is too old`)
    return perTon
  }

  void refresh()
  return {
    current: () => (good !== null && isFresh() ? { currency, perTon: good.perTon } : undefined),
    close() {
      stopped.abort()
      timer?.cancel()
    },
  }
}

async function read(fetch: FiatDeps['fetch'], url: string, stop: AbortSignal): Promise<unknown> {
  const signal = AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), stop])
  // A redirect would ask somebody whom the owner did not name.
  const reply = await fetch(url, { headers: { accept: 'application/json' }, redirect: 'error', signal })
  if (!reply.ok) {
    await reply.body?.cancel()
    throw bad(`the source answers with status ${reply.status}`)
  }
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of reply.body ?? []) {
    size += chunk.length
    if (size > MAX_BYTES) throw bad(`the source’s answer is larger than ${MAX_BYTES} bytes`)
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString())
  } catch {
    throw bad('the source’s answer is not JSON')
  }
}

/** Exported for its test: a decimal number with at most six digits behind the point. Throws `config.fiat-source`. */
export function rateIn(document: unknown, path: string): string {
  let at = document
  for (const name of path === '' ? [] : path.split('.')) {
    const isThere = typeof at === 'object' && at !== null && Object.hasOwn(at, name)
    if (!isThere) throw bad(`the source’s answer has no '${name}' of client.gateway.fiat.source.path`)
    at = (at as Readonly<Record<string, unknown>>)[name]
  }
  const text = typeof at === 'number' && Number.isFinite(at) ? at.toFixed(RATE_DIGITS) : at
  const match = typeof text === 'string' ? /^(\d{1,9})(?:\.(\d{1,30}))?$/.exec(text) : null
  if (match === null) throw bad('what stands at client.gateway.fiat.source.path is no rate: not a decimal number')
  const [, whole = '0', fraction = ''] = match
  const digits = fraction.slice(0, RATE_DIGITS)
  return digits === '' ? whole : `${whole}.${digits}`
}

const bad = (message: string): CocoonError => gatewayError('config.fiat-source', message)
