/**
 * What is owed: reservations, settlements and totals of one proxy contract. Checking and recording are one call, and a
 * settlement's promise resolves only when it is durable, so nothing that depends on it can leave too early.
 *
 * This file is the interface and its in-memory implementation; a durable one passes the same suite (ledger.suite.ts).
 */
import { CocoonError } from '../util/index.ts'
import { type LedgerSnapshot, noSnapshots, type SnapshotStore } from './snapshot.ts'
import type { AdjustedTokens } from './tokens.ts'

/** An account owner as `workchain:hex`, so that bounceable and testnet forms are one key. */
export type OwnerKey = string & { readonly brand?: 'OwnerKey' }

/** Three totals of adjusted tokens that only grow: `chain` ≤ `db` ≤ `max`. Only `chain` is ever signed. */
export interface Totals {
  /** Everything metered. */
  readonly max: bigint
  /** What a completed write holds. */
  readonly db: bigint
  /** What is committed for good; without a chain it follows `db`. */
  readonly chain: bigint
}

/** What the client's contract says, in nanoTON and adjusted tokens. */
export interface ClientFunds {
  readonly balanceNano: bigint
  readonly stakeNano: bigint
  /** Tokens already charged on the contract. */
  readonly scTokensUsed: bigint
}

export interface ClientAccount {
  readonly owner: OwnerKey
  readonly funds: ClientFunds
  readonly totals: Totals
  readonly reserved: bigint
  readonly running: number
  readonly payed: bigint
  readonly stakeTokens: bigint
  /** min(payed, stake + charged) − reserved − used. */
  readonly available: bigint
}

export interface WorkerAccount {
  readonly owner: OwnerKey
  readonly totals: Totals
}

export interface Hold {
  readonly client: OwnerKey
  readonly tokens: bigint
}

export interface Settled {
  readonly client: ClientAccount
  readonly worker: WorkerAccount
}

export interface Ledger {
  /** Opens the account with `funds` where nobody has seen this owner before. */
  openClient(owner: OwnerKey, funds: ClientFunds): ClientAccount
  openWorker(owner: OwnerKey): WorkerAccount
  client(owner: OwnerKey): ClientAccount | undefined
  worker(owner: OwnerKey): WorkerAccount | undefined
  clients(): readonly ClientAccount[]
  workers(): readonly WorkerAccount[]
  /** Holds the tokens, or says what is available. Never holds a negative amount. */
  reserve(owner: OwnerKey, tokens: bigint): Hold | { readonly short: ClientAccount }
  /** Turns a hold into a charge of `used` ≤ hold. Each hold ends once, by `settle` or `release`. */
  settle(hold: Hold, worker: OwnerKey, used: AdjustedTokens): Promise<Settled>
  release(hold: Hold): void
  /** Makes totals durable and moves the committed ones up. Called on a cadence. */
  commit(): Promise<void>
}

/** With price zero every amount buys this many tokens. */
const TOKENS_WHEN_FREE = 1_000_000_000_000n

interface Entry {
  max: bigint
  db: bigint
  chain: bigint
}
interface ClientEntry extends Entry {
  funds: ClientFunds
  reserved: bigint
  running: number
}

