/**
 * A client's contracts at its proxies: read now and again, kept funded, charged by the client itself where that frees credit, and
 * closed when the network moves on. Decides nothing: rules are in plan.ts.
 */
import {
  type Address,
  type ChainAccess,
  type ContractOnChain,
  EFFECT_MS,
  pause,
  readContract,
  type RootParams,
  sendOnce,
  type WalletSender,
  type WalletTransfer,
} from '../../../chain/index.ts'
import {
  copyBytes,
  type Clock,
  CocoonError,
  type Log,
  type Random,
  randomUint64,
  type Timer,
  toCocoonError,
  toHex,
  uniform,
} from '../../../util/index.ts'
import type { ContractList } from './contract-list.ts'
import { type OrderContext, registration, transferFor } from './orders.ts'
import { type AccountState, type AccountView, type Order, plan } from './plan.ts'
import type { ClientChainOptions } from './terms.ts'

export interface ClientChainDeps {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly access: ChainAccess
  /** Owns the client's contracts, and pays. */
  readonly wallet: WalletSender
  /** Null where the client has no secret. */
  readonly secretHash: Uint8Array | null
  /** The network's parameters now. */
  params(): RootParams
  /** Remembers contracts over restarts; without one they are looked after as long as the process lives. */
  readonly contracts?: ContractList
  /** nanoTON that the requests of this process can have cost, over all proxies. */
  mostOwedNano(): bigint
}

/** A proxy and the client's contract there. */
export interface ProxyParties {
  readonly contract: Address
  readonly ownContract: Address
  readonly publicKey: Uint8Array
}

export interface ClientChain {
  /** A proxy has introduced itself: from now on the contract there is looked after. */
  meet(proxy: ProxyParties): void
  /** Answers the challenge of a proxy on chain, and deploys the contract if need be. Rejects with `chain.*`. */
  register(proxy: ProxyParties, nonce: bigint): Promise<void>
  /** What the proxy says: used and signed tokens, and the newest signed charge. */
  note(
    proxy: ProxyParties,
    told: { readonly used: bigint; readonly signed: bigint; readonly payment: Uint8Array | null },
  ): void
  /** Takes a proxy's signed refund to the contract, which pays everything out and closes. */
  submitRefund(proxy: ProxyParties, refund: WalletTransfer): Promise<void>
  status(): readonly ClientContract[]
  close(): void
}

/** For status pages. */
export interface ClientContract {
  readonly proxy: Address
  readonly contract: Address
  readonly account: AccountState | null
  /** The newest order, and the wallet's transaction that carried it. */
  readonly order: Order['do'] | 'register' | null
  readonly transaction: string | null
  readonly lastError: string | null
}

interface Looked {
  readonly proxy: ProxyParties
  readonly params: RootParams
  account: AccountState | null
  used: bigint
  /** When this process first heard of it; null before. */
  usedAtFirst: bigint | null
  signed: bigint
  payment: Uint8Array | null
  /** The last times, oldest first. */
  registeredAtMs: readonly number[]
  /** Since when the network has other parameters than this contract. */
  outdatedSinceMs: number | null
  /** The next order of a kind that has just been sent waits for its effect. */
  last: { readonly order: Order['do']; readonly atMs: number } | null
  /** The wallet could not send an order, and trying costs a fee. */
  notBeforeMs: number
  /** The end of what is being done for it, and how much waits for that. */
  turn: Promise<unknown>
  waiting: number
  shown: Pick<ClientContract, 'order' | 'transaction' | 'lastError'>
}

/** A tenth of the stake. */
const OVERCHARGE_SLACK = 10n

