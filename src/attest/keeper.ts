/**
 * Collateral kept up to date: what peers' hardware needs is fetched when it is first wanted, kept on disk, and fetched again
 * long before it ends. Nothing is kept that is not genuine, and nothing gives way to something older: a server can delay a
 * verdict, and never change it. Source: docs/attestation.md, "Collateral".
 */
import { readFileSync } from 'node:fs'
import { writeWhole } from '../disk/index.ts'
import {
  type CollateralBundle,
  type CollateralItem,
  type CollateralSupply,
  type CollateralWant,
  EMPTY_BUNDLE,
  encodeBundle,
  faultOfItem,
  isSupplied,
  type ItemContext,
  mergeItem,
  nodeVerifyCrypto,
  parseBundle,
  wantKey,
  wantOfItem,
} from '../tee/index.ts'
import {
  type Clock,
  type CocoonError,
  type Log,
  type Random,
  type Timer,
  toCocoonError,
  uniform,
} from '../util/index.ts'
import { unavailable } from './errors.ts'
import { httpGet, type VendorGet } from './http-get.ts'
import { type CollateralServers, requestFor } from './vendors.ts'

export interface KeeperDeps {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** For tests; HTTP otherwise. */
  readonly get?: VendorGet
}

export interface KeeperOptions {
  readonly servers: CollateralServers
  /** Where it is kept; null for in memory only. */
  readonly path: string | null
  readonly refreshEveryMs: number
  /** Other than the vendors' only on a test network. */
  readonly roots?: NonNullable<ItemContext['roots']>
}

export interface FetchFailure {
  /** `intel-tcb-info fmspc=90c06f000000 tee=tdx` */
  readonly what: string
  readonly reason: string
}

export interface KeeperStatus {
  readonly servers: CollateralServers
  readonly items: number
  /** When the first of what is held ends; null for nothing. */
  readonly validUntil: string | null
  readonly refreshedAt: string | null
  readonly nextRefreshAt: string | null
  /** Of the last refresh, and of what peers needed since. */
  readonly failures: readonly FetchFailure[]
}

export interface CollateralKeeper extends CollateralSupply {
  /** Fetches these, and everything that is held when none are given. Returns what could not be had. */
  refresh(wants?: readonly CollateralWant[], signal?: AbortSignal): Promise<readonly FetchFailure[]>
  /** Takes what is genuine and better than what is held. */
  merge(
    items: readonly CollateralItem[],
  ): Promise<{ readonly taken: number; readonly refused: readonly FetchFailure[] }>
  status(): KeeperStatus
  close(): void
}

/** A peer's platform is asked for again after this when it could not be had. */
const VAIN_MS = 30_000
/** Requests that peers can cause; refreshing is not counted. */
const MAX_ON_DEMAND_PER_MINUTE = 60
/** Vendors publish some hundred things altogether; certificates of chips, and answers about GPUs, are what could be more. */
const MAX_ITEMS = 2048
const FIRST_RETRY_MS = 600_000
/** As much as responders echo. */
const NONCE_BYTES = 16
/** Answers about certificates that nobody has needed for so long are left to expire: a GPU that has gone is not asked for. */
const STILL_WANTED_MS = 2 * 24 * 3_600_000
const MAX_FAILURES = 32

