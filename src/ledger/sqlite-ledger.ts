/**
 * The durable ledger: books in memory, entries in an SQLite file. Settlements are collected into groups; a group is durable, and
 * moves the totals in memory, when the redo log has it. A thread of its own takes groups over into the database, many at a time.
 * Shape, files and failure cases: docs/ledger.md.
 */
import { startStoreThread } from '../disk/index.ts'
import { type Clock, CocoonError, type Log, type Metrics, toCocoonError } from '../util/index.ts'
import { type Account, type Charge, committedTotal, createBooks, type FundedAccount } from './books.ts'
import { ledgerError } from './errors.ts'
import { injectFaults } from './faults.ts'
import { createGroupCommit } from './group-commit.ts'
import type { Commitment, DurableLedger, Facts } from './ledger.ts'
import { createRedoLog } from './redo-log.ts'
import { readSnapshot } from './snapshot.ts'
import { ENTRY_FIELDS, type Group, REQUEST_ID_BYTES } from './store.ts'
import type { StoreFound, StoreJob, StoreThreadData } from './store-thread.ts'

export interface SqliteLedgerDeps {
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
}

export interface SqliteLedgerOptions {
  /** The database. Beside it lie `-wal`, `.redo`, `.witness` and `.pid`. */
  readonly path: string
  /** Raw address of the proxy contract. The file is bound to it for good. */
  readonly contract: string
  readonly pricePerToken: bigint
  /** The journal keeps this many of the newest entries; older ones live on in the totals only. */
  readonly keepEntries?: number
  /** The totals file of an earlier version: taken over once, where there is no database yet. */
  readonly importFrom?: string
  /** For tests: see faults.ts. */
  readonly faults?: Int32Array
}

/** About 100 bytes of disk an entry, and checking them takes part of a second for each 100 000 when the ledger is opened. */
const KEEP_ENTRIES = 1_000_000

/** A group is written in tens of milliseconds at most, so nobody waits long behind a burst. */
const GROUP_LIMIT = { items: 4_096, groups: 1 }

const COMMIT_BUCKETS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5]

type Item =
  | { readonly do: 'charge'; readonly charge: Charge; readonly requestId?: Uint8Array; readonly atMs: number }
  | { readonly do: 'commit'; readonly upTo: Commitment | undefined }
  | { readonly do: 'remember'; readonly facts: Facts }

/** Throws `config.ledger-…` when the file must not be used; the message says why and what to do. */
export async function createSqliteLedger(deps: SqliteLedgerDeps, options: SqliteLedgerOptions): Promise<DurableLedger> {
  const { clock, log } = deps
  const { path, contract, keepEntries = KEEP_ENTRIES, importFrom } = options
  const accounts = importFrom === undefined ? null : readSnapshot(importFrom)
  const earlier = importFrom === undefined || accounts === null ? undefined : { file: importFrom, accounts }
  const workerData: StoreThreadData = { options: { path, contract, keepEntries, earlier }, faults: options.faults }
  const thread = startStoreThread<StoreFound, StoreJob, null>({
    beside: import.meta.url,
    name: 'ledger',
    workerData,
    ended: (why) =>
      ledgerError('capacity.ledger-failed', `The ledger’s thread ended (${String(why)}): restart the proxy.`, why),
  })
  const openedAt = performance.now()
  const opened = await thread.opened
  for (const note of opened.notes) log.warn(note)
  log.info('the ledger is open', {
    path,
    entries: Number(opened.entries),
    ms: Math.round(performance.now() - openedAt),
  })

  const books = createBooks(options.pricePerToken, opened.accounts)
  const ids = new Map<Account, bigint>()
  const ownersByRole = { client: new Map<string, bigint>(), worker: new Map<string, bigint>() }
  for (const { role, owner, id } of opened.accounts) ownersByRole[role].set(owner, id)
  for (const account of books.accounts()) ids.set(account, ownersByRole[account.role].get(account.owner) as bigint)
  /** Accounts whose committed total is behind. */
  const behind = new Set<Account>([...books.accounts()].filter((a) => a.chain < a.total))
  const facts = new Map(opened.facts)
  let lastId = opened.accounts.reduce((max, { id }) => (id > max ? id : max), 0n)
  let trouble: CocoonError | null = null
  let closing: Promise<void> | null = null

  const seconds = deps.metrics.histogram('ledger_commit_seconds', 'Time to write and sync one group', COMMIT_BUCKETS)
  const entries = deps.metrics.counter('ledger_entries_total', 'Settlements written')

  const redo = createRedoLog(clock, {
    path,
    contract,
    newest: opened.newest,
    store: async (groups, newest) => void (await thread.do({ do: 'append', groups, newest })),
    failed: stop,
    step: injectFaults(options.faults),
  })
  const groups = createGroupCommit<Item>(GROUP_LIMIT, write)

  async function write(items: readonly Item[]): Promise<void> {
    const charges = items.filter((item) => item.do === 'charge')
    try {
      const commits = items.filter((item) => item.do === 'commit')
      const notes = items.flatMap((item) => (item.do === 'remember' ? Object.entries(item.facts) : []))
      if (commits.length > 0 && trouble !== null) await recover()
      const marked = commits.length > 0 ? [...behind] : []
      const marks = marked.map((a) => [a, highest(commits.map(({ upTo }) => committedTotal(a, upTo)))] as const)
      const plan = planGroup(charges, marks, notes, ids, lastId)
      if (plan.isEmpty) return
      const start = performance.now()
      await redo.append(plan.group)
      seconds.observe((performance.now() - start) / 1000)
      entries.add(charges.length)
      for (const [account, id] of plan.created) ids.set(account, id)
      lastId += BigInt(plan.created.length)
      for (const [account, chain] of plan.marks) {
        if (chain > account.chain) account.chain = chain
        if (account.chain === account.total) behind.delete(account)
      }
      for (const [name, value] of notes)
        if (value === null) facts.delete(name)
        else facts.set(name, value)
      for (const { charge } of charges) books.charge(charge)
      for (const account of plan.touched) if (account.chain < account.total) behind.add(account)
    } catch (error) {
      for (const { charge } of charges) books.refund(charge)
      throw stop(error)
    }
  }

  /** One small write more than once a second finds out whether the disk has room again. */
  async function recover(): Promise<void> {
    await thread.do({ do: 'probe' })
    await redo.flush()
    trouble = null
    log.info('the ledger can be written again')
  }

  function stop(error: unknown): CocoonError {
    const why = toCocoonError(error, 'capacity.ledger-failed')
    if (trouble?.code !== why.code) log.error(why.message, { code: why.code })
    trouble = why
    return why
  }

  async function close(): Promise<void> {
    await groups.idle()
    // What the database cannot take now stays in the redo log, and is taken over at the next start.
    await redo.flush().catch(stop)
    redo.close()
    await thread.close()
  }

  return {
    ...books,
    async settle(hold, worker, used, requestId) {
      if (requestId !== undefined && requestId.length !== REQUEST_ID_BYTES) throw new CocoonError('bug.request-id')
      const charge = books.take(hold, worker, used)
      if (closing !== null) {
        books.refund(charge)
        throw ledgerError('capacity.ledger-closed', 'The ledger is closed: the proxy is stopping.')
      }
      await groups.add({ do: 'charge', charge, atMs: clock.now(), ...(requestId === undefined ? {} : { requestId }) })
      return books.settled(charge)
    },
    async commit(upTo) {
      if (closing === null && (behind.size > 0 || trouble !== null)) await groups.add({ do: 'commit', upTo })
    },
    async remember(notes) {
      if (closing !== null) throw ledgerError('capacity.ledger-closed', 'The ledger is closed: the proxy is stopping.')
      await groups.add({ do: 'remember', facts: notes })
    },
    fact: (name) => facts.get(name),
    trouble: () => trouble,
    close() {
      closing ??= close()
      return closing
    },
  }
}