/** @param options.store where `commit` puts the totals; without one they live as long as the process */
export function createMemoryLedger(options: { readonly pricePerToken: bigint; readonly store?: SnapshotStore }): Ledger {
  const clients = new Map<OwnerKey, ClientEntry>()
  const workers = new Map<OwnerKey, Entry>()
  const open = new Set<Hold>()
  const store = options.store ?? noSnapshots
  let changed = false
  restore(store.load())
  const price = options.pricePerToken
  const tokensFor = (nano: bigint): bigint => (price === 0n ? TOKENS_WHEN_FREE : nano / price)

  const clientView = (owner: OwnerKey, c: ClientEntry): ClientAccount => {
    const payed = tokensFor(c.funds.balanceNano) + c.funds.scTokensUsed
    const stakeTokens = tokensFor(c.funds.stakeNano)
    const limit = payed < stakeTokens + c.funds.scTokensUsed ? payed : stakeTokens + c.funds.scTokensUsed
    const { funds, reserved, running } = c
    return {
      owner,
      funds,
      totals: totalsOf(c),
      reserved,
      running,
      payed,
      stakeTokens,
      available: limit - reserved - c.max,
    }
  }
  const workerView = (owner: OwnerKey, w: Entry): WorkerAccount => ({ owner, totals: totalsOf(w) })
  const end = (hold: Hold): ClientEntry => {
    const entry = clients.get(hold.client)
    if (entry === undefined || !open.delete(hold)) throw new CocoonError('bug.hold-ended-twice')
    entry.reserved -= hold.tokens
    entry.running--
    return entry
  }

  function restore(saved: LedgerSnapshot | null): void {
    for (const { owner, max, db, chain, ...funds } of saved?.clients ?? []) clients.set(owner, { max, db, chain, funds, reserved: 0n, running: 0 })
    for (const { owner, ...totals } of saved?.workers ?? []) workers.set(owner, totals)
  }

  return {
    openClient(owner, funds) {
      let entry = clients.get(owner)
      if (entry === undefined)
        clients.set(owner, (entry = { max: 0n, db: 0n, chain: 0n, funds, reserved: 0n, running: 0 }))
      return clientView(owner, entry)
    },
    openWorker(owner) {
      let entry = workers.get(owner)
      if (entry === undefined) workers.set(owner, (entry = { max: 0n, db: 0n, chain: 0n }))
      return workerView(owner, entry)
    },
    client(owner) {
      const entry = clients.get(owner)
      return entry && clientView(owner, entry)
    },
    worker(owner) {
      const entry = workers.get(owner)
      return entry && workerView(owner, entry)
    },
    clients: () => [...clients].map(([owner, entry]) => clientView(owner, entry)),
    workers: () => [...workers].map(([owner, entry]) => workerView(owner, entry)),
    reserve(owner, tokens) {
      const entry = clients.get(owner)
      if (entry === undefined) throw new CocoonError('bug.unknown-client')
      if (tokens < 0n) throw new CocoonError('bug.negative-hold', { tokens })
      const view = clientView(owner, entry)
      if (tokens > view.available) return { short: view }
      entry.reserved += tokens
      entry.running++
      const hold: Hold = { client: owner, tokens }
      open.add(hold)
      return hold
    },
    async settle(hold, workerOwner, used) {
      if (used.total < 0n || used.total > hold.tokens)
        throw new CocoonError('bug.settle-outside-hold', { total: used.total })
      const worker = workers.get(workerOwner)
      if (worker === undefined) throw new CocoonError('bug.unknown-worker')
      const client = end(hold)
      client.max += used.total
      worker.max += used.total
      return { client: clientView(hold.client, client), worker: workerView(workerOwner, worker) }
    },
    release: (hold) => void end(hold),
    async commit() {
      const entries = [...clients.values(), ...workers.values()]
      if (!changed && entries.every((e) => e.chain === e.db && e.db === e.max)) return
      changed = false
      // The file is written with the totals that will hold once it is written; only then do they hold here.
      const next = new Map(entries.map((e) => [e, { max: e.max, db: e.max, chain: e.db }]))
      await store.save({
        format: 1,
        clients: [...clients].map(([owner, e]) => ({ owner, ...e.funds, ...(next.get(e) ?? totalsOf(e)) })),
        workers: [...workers].map(([owner, e]) => ({ owner, ...(next.get(e) ?? totalsOf(e)) })),
      })
      for (const [entry, { db, chain }] of next) Object.assign(entry, { db, chain })
    },
  }
}

const totalsOf = ({ max, db, chain }: Entry): Totals => ({ max, db, chain })
