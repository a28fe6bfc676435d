/**
 * A proxy contract and its ledger, kept in step: the contract's history is read, checkpoints are sent and waited for, clients are
 * charged and workers paid. Decides nothing: what is due is in plan.ts and checkpoints.ts. docs/payments.md has the picture.
 */
import {
  type AccountState,
  type Address,
  buildSaveState,
  EMPTY_CELL,
  type ChainAccess,
  CHECKPOINT_NANO,
  DEPLOY_NANO,
  encodeParams,
  orderTransfer,
  pause,
  type ProxyState,
  proxyStateInit,
  readContract,
  RENT_FLOOR_NANO,
  type RootParams,
  sendOnce,
  type SigningKey,
  signPayment,
  type WalletSender,
} from '../../../chain/index.ts'
import type { Commitment, Ledger, OwnerKey } from '../../../ledger/index.ts'
import {
  type Clock,
  CocoonError,
  formatTon,
  type Log,
  nanoOf,
  type Random,
  randomUint64,
  type Timer,
  toCocoonError,
  uniform,
} from '../../../util/index.ts'
import {
  type Checkpoints,
  confirm,
  decodeCheckpoints,
  encodeCheckpoints,
  isCheckpointDue,
  issue,
  NO_CHECKPOINTS,
  type SentCheckpoint,
} from './checkpoints.ts'
import { type HistoryEvent, readEvents } from './history.ts'
import { transferFor } from './orders.ts'
import { isDrained, plan, type PlanView } from './plan.ts'
import { createSettling, type Extra, type Settlement } from './settling.ts'
import { behindChain, createStandings, type KnownClient, type Standings } from './standings.ts'
import type { ProxyChainOptions } from './terms.ts'

export interface ProxyChainDeps {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly ledger: Ledger
  readonly access: ChainAccess
  /** Pays for the proxy's orders; its checkpoints are the only ones that count. */
  readonly wallet: WalletSender
  readonly key: SigningKey
  readonly owner: Address
  readonly root: Address
  readonly params: RootParams
  readonly contract: Address
  /** More may be signed than before. */
  onSignable?(): void
  /** The contract is left for good: everybody gets what is theirs, then it is closed. */
  readonly isDraining?: boolean
}

export interface ProxyChain {
  /**
   * Resolves when the contract is there, its history is known and this run's first checkpoint stands in it. Waits through failing
   * endpoints and an empty wallet, and says so in the log; throws `config.ledger-behind-chain` and what `signal` says.
   */
  open(signal: AbortSignal): Promise<void>
  /** Reads a client's contract and sets its funds. Throws `chain.*`. */
  meetClient(owner: OwnerKey): Promise<KnownClient>
  client(owner: OwnerKey): KnownClient | undefined
  /** Calls `seen` when the owner's contract has told this challenge. The result stops it. */
  expectRegistration(owner: OwnerKey, nonce: bigint, seen: () => void): () => void
  /**
   * Promises the client its rest: nothing new is used from here on, across restarts too. Resolves with a signed refund once
   * all that was used may be signed; null while requests run.
   */
  grantRefund(owner: OwnerKey): Promise<Uint8Array | null>
  /** Why the proxy must not serve; null while all is well. */
  trouble(): CocoonError | null
  /** Resolves when a draining contract has nothing left to do. */
  readonly drained: Promise<void>
  status(): ProxyChainStatus
  /** Resolves when nothing is written to the ledger any more: then another may go on with it. */
  close(): Promise<void>
}

export interface ProxyChainStatus {
  readonly contract: Address
  readonly state: ProxyState['state'] | 'absent'
  readonly balanceNano: bigint
  readonly stakeNano: bigint
  readonly potNano: bigint
  readonly wallet: Address
  readonly walletNano: bigint | null
  readonly feesNano: bigint
  readonly checkpoint: number
  readonly settlements: readonly Settlement[]
  readonly lastError: string | null
}

/** Old contracts are wound up under the parameters they were made with. */
export const PARAMS_FACT = 'chain.params'
/** Set when nothing is left to do at the contract. */
export const DRAINED_FACT = 'chain.drained'
const FACT = {
  chain: 'chain.zeroState',
  cursor: 'chain.cursor',
  checkpoints: 'chain.checkpoints',
  refund: (o: OwnerKey) => `refund.${o}`,
}
/** Contracts that nothing is known of are read in small portions: endpoints answer some times a second. */
const READS_AT_ONCE = 10
/** A contract that nobody may act on is looked at again after this. */
const LEFT_ALONE_MS = 600_000

