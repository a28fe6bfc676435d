/**
 * Paying from a node's wallet, each request once: written down, signed, written down, sent, and sent again until the chain
 * shows what became of it. One external message is under way at a time, and a sequence number gets a second message only
 * when the first can have no effect any more.
 */
import { type Address, Cell } from '@ton/core'
import {
  type Clock,
  CocoonError,
  type ErrorCode,
  type Log,
  type Metrics,
  NANO_PER_TON,
  type Random,
  toCocoonError,
  uniform,
} from '../../util/index.ts'
import { MAX_WALLET_MESSAGES, type WalletTransfer } from '../contracts/node-wallet.ts'
import { pause } from '../pause.ts'
import type { AccountState, ChainAccess } from '../reader.ts'
import {
  type SendAttempt,
  type SendJournal,
  type SendOutcome,
  type SendRecord,
  transferRecords,
  transfersDigest,
} from './journal.ts'
import { signAttempt } from './attempt.ts'
import { type NodeWalletKeys, nodePayingWallet, type PayingWallet } from './paying-wallet.ts'
import { judge, type Verdict } from './verdict.ts'

export interface SenderSettings {
  /** Nothing is sent below this. Without: what the wallet itself asks for. */
  readonly floorNano?: bigint
  /** Stays on the wallet after everything else, for fees. */
  readonly reserveNano?: bigint
  /** How long a signed message is good for, in the time of blocks. */
  readonly validForS?: number
  readonly resendMs?: number
  readonly pollMs?: readonly [low: number, high: number]
  /** Messages signed for one request before it is given up. */
  readonly maxAttempts?: number
}

/** A node's wallet by its key and owner, or any wallet. */
export type SenderOptions = SenderSettings & (NodeWalletKeys | { readonly wallet: PayingWallet })

export interface SenderDeps {
  readonly access: ChainAccess
  readonly journal: SendJournal
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
}

export interface SendRequest {
  /** Names the request for ever: the same id is the same request, and is never paid twice. At most 200 characters. */
  readonly id: string
  /** One to four; they leave together or, if some cannot, `failed` says which. */
  readonly transfers: readonly WalletTransfer[]
  /** Ends the waiting only: what was signed may still arrive, and goes on. */
  readonly signal?: AbortSignal
}

export interface WalletSender {
  readonly address: Address
  /**
   * Resolves with what became of it. Throws before anything is signed: `chain.balance`, `chain.wallet`, `chain.code-unknown`,
   * `chain.send-id`, `chain.journal`, `chain.journal-full`; and `chain.closed` when the sender is closed before it is known.
   */
  send(request: SendRequest): Promise<SendOutcome>
  /** What became of the request with this id; null while it is under way, undefined where there was none. */
  outcomeOf(id: string): SendOutcome | null | undefined
  status(): SenderStatus
  /** What is under way stays in the journal and goes on with the next sender. */
  close(): Promise<void>
}

export interface SenderStatus {
  readonly waiting: number
  /** As last read; null before that. */
  readonly balanceNano: bigint | null
  readonly seqno: number | null
  /** Paid for messages since this sender was opened. */
  readonly feesNano: bigint
  readonly lastError: { readonly code: ErrorCode; readonly message: string } | null
}

const DEFAULTS = {
  reserveNano: NANO_PER_TON / 10n,
  validForS: 300,
  resendMs: 30_000,
  pollMs: [4_000, 8_000] as const,
  maxAttempts: 3,
}
const MAX_ID = 200
/** So many at once from an endpoint; one who was away for long reads several times. */
const HISTORY_PART = 1_000

/** Found before anything is signed, and not mended by asking again. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['chain.balance', 'chain.wallet', 'chain.code-unknown'])
/** Nothing may go on when this is seen: the journal is what keeps payments apart. */
const isFatal = (error: CocoonError): boolean => error.code === 'chain.journal' || error.family !== 'chain'

interface Waiter {
  resolve(outcome: SendOutcome): void
  reject(error: unknown): void
}