/** Throws `config.collateral-bundle` when the file at `path` is not a bundle. */
export function createCollateralKeeper(deps: KeeperDeps, options: KeeperOptions): CollateralKeeper {
  const { clock, log, random, get = httpGet } = deps
  const { servers, path, refreshEveryMs, roots } = options
  const closing = new AbortController()
  const listeners = new Set<() => void>()
  const running = new Map<string, Promise<FetchFailure | null>>()
  const vainUntilMs = new Map<string, number>()
  /** When answers about certificates were needed last. */
  const wantedAtMs = new Map<string, number>()
  let bundle: CollateralBundle = path === null ? EMPTY_BUNDLE : readBundle(path)
  let onDemand = { minute: 0, count: 0 }
  let failures: readonly FetchFailure[] = []
  let refreshedAtMs: number | null = null
  let nextAtMs: number | null = null
  let timer: Timer | undefined
  let soonTimer: Timer | undefined
  let soonNotBeforeMs = 0
  let retryMs = FIRST_RETRY_MS

  /** Null when it was taken, or is as good as what is held. */
  async function take(item: CollateralItem): Promise<string | null> {
    const context = {
      crypto: nodeVerifyCrypto,
      nowMs: clock.now(),
      known: bundle,
      ...(roots === undefined ? {} : { roots }),
    }
    const fault = await faultOfItem(item, context)
    if (fault !== null) return fault
    let items = mergeItem(bundle.items, item, clock.now())
    if (items === bundle.items) return null
    if (items.length > MAX_ITEMS) {
      forget()
      items = mergeItem(bundle.items, item, clock.now())
    }
    if (items.length > MAX_ITEMS) return `${MAX_ITEMS} items are held already`
    bundle = { madeAtMs: clock.now(), items }
    return null
  }

  /** Runs `change`, then tells and stores what it changed, once. */
  async function changing<T>(change: () => Promise<T>): Promise<T> {
    const before = bundle
    try {
      return await change()
    } finally {
      if (bundle !== before) {
        store()
        scheduleSoon()
        for (const listener of listeners) listener()
      }
    }
  }

  function store(): void {
    if (path === null) return
    try {
      writeWhole(path, encodeBundle(bundle))
    } catch (error) {
      log.warn('collateral could not be stored; it is kept in memory', { path, reason: String(error) })
    }
  }

  /** Whoever wants the same at the same time waits for one request. */
  function fetchOne(want: CollateralWant, signal: AbortSignal): Promise<FetchFailure | null> {
    const key = wantKey(want)
    const already = running.get(key)
    if (already !== undefined) return already
    const fetched = fetchAndTake(want, signal).finally(() => running.delete(key))
    running.set(key, fetched)
    return fetched
  }

  async function fetchAndTake(want: CollateralWant, signal: AbortSignal): Promise<FetchFailure | null> {
    const what = wordsOf(want)
    try {
      const request = requestFor(want, servers, random.bytes(NONCE_BYTES))
      if (request === null) throw unavailable(what, 'no server is configured that has such things')
      const item = request.read(await get(request.url, signal, request.question))
      if (!isAnswer(item, want)) throw unavailable(what, 'the server answered with something else')
      const fault = await take(item)
      if (fault !== null) throw unavailable(what, `the server’s answer is not taken: ${fault}`)
      vainUntilMs.delete(wantKey(want))
      failures = failures.filter((old) => old.what !== what)
      return null
    } catch (error) {
      const why: CocoonError = toCocoonError(error)
      if (why.family === 'bug') throw why
      vainUntilMs.set(wantKey(want), clock.now() + VAIN_MS)
      return { what, reason: why.message }
    }
  }

  /** What others hang on comes first: chains before the lists and certificates that they sign. */
  async function fetchAll(wants: readonly CollateralWant[], signal: AbortSignal): Promise<readonly FetchFailure[]> {
    const first = wants.filter((want) => want.type === 'amd-chain' || want.type === 'intel-root-crl')
    const then = wants.filter((want) => !first.includes(want))
    const found: (FetchFailure | null)[] = []
    for (const part of [first, then]) found.push(...(await Promise.all(part.map((want) => fetchOne(want, signal)))))
    return found.filter((failure) => failure !== null)
  }

  function mayAskOnDemand(count: number, nowMs: number): boolean {
    const minute = Math.floor(nowMs / 60_000)
    if (onDemand.minute !== minute) onDemand = { minute, count: 0 }
    if (onDemand.count + count > MAX_ON_DEMAND_PER_MINUTE) return false
    onDemand.count += count
    return true
  }

  function keepFailures(more: readonly FetchFailure[]): void {
    if (more.length === 0) return
    for (const { what, reason } of more) log.warn('collateral could not be fetched', { what, reason })
    const news = new Set(more.map((failure) => failure.what))
    failures = [...failures.filter((old) => !news.has(old.what)), ...more].slice(-MAX_FAILURES)
  }

  async function refresh(
    wants: readonly CollateralWant[] = bundle.items.filter(isRefreshed).map(wantOfItem),
    signal: AbortSignal = closing.signal,
  ): Promise<readonly FetchFailure[]> {
    const failed = await changing(() => fetchAll(wants, signal))
    return failed
  }

  /** Of what is held, what is fetched again without being asked for. */
  function kept(): readonly CollateralItem[] {
    const sinceMs = clock.now() - STILL_WANTED_MS
    return bundle.items.filter(
      (item) =>
        isRefreshed(item) &&
        (item.type !== 'nvidia-ocsp' || (wantedAtMs.get(wantKey(wantOfItem(item))) ?? 0) > sinceMs),
    )
  }

  async function refreshAll(): Promise<void> {
    forget()
    const failed = await refresh(kept().map(wantOfItem))
    refreshedAtMs = clock.now()
    failures = []
    keepFailures(failed)
    retryMs = failed.length === 0 ? FIRST_RETRY_MS : Math.min(2 * retryMs, refreshEveryMs)
    schedule(failed.length === 0 ? refreshEveryMs : Math.min(retryMs, refreshEveryMs))
  }

  /** Answers about GPUs that have gone: what has expired says nothing, and would be kept for ever. */
  function forget(): void {
    const nowMs = clock.now()
    for (const [key, atMs] of wantedAtMs) if (atMs <= nowMs - STILL_WANTED_MS) wantedAtMs.delete(key)
    const items = bundle.items.filter(({ type, validUntilMs }) => type !== 'nvidia-ocsp' || nowMs <= validUntilMs)
    if (items.length !== bundle.items.length) bundle = { madeAtMs: nowMs, items }
  }

  /** What lives for a day is asked for again when three quarters of that are over, and not with everything else. */
  function scheduleSoon(): void {
    soonTimer?.cancel()
    const dueMs = Math.min(...kept().filter(isShortLived).map(dueOf))
    if (closing.signal.aborted || !Number.isFinite(dueMs)) return
    const waitMs = Math.max(dueMs, soonNotBeforeMs, clock.now() + 1) - clock.now()
    soonTimer = clock.after(waitMs, () => {
      refreshSoon().catch((error: unknown) => log.error('refreshing collateral failed', { error: String(error) }))
    })
  }

  async function refreshSoon(): Promise<void> {
    const nowMs = clock.now()
    soonNotBeforeMs = nowMs + FIRST_RETRY_MS
    const due = kept().filter((item) => isShortLived(item) && dueOf(item) <= nowMs)
    keepFailures(await refresh(due.map(wantOfItem)))
    scheduleSoon()
  }

  const isShortLived = ({ validFromMs, validUntilMs }: CollateralItem): boolean =>
    validUntilMs - validFromMs <= 2 * refreshEveryMs

  /** Scattered, so that a fleet does not ask at the same moment. */
  function schedule(inMs: number): void {
    if (closing.signal.aborted) return
    const waitMs = uniform(random, 0.9 * inMs, inMs)
    nextAtMs = clock.now() + waitMs
    timer = clock.after(waitMs, () => {
      refreshAll().catch((error: unknown) => {
        log.error('refreshing collateral failed', { error: String(error) })
        schedule(refreshEveryMs)
      })
    })
  }
  // What was stored is from before this process; how old it is shows at once.
  schedule(Math.min(refreshEveryMs, 60_000))
  scheduleSoon()

  return {
    current: () => bundle,
    supply(wants, nowMs) {
      for (const want of wants) if (want.type === 'nvidia-ocsp') wantedAtMs.set(wantKey(want), nowMs)
      const missing = wants.filter(
        (want) =>
          !isSupplied(bundle, want, nowMs) &&
          nowMs >= (vainUntilMs.get(wantKey(want)) ?? 0) &&
          requestFor(want, servers) !== null,
      )
      if (missing.length === 0) return null
      if (!mayAskOnDemand(missing.length, nowMs)) {
        keepFailures([{ what: 'more', reason: `peers caused ${MAX_ON_DEMAND_PER_MINUTE} requests within a minute` }])
        return null
      }
      return refresh(missing).then(keepFailures, (error: unknown) =>
        log.error('fetching collateral failed', { error: String(error) }),
      )
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    refresh,
    merge: (items) =>
      changing(async () => {
        const refused: FetchFailure[] = []
        let taken = 0
        // What others hang on first, as when fetching.
        for (const item of items.toSorted((a, b) => orderOf(a) - orderOf(b))) {
          const before = bundle
          const reason = await take(item)
          if (reason !== null) refused.push({ what: wordsOf(wantOfItem(item)), reason })
          else if (bundle !== before) taken++
        }
        return { taken, refused }
      }),
    status: () => ({
      servers,
      items: bundle.items.length,
      validUntil: bundle.items.length === 0 ? null : isoOf(Math.min(...bundle.items.map((item) => item.validUntilMs))),
      refreshedAt: refreshedAtMs === null ? null : isoOf(refreshedAtMs),
      nextRefreshAt: nextAtMs === null ? null : isoOf(nextAtMs),
      failures,
    }),
    close() {
      closing.abort()
      timer?.cancel()
      soonTimer?.cancel()
      listeners.clear()
    },
  }
}

/** A certificate of a chip does not change: another firmware has another one. */
const isRefreshed = ({ type }: CollateralItem): boolean => type !== 'amd-leaf'
const dueOf = ({ validFromMs, validUntilMs }: CollateralItem): number => validUntilMs - (validUntilMs - validFromMs) / 4
const orderOf = ({ type }: CollateralItem): number => (type === 'amd-chain' || type === 'intel-root-crl' ? 0 : 1)

const isAnswer = (item: CollateralItem, want: CollateralWant): boolean =>
  item.type === want.type && Object.entries(want.labels).every(([name, value]) => item.labels[name] === value)

export const wordsOf = ({ type, labels }: CollateralWant): string =>
  [type, ...Object.entries(labels).map(([name, value]) => `${name}=${value.slice(0, 40)}`)].join(' ')

function readBundle(path: string): CollateralBundle {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return EMPTY_BUNDLE
    throw error
  }
  return parseBundle(text, path)
}

const isoOf = (ms: number): string => new Date(ms).toISOString()