export function createProxyChain(deps: ProxyChainDeps, options: ProxyChainOptions): ProxyChain {
  const { clock, random, log, ledger, access, wallet, key, params, contract } = deps
  const { isDraining = false } = deps
  const session = random.bytes(32)
  const closing = new AbortController()
  const who = { params, proxy: contract, proxyPublicKey: key.publicKey, wallet: wallet.address }
  const standings: Standings = createStandings({
    reader: access,
    ledger,
    params,
    contract,
    publicKey: key.publicKey,
    signal: closing.signal,
    isLeaving: (owner) => ledger.fact(FACT.refund(owner)) !== undefined,
  })
  const settling = createSettling({
    clock,
    random,
    log,
    wallet,
    transfer: (order) => transferFor(order, { random, key, params, contract, wallet: wallet.address, standings }),
  })
  const registrations = new Map<bigint, { readonly owner: OwnerKey; readonly seen: () => void }>()
  const refunds = new Map<OwnerKey, (() => void)[]>()
  /** What a checkpoint of this run covers; those of earlier runs are forgotten, the first one of this run covers it all. */
  const covered = new Map<number, Commitment>()
  const leftAloneUntilMs = new Map<OwnerKey, number>()
  let checkpoints: Checkpoints = NO_CHECKPOINTS
  let own: { readonly account: AccountState; readonly state: ProxyState } | null = null
  let isOpen = false
  let failure: CocoonError | null = null
  let lastError: CocoonError | null = null
  let lastCheckpointMs = Number.NEGATIVE_INFINITY
  let unsignedSinceMs: number | null = null
  let isCheckpointSent = false
  /** Written down, and its message can never arrive: the next one takes its number. */
  let unsent: SentCheckpoint | null = null
  let timer: Timer | undefined
  let working: Promise<void> = Promise.resolve()
  let finishDraining = (): void => undefined
  const drained = new Promise<void>((resolve) => (finishDraining = resolve))

  const cursor = (): bigint => BigInt(ledger.fact(FACT.cursor) ?? '0')

  /** One look at the chain and everything that follows from it. */
  async function look(): Promise<AccountState> {
    const { account, stored } = await readContract(access, 'proxy', contract, params, { signal: closing.signal })
    own = stored === null ? null : { account, state: stored }
    if (own !== null) await follow(account)
    return account
  }

  async function follow(account: AccountState): Promise<void> {
    for (let more = account.lastLt > cursor(); more; ) {
      const part = await readEvents(access, account, cursor(), who, closing.signal)
      let next = checkpoints
      for (const told of part.events) next = await take(told, next)
      await ledger.remember({ [FACT.cursor]: part.upTo.toString(), [FACT.checkpoints]: encodeCheckpoints(next) })
      checkpoints = next
      more = part.more
    }
  }

  async function take({ event, lt }: HistoryEvent, known: Checkpoints): Promise<Checkpoints> {
    if (event.kind === 'saveState') {
      const { seqno, sessionHash } = event
      const left = confirm(known, { seqno, session: sessionHash })
      if (left === null) throw behindChain(`its checkpoint ${seqno} stands on chain, and the ledger never sent it`)
      await confirmed(seqno)
      return left
    }
    const owner: OwnerKey = event.owner.toRawString()
    const before = event.kind === 'client' ? standings.client(owner) : standings.worker(owner)
    standings.tell(event, lt)
    const after = event.kind === 'client' ? standings.client(owner) : standings.worker(owner)
    if (before !== undefined && after !== undefined && after.tokens < before.tokens) settling.cameBack(owner)
    else if (before?.tokens !== after?.tokens || before?.state !== after?.state) settling.landed(event.kind, owner)
    if (event.kind === 'client' && event.nonce !== null) {
      const waiting = registrations.get(event.nonce)
      if (waiting?.owner === owner) {
        registrations.delete(event.nonce)
        waiting.seen()
      }
    }
    return known
  }

  async function confirmed(seqno: number): Promise<void> {
    isCheckpointSent = false
    const commitment = covered.get(seqno)
    for (const older of [...covered.keys()].filter((n) => n <= seqno)) covered.delete(older)
    if (commitment === undefined) return
    await ledger.commit(commitment)
    unsignedSinceMs = null
    log.info('a checkpoint is on chain: what it covers may be signed', { seqno })
    deps.onSignable?.()
    for (const [owner, waiting] of refunds) if (isSettled(owner)) for (const wake of waiting.splice(0)) wake()
  }

  function unsignedNano(): bigint {
    const tokens = ledger.clients().reduce((sum, { totals }) => sum + totals.db - totals.chain, 0n)
    return tokens * params.pricePerToken
  }

  /** A number is written down before it is sent; what it covers is what is durable now. */
  async function checkpoint(): Promise<Extra> {
    const [next, sent] = unsent === null ? issue(checkpoints, session) : [checkpoints, unsent]
    const commitment: Commitment = {
      clients: new Map(ledger.clients().map((c) => [c.owner, c.totals.db])),
      workers: new Map(ledger.workers().map((w) => [w.owner, w.totals.db])),
    }
    await ledger.remember({ [FACT.checkpoints]: encodeCheckpoints(next) })
    checkpoints = next
    unsent = null
    covered.set(sent.seqno, commitment)
    lastCheckpointMs = clock.now()
    isCheckpointSent = true
    const body = buildSaveState(randomUint64(random), sent.seqno, sent.session)
    return {
      transfer: orderTransfer({ to: contract, body, valueNano: CHECKPOINT_NANO }),
      settlement: { do: 'checkpoint', tokens: null },
      ended(hasLeft) {
        if (hasLeft) return
        isCheckpointSent = false
        unsent = sent
      },
    }
  }

  function isDue(): boolean {
    const unsigned = unsignedNano()
    if (unsigned === 0n && ledger.clients().every((c) => c.totals.db === c.totals.chain)) unsignedSinceMs = null
    else unsignedSinceMs ??= clock.now()
    return isCheckpointDue(
      {
        unsignedNano: unsigned,
        sinceMs: unsignedSinceMs,
        lastSentMs: lastCheckpointMs,
        nowMs: clock.now(),
        isUrgent: isDraining || refunds.size > 0 || ledger.clients().some((c) => c.funds.isClosing === true),
      },
      {
        everyMs: options.checkpointEveryMs,
        atNano: nanoOf(options.checkpointAtTon),
        afterMs: options.checkpointAfterMs,
      },
    )
  }

  /** Settled totals whose contract nobody has looked at in this run. */
  async function readUnknown(): Promise<void> {
    const isDue = (owner: OwnerKey): boolean => (leftAloneUntilMs.get(owner) ?? 0) <= clock.now()
    const clients = ledger.clients().filter((c) => c.totals.chain > 0n && standings.client(c.owner) === undefined)
    const workers = ledger.workers().filter((w) => w.totals.chain > 0n && standings.worker(w.owner) === undefined)
    const dueClients = clients.filter((c) => isDue(c.owner)).slice(0, READS_AT_ONCE)
    const dueWorkers = workers.filter((w) => isDue(w.owner)).slice(0, READS_AT_ONCE)
    await Promise.all(dueClients.map((c) => readApart(c.owner, standings.readClient)))
    await Promise.all(dueWorkers.map((w) => readApart(w.owner, standings.readWorker)))
    // A contract that says nothing of an order it was sent is looked at directly.
    for (const order of settling.overdue()) {
      if (!('owner' in order) || !isDue(order.owner)) continue
      const isClient = order.do === 'charge' || order.do === 'grant'
      const before = isClient ? standings.client(order.owner) : standings.worker(order.owner)
      const after = await readApart(order.owner, isClient ? standings.readClient : standings.readWorker)
      if (after !== null && (before?.tokens !== after.tokens || before?.state !== after.state))
        settling.landed(isClient ? 'client' : 'worker', order.owner)
    }
  }

  /** Null for a contract that nobody may act on: whoever let theirs freeze keeps nobody else from what is theirs. */
  async function readApart<T>(owner: OwnerKey, read: (owner: OwnerKey) => Promise<T>): Promise<T | null> {
    try {
      return await read(owner)
    } catch (error) {
      const why = toCocoonError(error)
      if (why.code !== 'chain.frozen' && why.code !== 'chain.contract-code') throw error
      leftAloneUntilMs.set(owner, clock.now() + LEFT_ALONE_MS)
      log.warn('a contract is left alone for a while', { owner, code: why.code, why: why.message })
      return null
    }
  }

  function viewNow(at: NonNullable<typeof own>): PlanView {
    const { account, state } = at
    const potNano = account.balanceNano - state.balance - state.stake - RENT_FLOOR_NANO
    return {
      proxy: { state: state.state, balanceNano: state.balance, potNano: max(potNano, 0n), unlockTs: state.unlockTs },
      clients: ledger.clients().flatMap(({ owner, totals, running }) => {
        const known = standings.client(owner)
        return known === undefined ? [] : [{ ...known, owner, signable: totals.chain, used: totals.max, running }]
      }),
      workers: ledger.workers().flatMap(({ owner, totals }) => {
        const known = standings.worker(owner)
        return known === undefined ? [] : [{ ...known, owner, signable: totals.chain, earned: totals.max }]
      }),
      terms: {
        pricePerToken: params.pricePerToken,
        workerFeePerToken: params.workerFeePerToken,
        chargeAtNano: nanoOf(options.chargeAtTon),
        payoutAtNano: nanoOf(options.payoutAtTon),
        withdrawAtNano: nanoOf(options.withdrawAtTon),
      },
      isDraining: isDraining || state.state !== 'normal',
      nowS: account.atMs / 1000,
    }
  }

  async function act(at: NonNullable<typeof own>): Promise<void> {
    await readUnknown()
    const view = viewNow(at)
    if (isDraining && view.proxy.state === 'closed' && isDrained(view)) {
      await ledger.remember({ [DRAINED_FACT]: clock.now().toString() })
      finishDraining()
    }
    if (settling.isBusy || wallet.status().waiting > 0 || ledger.trouble() !== null) return
    if (closing.signal.aborted) return
    const extra = !isCheckpointSent && isDue() ? await checkpoint() : null
    settling.send(plan(view), extra)
  }

  async function tick(): Promise<void> {
    try {
      await look()
      if (own !== null && isOpen) await act(own)
      lastError = null
    } catch (error) {
      fail(error)
    }
    schedule()
  }

  function fail(error: unknown): void {
    if (closing.signal.aborted) return
    const why = toCocoonError(error)
    if (why.code === 'config.ledger-behind-chain' || why.family === 'bug') {
      failure = why
      log.error('this proxy stops serving and signs nothing more', { code: why.code, why: why.message })
    } else if (lastError?.code !== why.code)
      log.warn('the proxy contract could not be read; what is known stays in force', {
        code: why.code,
        why: why.message,
      })
    lastError = why
  }

  function schedule(): void {
    if (closing.signal.aborted || failure !== null) return
    const { pollMs } = options
    timer = clock.after(uniform(random, (pollMs * 2) / 3, (pollMs * 4) / 3), () => {
      working = tick()
    })
  }

  async function deploy(receiver: AccountState, signal: AbortSignal): Promise<void> {
    const init = proxyStateInit(params, { owner: deps.owner, publicKey: key.publicKey, root: deps.root })
    const transfer = orderTransfer({ to: contract, body: EMPTY_CELL, valueNano: DEPLOY_NANO.proxy, init })
    const order = { name: 'proxy-deploy', receiver, transfer: () => transfer }
    await untilPaid(() => sendOnce(wallet, order, signal), signal)
  }

  /** Once for each id. */
  const send = (id: string, transfer: Extra['transfer'], signal: AbortSignal): Promise<void> =>
    untilPaid(async () => {
      const outcome = await wallet.send({ id, transfers: [transfer], signal })
      if (outcome.result === 'confirmed') return
      throw new CocoonError('chain.refused', { message: `${id} has ${outcome.result}: look at the wallet’s history` })
    }, signal)

  /** Waits until the wallet can pay, and says so. */
  async function untilPaid(pay: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        await pay()
        return
      } catch (error) {
        const why = toCocoonError(error)
        if (why.code !== 'chain.balance') throw error
        lastError = why
        log.warn('waiting for TON on the wallet', { why: why.message })
        await pause(clock, options.pollMs, signal)
      }
    }
  }

  /** A local chain that was begun anew has the same addresses, and none of the history that the ledger goes by. */
  async function expectSameChain(signal: AbortSignal): Promise<void> {
    const [now, before] = [await access.zeroState({ signal }), ledger.fact(FACT.chain)]
    if (before === undefined) await ledger.remember({ [FACT.chain]: now })
    else if (before !== now)
      throw new CocoonError('config.ledger-other-chain', {
        message: `the ledger of the proxy contract ${contract.toString()} was kept on another chain than the one that answers now (a local chain that was deleted?): bring that chain back, or move the ledger away to start from zero`,
      })
  }

  const patiently = async (work: () => Promise<boolean>, signal: AbortSignal): Promise<void> => {
    for (;;) {
      try {
        if (await work()) return
        lastError = null
      } catch (error) {
        if (toCocoonError(error).family !== 'chain') throw error
        fail(error)
      }
      await pause(clock, options.pollMs, signal)
    }
  }

  const isSettled = (owner: OwnerKey): boolean => {
    const account = ledger.client(owner)
    return account !== undefined && account.running === 0 && account.totals.chain === account.totals.max
  }

  async function open(signal: AbortSignal): Promise<void> {
    checkpoints = decodeCheckpoints(ledger.fact(FACT.checkpoints) ?? encodeCheckpoints(NO_CHECKPOINTS))
    const until = AbortSignal.any([signal, closing.signal])
    if (ledger.fact(PARAMS_FACT) === undefined) await ledger.remember({ [PARAMS_FACT]: encodeParams(params) })
    let isDeploying = false
    await patiently(async () => {
      await expectSameChain(until)
      const account = await look()
      if (own === null && !isDeploying) log.info('deploying the proxy contract', { contract: contract.toString() })
      isDeploying = true
      // Given again while it is on its way, it is the same order.
      if (own === null) await deploy(account, until)
      return own !== null
    }, until)
    if (isDraining) {
      isOpen = true
      return tick()
    }
    // Whoever else holds this key would have put a checkpoint there as well, and one of the two is refused.
    const first = await checkpoint()
    await send(`session-${randomUint64(random).toString(16)}`, first.transfer, until)
    const seqno = checkpoints.seqno
    await patiently(async () => {
      await look()
      return checkpoints.pending.every((p) => p.seqno !== seqno)
    }, until)
    isOpen = true
    log.info('the proxy contract is ready', {
      contract: contract.toString(),
      wallet: wallet.address.toString(),
      walletTon: formatTon(wallet.status().balanceNano ?? 0n),
    })
    await tick()
  }

  return {
    open: (signal) => (working = open(signal)),
    async meetClient(owner) {
      const known = standings.client(owner)
      return known === undefined || known.state === 'absent' ? standings.readClient(owner) : known
    },
    client: (owner) => standings.client(owner),
    expectRegistration(owner, nonce, seen) {
      registrations.set(nonce, { owner, seen })
      return () => registrations.delete(nonce)
    },
    async grantRefund(owner) {
      const account = ledger.client(owner)
      if (account === undefined || account.running > 0) return null
      await ledger.remember({ [FACT.refund(owner)]: clock.now().toString() })
      standings.refresh(owner)
      if (!isSettled(owner))
        await new Promise<void>((resolve) => refunds.set(owner, [...(refunds.get(owner) ?? []), resolve]))
      refunds.delete(owner)
      const tokens = ledger.client(owner)?.totals.chain ?? 0n
      const payment = { kind: 'refund', contract: standings.clientContract(owner), tokens } as const
      return signPayment(payment, key, wallet.address, randomUint64(random))
    },
    trouble() {
      if (failure !== null) return failure
      if (!isOpen)
        return (
          lastError ??
          new CocoonError('chain.stale', { message: 'the proxy contract is being opened; this takes some blocks' })
        )
      if (own !== null && own.state.state !== 'normal')
        return new CocoonError('chain.refused', {
          message: `the proxy contract is ${own.state.state}: this proxy takes part again with new parameters of the network, or with a new key`,
        })
      return null
    },
    drained,
    status: () => ({
      contract,
      state: own?.state.state ?? 'absent',
      balanceNano: own?.state.balance ?? 0n,
      stakeNano: own?.state.stake ?? 0n,
      potNano: own === null ? 0n : viewNow(own).proxy.potNano,
      wallet: wallet.address,
      walletNano: wallet.status().balanceNano,
      feesNano: wallet.status().feesNano,
      checkpoint: checkpoints.seqno,
      settlements: settling.recent(),
      lastError: (failure ?? lastError ?? settling.lastError)?.message ?? null,
    }),
    async close() {
      timer?.cancel()
      closing.abort(new CocoonError('chain.closed', { message: 'the proxy is stopping' }))
      await working.catch(() => undefined)
    },
  }
}

const max = (a: bigint, b: bigint): bigint => (a > b ? a : b)
