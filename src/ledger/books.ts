/**
 * Accounts and holds in memory: the part that every ledger shares. Totals change here only when a ledger says that what
 * they show is durable.
 */
import { CocoonError } from '../util/index.ts'
import type {
  ClientAccount,
  ClientFunds,
  Commitment,
  Hold,
  Ledger,
  OwnerKey,
  Settled,
  WorkerAccount,
} from './ledger.ts'
import type { AdjustedTokens } from './tokens.ts'

export interface Account {
  readonly role: 'client' | 'worker'
  readonly owner: OwnerKey
  total: bigint
  /** ≤ total. */
  chain: bigint
}

export interface FundedAccount extends Account {
  funds: ClientFunds
  reserved: bigint
  running: number
}

/** A hold that is being settled: it ended for its owner, and stays reserved until `charge` or `refund`. */
export interface Charge {
  readonly client: FundedAccount
  readonly worker: Account
  readonly held: bigint
  readonly used: AdjustedTokens
}

export interface Books
  extends Pick<
    Ledger,
    'openClient' | 'openWorker' | 'fund' | 'client' | 'worker' | 'clients' | 'workers' | 'reserve' | 'release'
  > {
  accounts(): Iterable<Account>
  /** Ends the hold. Throws `bug.*` for what no caller may ask. */
  take(hold: Hold, worker: OwnerKey, used: AdjustedTokens): Charge
  charge(charge: Charge): void
  refund(charge: Charge): void
  settled(charge: Charge): Settled
}

/** An account as it was kept. */
export interface KeptAccount extends Account {
  /** Clients only. */
  readonly funds: ClientFunds | null
}

/** With price zero every amount buys this many tokens. */
const TOKENS_WHEN_FREE = 1_000_000_000_000n

/** Totals travel and are stored as signed 64-bit numbers; half of their range leaves room for what is being written. */
const MAX_TOTAL = 2n ** 62n

export function createBooks(pricePerToken: bigint, kept: readonly KeptAccount[] = []): Books {
  const clients = new Map<OwnerKey, FundedAccount>()
  const workers = new Map<OwnerKey, Account>()
  const open = new Set<Hold>()
  const tokensFor = (nano: bigint): bigint => (pricePerToken === 0n ? TOKENS_WHEN_FREE : nano / pricePerToken)
  for (const { role, owner, total, chain, funds } of kept)
    if (funds === null) workers.set(owner, { role, owner, total, chain })
    else clients.set(owner, { role, owner, total, chain, funds, reserved: 0n, running: 0 })

  const showClient = (account: FundedAccount): ClientAccount => {
    const { owner, funds, reserved, running } = account
    const payed = tokensFor(funds.balanceNano) + funds.scTokensUsed
    const stakeTokens = tokensFor(funds.stakeNano)
    const limit = payed < stakeTokens + funds.scTokensUsed ? payed : stakeTokens + funds.scTokensUsed
    const available = limit - reserved - account.total
    return { owner, funds, totals: totalsOf(account), reserved, running, payed, stakeTokens, available }
  }
  const showWorker = (account: Account): WorkerAccount => ({ owner: account.owner, totals: totalsOf(account) })

  const end = (hold: Hold): FundedAccount => {
    const account = clients.get(hold.client)
    if (account === undefined || !open.delete(hold)) throw new CocoonError('bug.hold-ended-twice')
    return account
  }
  const free = (account: FundedAccount, tokens: bigint): void => {
    account.reserved -= tokens
    account.running--
  }

  return {
    openClient(owner, funds) {
      let account = clients.get(owner)
      if (account === undefined)
        clients.set(owner, (account = { role: 'client', owner, total: 0n, chain: 0n, funds, reserved: 0n, running: 0 }))
      return showClient(account)
    },
    openWorker(owner) {
      let account = workers.get(owner)
      if (account === undefined) workers.set(owner, (account = { role: 'worker', owner, total: 0n, chain: 0n }))
      return showWorker(account)
    },
    fund(owner, funds) {
      const account = clients.get(owner)
      if (account === undefined) throw new CocoonError('bug.unknown-client')
      account.funds = funds
    },
    client(owner) {
      const account = clients.get(owner)
      return account && showClient(account)
    },
    worker(owner) {
      const account = workers.get(owner)
      return account && showWorker(account)
    },
    clients: () => [...clients.values()].map(showClient),
    workers: () => [...workers.values()].map(showWorker),
    *accounts() {
      yield* clients.values()
      yield* workers.values()
    },
    reserve(owner, tokens) {
      const account = clients.get(owner)
      if (account === undefined) throw new CocoonError('bug.unknown-client')
      if (tokens < 0n) throw new CocoonError('bug.negative-hold', { tokens })
      const shown = showClient(account)
      if (tokens > shown.available || account.total + account.reserved + tokens > MAX_TOTAL) return { short: shown }
      account.reserved += tokens
      account.running++
      const hold: Hold = { client: owner, tokens }
      open.add(hold)
      return hold
    },
    release: (hold) => free(end(hold), hold.tokens),
    take(hold, owner, used) {
      if (used.total < 0n || used.total > hold.tokens)
        throw new CocoonError('bug.settle-outside-hold', { total: used.total })
      const worker = workers.get(owner)
      if (worker === undefined) throw new CocoonError('bug.unknown-worker')
      if (worker.total + used.total > MAX_TOTAL) throw new CocoonError('bug.total-too-large', { worker: owner })
      return { client: end(hold), worker, held: hold.tokens, used }
    },
    charge({ client, worker, held, used }) {
      free(client, held)
      client.total += used.total
      worker.total += used.total
    },
    refund: ({ client, held }) => free(client, held),
    settled: ({ client, worker }) => ({ client: showClient(client), worker: showWorker(worker) }),
  }
}

/** Up to where an account's total may be signed after a commit: never above what is written, never back. */
export function committedTotal(account: Account, upTo: Commitment | undefined): bigint {
  if (upTo === undefined) return account.total
  const covered = (account.role === 'client' ? upTo.clients : upTo.workers).get(account.owner) ?? 0n
  const target = covered < account.total ? covered : account.total
  return target > account.chain ? target : account.chain
}

const totalsOf = ({ total, chain }: Account): { max: bigint; db: bigint; chain: bigint } => ({
  max: total,
  db: total,
  chain,
})
