/** A worker's contracts at its proxies: read now and again, and paid out by the worker itself where plan.ts says so. */
import {
  type Address,
  type ChainAccess,
  type ContractOnChain,
  DEPLOY_NANO,
  EFFECT_MS,
  ORDER_NANO,
  orderTransfer,
  readContract,
  redirectExcesses,
  RENT_FLOOR_NANO,
  type RootParams,
  sendOnce,
  type WalletSender,
  workerStateInit,
} from '../../../chain/index.ts'
import {
  type Clock,
  CocoonError,
  type Log,
  nanoOf,
  type Random,
  type Timer,
  toCocoonError,
  uniform,
} from '../../../util/index.ts'
import { type Collecting, decideCollecting } from './plan.ts'
import type { WorkerChainOptions } from './terms.ts'

export interface WorkerChainDeps {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly access: ChainAccess
  /** Pays the fees. */
  readonly wallet: WalletSender
  /** Is paid, by the proxy contract. */
  readonly owner: Address
  params(): RootParams
}

/** A proxy, and what it has signed for this worker. */
export interface SignedWork {
  readonly contract: Address
  readonly ownContract: Address
  readonly publicKey: Uint8Array
  /** Tokens. */
  readonly signed: bigint
  /** The newest signed payout. */
  readonly payment: Uint8Array | null
}

export interface WorkerChain {
  /** The newest word of a proxy. */
  note(work: SignedWork): void
  /** Tokens paid on the worker's contract; a proxy that has signed for less has lost its books. */
  paid(ownContract: Address): bigint
  status(): readonly WorkerContract[]
  close(): void
}

/** For status pages. */
export interface WorkerContract {
  readonly proxy: Address
  readonly contract: Address
  readonly state: string
  readonly paid: bigint
  readonly signed: bigint
  readonly owedNano: bigint
  /** Of the wallet, for the last payout that the worker submitted itself. */
  readonly transaction: string | null
  readonly lastError: string | null
}

interface Looked {
  work: SignedWork
  readonly params: RootParams
  state: WorkerContract['state']
  paid: bigint
  owedSinceMs: number | null
  /** The last payout that was submitted, and what the contract had paid before it. */
  sent: { readonly atMs: number; readonly paid: bigint } | null
  said: Collecting
  transaction: string | null
  lastError: string | null
}

export function createWorkerChain(deps: WorkerChainDeps, options: WorkerChainOptions): WorkerChain {
  const { clock, random, log, access, wallet } = deps
  const all = new Map<string, Looked>()
  const closing = new AbortController()
  let timer: Timer | undefined

  async function look(looked: Looked): Promise<void> {
    const { work, params } = looked
    const found = await readContract(access, 'worker', work.ownContract, params, { signal: closing.signal })
    const { stored } = found
    looked.state = stored?.state ?? 'absent'
    looked.paid = stored?.tokens ?? 0n
    looked.owedSinceMs = work.signed > looked.paid ? (looked.owedSinceMs ?? clock.now()) : null
    const { sent } = looked
    const isWaiting = sent !== null && sent.paid === looked.paid && clock.now() - sent.atMs < EFFECT_MS
    if (work.payment === null || looked.owedSinceMs === null || isWaiting) return
    const decision = decideCollecting({
      state: stored?.state ?? 'absent',
      signed: work.signed,
      paid: looked.paid,
      pricePerToken: params.pricePerToken,
      workerFeePerToken: params.workerFeePerToken,
      potNano: await pot(work.contract, params),
      owedSinceMs: looked.owedSinceMs,
      nowMs: clock.now(),
      isOutdated: deps.params().paramsVersion !== params.paramsVersion,
      collectAtNano: nanoOf(options.collectAtTon),
      collectAfterMs: options.collectAfterMs,
    })
    if (decision === 'pot-too-small' && looked.said !== decision)
      log.warn('a payout waits: the proxy has not charged its clients yet', { contract: work.ownContract.toString() })
    looked.said = decision
    if (decision === 'collect') await collect(looked, work, found)
  }

  async function pot(proxy: Address, params: RootParams): Promise<bigint> {
    const { account, stored } = await readContract(access, 'proxy', proxy, params, { signal: closing.signal })
    return stored === null ? 0n : account.balanceNano - stored.balance - stored.stake - RENT_FLOOR_NANO
  }

  async function collect(looked: Looked, work: SignedWork, found: ContractOnChain<'worker'>): Promise<void> {
    const { ownContract: to, contract: proxy, publicKey: proxyPublicKey } = work
    const body = redirectExcesses(work.payment as Uint8Array, wallet.address)
    const init = workerStateInit(looked.params, { owner: deps.owner, proxy, proxyPublicKey })
    const order =
      found.stored === null ? { to, body, valueNano: DEPLOY_NANO.worker, init } : { to, body, valueNano: ORDER_NANO }
    // What it was given for stands in the payment: the order needs no number to tell it from others.
    const once = { name: 'collect', receiver: found.account, transfer: () => orderTransfer(order) }
    const waits = { atMs: clock.now(), paid: looked.paid }
    const { hash } = await sendOnce(wallet, once).catch((error: unknown) => {
      if (toCocoonError(error).code === 'chain.refused') looked.sent = waits
      throw error
    })
    looked.sent = { ...waits, atMs: clock.now() }
    looked.transaction = hash
    log.info('a payout was submitted', {
      contract: to.toString(),
      tokens: work.signed - looked.paid,
      transaction: hash,
    })
  }

  async function tick(): Promise<void> {
    for (const looked of all.values())
      try {
        await look(looked)
        looked.lastError = null
      } catch (error) {
        if (closing.signal.aborted) return
        const why = toCocoonError(error)
        if (why.message !== looked.lastError)
          log.warn('a contract could not be looked after', { code: why.code, why: why.message })
        looked.lastError = why.message
      }
    schedule()
  }

  function schedule(): void {
    const { pollMs } = options
    if (!closing.signal.aborted)
      timer = clock.after(uniform(random, (pollMs * 2) / 3, (pollMs * 4) / 3), () => void tick())
  }
  schedule()

  return {
    note(work) {
      const key = work.ownContract.toRawString()
      const looked = all.get(key)
      if (looked !== undefined) {
        if (work.signed > looked.work.signed) looked.work = work
        return
      }
      const nothing = { owedSinceMs: null, transaction: null, lastError: null } as const
      const unread = { state: 'unread', paid: 0n, sent: null, said: 'wait' } as const
      all.set(key, { work, params: deps.params(), ...unread, ...nothing })
    },
    paid: (ownContract) => all.get(ownContract.toRawString())?.paid ?? 0n,
    status: () =>
      [...all.values()].map(({ work, params, state, paid, transaction, lastError }) => ({
        proxy: work.contract,
        contract: work.ownContract,
        state,
        paid,
        signed: work.signed,
        owedNano: work.signed > paid ? (work.signed - paid) * params.workerFeePerToken : 0n,
        transaction,
        lastError,
      })),
    close() {
      timer?.cancel()
      closing.abort(new CocoonError('chain.closed', { message: 'the worker is stopping' }))
    },
  }
}