/** Continues what the journal holds. One sender a wallet: a second one would only spoil both's messages, but pay nothing twice. */
export async function openSender(deps: SenderDeps, options: SenderOptions): Promise<WalletSender> {
  const { access, journal, clock, random } = deps
  const wallet = 'wallet' in options ? options.wallet : nodePayingWallet(options)
  const { address } = wallet
  const settings = { ...DEFAULTS, floorNano: wallet.floorNano, ...options }
  const log = deps.log.with({ wallet: address.toString() })
  const outcomes = deps.metrics.counter('chain_sends_total', 'Requests to pay from the wallet by outcome', ['result'])
  const fees = deps.metrics.counter('chain_fees_nano_total', 'nanoTON paid to the network for sending')

  const records = new Map((await journal.load()).map((record) => [record.id, record]))
  const queue = [...records.values()].filter((r) => r.outcome === null).map((r) => r.id)
  const waiters = new Map<string, Set<Waiter>>()
  const closing = new AbortController()
  const { signal } = closing
  /** Of confirmed readings: a wallet goes forward only. */
  let newest = { lt: 0n, seqno: 0 }
  let status: Omit<SenderStatus, 'waiting'> = { balanceNano: null, seqno: null, feesNano: 0n, lastError: null }
  let broken: CocoonError | null = null
  let working: Promise<void> | null = null

  function kick(): void {
    working ??= work().finally(() => {
      working = null
      if (queue.length > 0 && broken === null && !signal.aborted) kick()
    })
  }

  async function work(): Promise<void> {
    for (let id = queue[0]; id !== undefined && !signal.aborted; id = queue[0]) {
      const record = records.get(id) as SendRecord
      try {
        const outcome = await settle(record)
        await keep({ ...(records.get(id) as SendRecord), outcome })
        finish(id, outcome)
      } catch (error) {
        if (signal.aborted) return
        const problem = toCocoonError(error)
        status = { ...status, lastError: { code: problem.code, message: problem.message } }
        if (REFUSALS.has(problem.code) && records.get(id)?.attempts.length === 0) {
          await forget(id)
          settleWaiters(id, (waiter) => waiter.reject(problem))
        } else if (isFatal(problem)) return breakDown(problem)
        else {
          const what = problem.code === 'chain.journal-full' ? 'the disk' : 'the chain'
          log.warn(`a payment waits for ${what}`, { id, code: problem.code, why: problem.message })
          await pause(clock, uniform(random, ...settings.pollMs), signal).catch(() => {})
        }
      }
    }
  }

  /** Ends with what became of the request; throws what may pass, with nothing lost. */
  async function settle(record: SendRecord): Promise<SendOutcome> {
    let current = record
    let sentAtMs = Number.NEGATIVE_INFINITY
    let rejection: string | undefined
    for (;;) {
      let verdict: Verdict = { is: 'void' }
      if (current.attempts.length > 0) verdict = await look(current, await access.getAccount(address, { signal }))
      if (verdict.is === 'final' || verdict.is === 'void') {
        // Whatever ends a request or begins another message is decided on the best reading there is.
        const account = await confirmedAccount()
        verdict = await look(current, account)
        if (verdict.is === 'void') {
          if (current.attempts.length >= settings.maxAttempts) return expired(current, rejection)
          const attempt = await tryToSign(current, account)
          // The wallet cannot pay any more, and nothing of the request can happen any more.
          if (attempt instanceof CocoonError) return expired(current, attempt.message)
          const afterLt = current.attempts.length === 0 ? account.lastLt : current.afterLt
          current = { ...current, afterLt, attempts: [...current.attempts, attempt] }
          await keep(current)
          sentAtMs = Number.NEGATIVE_INFINITY
          verdict = { is: 'open' }
        }
      }
      if (verdict.is === 'final') return verdict.outcome
      if (verdict.is === 'open' && clock.now() - sentAtMs >= settings.resendMs) {
        sentAtMs = clock.now()
        rejection = (await submit(current)) ?? rejection
      }
      await pause(clock, uniform(random, ...settings.pollMs), signal)
    }
  }

  /** Throws when nothing was signed before: the request was never begun. */
  async function tryToSign(record: SendRecord, account: AccountState): Promise<SendAttempt | CocoonError> {
    try {
      return await signAttempt(record, account, wallet, settings)
    } catch (error) {
      if (record.attempts.length > 0 && error instanceof CocoonError && REFUSALS.has(error.code)) return error
      throw error
    }
  }

  async function confirmedAccount(): Promise<AccountState> {
    const account = await access.getAccount(address, { signal, confirmed: true })
    const seqno = wallet.seqnoOf(account)
    if (account.lastLt < newest.lt || seqno < newest.seqno)
      throw new CocoonError('chain.stale', { message: 'the wallet was read as it was before: an endpoint is behind' })
    newest = { lt: account.lastLt, seqno }
    status = { ...status, balanceNano: account.balanceNano, seqno, lastError: null }
    return account
  }

  async function look(record: SendRecord, account: AccountState): Promise<Verdict> {
    const history: Parameters<typeof judge>[1]['history'][number][] = []
    if (record.attempts.length > 0)
      for (let afterLt = record.afterLt, more = true; more && account.lastLt > afterLt; ) {
        const part = await access.getTransactions(address, { afterLt, limit: HISTORY_PART, until: account, signal })
        history.push(...part.transactions)
        more = part.more
        afterLt = history.at(-1)?.lt ?? afterLt
      }
    return judge(record, { seqno: wallet.seqnoOf(account), atS: account.atMs / 1000, history })
  }

  /** An endpoint's refusal, if that is what all say: words only, the chain decides. */
  async function submit(record: SendRecord): Promise<string | undefined> {
    const attempt = record.attempts.at(-1) as SendAttempt
    try {
      const sent = await access.sendBoc(Cell.fromBase64(attempt.boc), { signal })
      log.debug('a payment was sent', { id: record.id, seqno: attempt.seqno, accepted: sent.accepted })
      return sent.accepted ? undefined : sent.why
    } catch (error) {
      signal.throwIfAborted()
      const { code: problem, message } = toCocoonError(error)
      log.warn('a payment could not be sent now', { id: record.id, code: problem, why: message })
      return undefined
    }
  }

  async function keep(record: SendRecord): Promise<void> {
    await journal.put(record)
    records.set(record.id, record)
  }

  function finish(id: string, outcome: SendOutcome): void {
    queue.shift()
    const feeNano = outcome.result === 'expired' ? 0n : outcome.feeNano
    status = { ...status, feesNano: status.feesNano + feeNano }
    fees.add(Number(feeNano))
    outcomes.add(1, { result: outcome.result })
    log.info('a payment has ended', { id, result: outcome.result, feeNano: feeNano.toString() })
    settleWaiters(id, (waiter) => waiter.resolve(outcome))
  }

  async function forget(id: string): Promise<void> {
    queue.shift()
    records.delete(id)
    await journal.drop(id).catch((error: unknown) => breakDown(toCocoonError(error)))
  }

  function breakDown(error: CocoonError): void {
    broken = error
    log.error('payments have stopped', { code: error.code, why: error.message })
    for (const id of waiters.keys()) settleWaiters(id, (waiter) => waiter.reject(error))
  }

  function settleWaiters(id: string, tell: (waiter: Waiter) => void): void {
    for (const waiter of waiters.get(id) ?? []) tell(waiter)
    waiters.delete(id)
  }

  function waitFor(id: string, abort: AbortSignal | undefined): Promise<SendOutcome> {
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        waiters.get(id)?.delete(waiter)
        reject(abort?.reason as Error)
      }
      if (abort?.aborted === true) return reject(abort.reason as Error)
      abort?.addEventListener('abort', stop, { once: true })
      const done = (): void => abort?.removeEventListener('abort', stop)
      const waiter: Waiter = {
        resolve(outcome) {
          done()
          resolve(outcome)
        },
        reject(error) {
          done()
          reject(error as Error)
        },
      }
      waiters.set(id, (waiters.get(id) ?? new Set()).add(waiter))
    })
  }

  if (queue.length > 0) kick()
  return {
    address,
    async send({ id, transfers, signal: abort }) {
      if (signal.aborted) throw closed()
      if (broken !== null) throw broken
      if (id.length === 0 || id.length > MAX_ID || transfers.length === 0 || transfers.length > MAX_WALLET_MESSAGES)
        throw new CocoonError('bug.send-request', { id: id.slice(0, MAX_ID), transfers: transfers.length })
      const wanted = transferRecords(transfers)
      const known = records.get(id)
      if (known !== undefined) {
        if (transfersDigest(known.transfers) !== transfersDigest(wanted))
          throw new CocoonError('chain.send-id', { id, message: `the id ${id} was used for another payment` })
        return known.outcome ?? waitFor(id, abort)
      }
      const record: SendRecord = { id, transfers: wanted, afterLt: 0n, attempts: [], outcome: null }
      // In memory first, so that the same id a moment later finds it.
      records.set(id, record)
      const outcome = waitFor(id, abort)
      // Nobody may be listening yet when it fails.
      outcome.catch(() => {})
      try {
        await journal.put(record)
      } catch (error) {
        records.delete(id)
        settleWaiters(id, (waiter) => waiter.reject(error))
        throw error
      }
      queue.push(id)
      kick()
      return outcome
    },
    outcomeOf: (id) => records.get(id)?.outcome,
    status: () => ({ ...status, waiting: queue.length }),
    async close() {
      closing.abort(closed())
      await working
      for (const id of waiters.keys()) settleWaiters(id, (waiter) => waiter.reject(closed()))
      await journal.close()
    },
  }
}

const closed = (): CocoonError =>
  new CocoonError('chain.closed', {
    message: 'the sender was closed; what it had begun goes on when it is opened again',
  })

const expired = (record: SendRecord, rejection: string | undefined): SendOutcome => ({
  result: 'expired',
  attempts: record.attempts.length,
  ...(rejection === undefined ? {} : { rejection }),
})