export function createClientChain(deps: ClientChainDeps, options: ClientChainOptions): ClientChain {
  const { clock, random, log, access, wallet } = deps
  const accounts = new Map<string, Looked>()
  const closing = new AbortController()
  let timer: Timer | undefined
  let wasOvercharged = false
  let isUnlisted = false

  function lookedAfter(proxy: ProxyParties, params = deps.params()): Looked {
    const key = proxy.ownContract.toRawString()
    let looked = accounts.get(key)
    if (looked === undefined) {
      looked = {
        proxy,
        params,
        account: null,
        used: 0n,
        usedAtFirst: null,
        registeredAtMs: [],
        signed: 0n,
        payment: null,
        outdatedSinceMs: null,
        last: null,
        notBeforeMs: 0,
        turn: Promise.resolve(),
        waiting: 0,
        shown: { order: null, transaction: null, lastError: null },
      }
      accounts.set(key, looked)
      list((contracts) => contracts.add({ proxy, params }))
    }
    return looked
  }

  /** A full disk stops nothing: what could not be written is written with the next look around. */
  function list(change: (contracts: ContractList) => void): void {
    if (deps.contracts === undefined) return
    try {
      change(deps.contracts)
      isUnlisted = false
    } catch (error) {
      const { message } = toCocoonError(error)
      if (!isUnlisted)
        log.error('the list of contracts could not be written; it is tried again: see that the disk has room', {
          why: message,
        })
      isUnlisted = true
    }
  }

  async function read(looked: Looked): Promise<{ readonly found: ContractOnChain<'client'>; account: AccountState }> {
    const { proxy, params } = looked
    const found = await readContract(access, 'client', proxy.ownContract, params, { signal: closing.signal })
    const { stored } = found
    const account: AccountState =
      stored === null
        ? ABSENT
        : {
            state: stored.state,
            balanceNano: stored.balance,
            stakeNano: stored.stake,
            charged: stored.tokensUsed,
            unlockTs: stored.unlockTs,
            secretHash: stored.secretHash,
          }
    looked.account = account
    return { found, account }
  }

  const context = ({ proxy, params, payment }: Looked, queryId: bigint): OrderContext => ({
    queryId,
    wallet: wallet.address,
    params,
    proxy: proxy.contract,
    proxyPublicKey: proxy.publicKey,
    contract: proxy.ownContract,
    secretHash: deps.secretHash,
    payment,
  })

  const viewOf = (looked: Looked, account: AccountState, atMs: number): AccountView => ({
    account,
    used: looked.used,
    signed: looked.signed,
    pricePerToken: looked.params.pricePerToken,
    minStakeNano: looked.params.minClientStakeNano,
    secretHash: deps.secretHash,
    topsUp: options.topUp && !isOvercharged(),
    isLeaving: isLeaving(looked),
    // The contract goes by the chain's clock; ours may be wrong.
    nowS: atMs / 1000,
  })

  /**
   * The proxies' word of what was used is theirs alone; that it cannot be more than all requests together may have cost is ours.
   * Whoever claims more gets no further deposit. Requests of an earlier run that end now are allowed for.
   */
  function isOvercharged(): boolean {
    let [claimedNano, slackNano] = [0n, 0n]
    for (const { used, usedAtFirst, params } of accounts.values()) {
      claimedNano += (used - (usedAtFirst ?? used)) * params.pricePerToken
      slackNano += params.minClientStakeNano / OVERCHARGE_SLACK
    }
    const isOver = claimedNano > deps.mostOwedNano() + slackNano
    if (isOver && !wasOvercharged)
      log.error(
        'proxies claim more than all requests can have cost: nothing more is deposited; leave them and report them',
        {
          claimedNano,
          mostOwedNano: deps.mostOwedNano(),
        },
      )
    wasOvercharged = isOver
    return isOver
  }

  /** The proxy refunds everybody when it moves on; whoever was forgotten helps itself, well before the proxy can leave. */
  function isLeaving(looked: Looked): boolean {
    const { params } = looked
    if (deps.params().paramsVersion === params.paramsVersion) return false
    looked.outdatedSinceMs ??= clock.now()
    const patienceMs = 500 * Math.max(0, params.proxyDelayBeforeCloseS - params.clientDelayBeforeCloseS)
    return clock.now() - looked.outdatedSinceMs > patienceMs
  }

  /** One thing at a time: two that look at once would both find no contract, and both pay for one. */
  function inTurn<T>(looked: Looked, work: () => Promise<T>): Promise<T> {
    looked.waiting++
    const mine = looked.turn.then(work).finally(() => looked.waiting--)
    looked.turn = mine.catch(() => undefined)
    return mine
  }

  function count(looked: Looked): void {
    looked.registeredAtMs = [...looked.registeredAtMs, clock.now()].slice(-MAX_REGISTRATIONS)
  }

  const isUnderWay = ({ last }: Looked, order: Order['do']): boolean =>
    last?.order === order && clock.now() - last.atMs < EFFECT_MS

  async function look(looked: Looked): Promise<void> {
    const { found, account } = await read(looked)
    if (account.state === 'closed') list((contracts) => contracts.remove(looked.proxy.ownContract))
    const order = plan(viewOf(looked, account, found.account.atMs))
    if (order === null) {
      looked.last = null
      return
    }
    if (!isUnderWay(looked, order.do) && clock.now() >= looked.notBeforeMs) await give(looked, order, found)
  }

  /** Once for each state of the contract, whatever becomes of this process. */
  async function give(looked: Looked, order: Order, { account: receiver }: ContractOnChain<'client'>): Promise<void> {
    if (transferFor(order, context(looked, 0n)) === null) return
    const transfer = (queryId: bigint): WalletTransfer => transferFor(order, context(looked, queryId)) as WalletTransfer
    await shown(looked, order.do, () => sendOnce(wallet, { name: `client-${order.do}`, receiver, transfer }))
    looked.last = { order: order.do, atMs: clock.now() }
  }

  async function send(looked: Looked, order: 'register' | 'request-refund', transfer: WalletTransfer): Promise<void> {
    await shown(looked, order, async () => {
      const outcome = await wallet.send({ id: `client-${order}-${toHex(random.bytes(12))}`, transfers: [transfer] })
      if (outcome.result === 'confirmed') return outcome
      throw new CocoonError('chain.refused', {
        message: `${order}: the wallet’s message has ${outcome.result}; it is tried again`,
      })
    })
  }

  async function shown(
    looked: Looked,
    order: NonNullable<ClientContract['order']>,
    work: () => Promise<{ readonly hash: string }>,
  ): Promise<void> {
    looked.shown = { order, transaction: null, lastError: null }
    try {
      const { hash } = await work()
      looked.shown = { ...looked.shown, transaction: hash }
      log.info('an order has left the wallet', {
        order,
        contract: looked.proxy.ownContract.toString(),
        transaction: hash,
      })
    } catch (error) {
      const why = toCocoonError(error)
      looked.shown = { ...looked.shown, lastError: why.message }
      if (why.code === 'chain.refused') looked.notBeforeMs = clock.now() + EFFECT_MS
      throw error
    }
  }

  async function tick(): Promise<void> {
    list((contracts) => contracts.save())
    await Promise.all(
      [...accounts.values()].map((looked) =>
        (looked.waiting > 0 ? Promise.resolve() : inTurn(looked, () => look(looked))).catch((error: unknown) => {
          const why = toCocoonError(error)
          if (closing.signal.aborted) return
          if (why.message !== looked.shown.lastError)
            log.warn('a contract could not be looked after', { code: why.code, why: why.message })
          looked.shown = { ...looked.shown, lastError: why.message }
        }),
      ),
    )
    schedule()
  }

  function schedule(): void {
    const { pollMs } = options
    if (!closing.signal.aborted)
      timer = clock.after(uniform(random, (pollMs * 2) / 3, (pollMs * 4) / 3), () => void tick())
  }
  for (const { proxy, params } of deps.contracts?.all() ?? []) lookedAfter(proxy, params)
  schedule()

  return {
    meet: (proxy) => void lookedAfter(proxy),
    async register(proxy, nonce) {
      const looked = lookedAfter(proxy)
      await pause(clock, registrationPauseMs(looked.registeredAtMs, clock.now()), closing.signal)
      await inTurn(looked, async () => {
        const { found, account } = await read(looked)
        // One that is on its way arrives before what is sent after it.
        const isAbsent = account.state === 'absent' && !isUnderWay(looked, 'deploy')
        const first = isAbsent ? plan(viewOf(looked, account, found.account.atMs)) : null
        if (isAbsent && first === null)
          throw new CocoonError('payment.no-account', {
            message:
              'the client has no contract at this proxy, and client.chain.topUp is off: deposit with `cocoon account top-up`',
          })
        try {
          if (first !== null) await give(looked, first, found)
          await send(looked, 'register', registration(nonce, context(looked, randomUint64(random))))
        } catch (error) {
          // Whatever else went wrong has cost nothing.
          if (toCocoonError(error).code === 'chain.refused') count(looked)
          throw error
        }
        count(looked)
      })
    },
    note(proxy, { used, signed, payment }) {
      const looked = lookedAfter(proxy)
      looked.usedAtFirst ??= used
      if (used > looked.used) looked.used = used
      if (payment === null || signed <= looked.signed) return
      looked.signed = signed
      looked.payment = copyBytes(payment)
    },
    async submitRefund(proxy, refund) {
      const looked = lookedAfter(proxy)
      await inTurn(looked, () => send(looked, 'request-refund', refund))
    },
    status: () =>
      [...accounts.values()].map(({ proxy, account, shown }) => ({
        proxy: proxy.contract,
        contract: proxy.ownContract,
        account,
        ...shown,
      })),
    close() {
      timer?.cancel()
      closing.abort(new CocoonError('chain.closed', { message: 'the client is stopping' }))
    },
  }
}

/** Each registration costs about 0.007 TON: a connection that comes and goes shall not eat the wallet up. */
export function registrationPauseMs(registeredAtMs: readonly number[], nowMs: number): number {
  const lately = registeredAtMs.filter((ms) => nowMs - ms < HOUR_MS).length
  const last = registeredAtMs.at(-1)
  if (last === undefined || lately < FREE_REGISTRATIONS) return 0
  const spacingMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (lately - FREE_REGISTRATIONS))
  return Math.max(0, last + spacingMs - nowMs)
}
const HOUR_MS = 3_600_000
const FREE_REGISTRATIONS = 3
const MAX_REGISTRATIONS = 16
const FIRST_PAUSE_MS = 15_000
const LONGEST_PAUSE_MS = 600_000

const ABSENT: AccountState = {
  state: 'absent',
  balanceNano: 0n,
  stakeNano: 0n,
  charged: 0n,
  unlockTs: 0,
  secretHash: new Uint8Array(32),
}