const highest = (totals: readonly bigint[]): bigint => totals.reduce((a, b) => (a > b ? a : b))

type ChargeItem = Extract<Item, { do: 'charge' }>

interface Plan {
  readonly group: Group
  readonly created: readonly (readonly [Account, bigint])[]
  readonly marks: readonly (readonly [Account, bigint])[]
  readonly touched: Iterable<Account>
  readonly isEmpty: boolean
}

/** What the group writes. */
function planGroup(
  charges: readonly ChargeItem[],
  behind: readonly (readonly [Account, bigint])[],
  facts: Group['facts'],
  ids: ReadonlyMap<Account, bigint>,
  lastId: bigint,
): Plan {
  const created = new Map<Account, bigint>()
  const growth = new Map<Account, bigint>()
  const idOf = (account: Account): bigint => {
    let id = ids.get(account) ?? created.get(account)
    if (id === undefined) created.set(account, (id = lastId + BigInt(created.size) + 1n))
    return id
  }
  const entries = new BigInt64Array(charges.length * ENTRY_FIELDS)
  const requestIds = new Uint8Array(charges.length * REQUEST_ID_BYTES)
  for (const [i, { charge, requestId, atMs }] of charges.entries()) {
    const { client, worker, used } = charge
    const { prompt, cached, completion, reasoning, total } = used
    const numbers = [BigInt(atMs), idOf(client), idOf(worker), prompt, cached, completion, reasoning, total]
    entries.set(numbers, i * ENTRY_FIELDS)
    if (requestId !== undefined) requestIds.set(requestId, i * REQUEST_ID_BYTES)
    for (const account of [client, worker]) growth.set(account, (growth.get(account) ?? 0n) + total)
  }
  // Marks are written before the entries: what is committed for good was durable before this group.
  const marks = behind.filter(([account, chain]) => chain > account.chain)
  const group: Group = {
    created: [...created].map(([account, id]) => {
      const { role, owner } = account
      return { id, role, owner, funds: role === 'client' ? (account as FundedAccount).funds : null }
    }),
    marks: BigInt64Array.from(marks.flatMap(([account, chain]) => [idOf(account), chain])),
    facts,
    entries,
    requestIds,
    growth: BigInt64Array.from([...growth].flatMap(([account, tokens]) => [idOf(account), tokens])),
  }
  const isEmpty = charges.length === 0 && marks.length === 0 && facts.length === 0
  return { group, created: [...created], marks, touched: growth.keys(), isEmpty }
}
