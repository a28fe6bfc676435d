/** One kept connection of a worker to one proxy: carries out what session.ts decides, and serves requests when ready. */
import {
  type Address,
  createPaymentVerifier,
  expectAddress,
  formatAddress,
  type RootConfig,
  verifyProxyContract,
  workerContractAddress,
} from '../../chain/index.ts'
import {
  decode,
  decodeIfKnown,
  encode,
  proxyToWorkerMessages,
  proxyToWorkerQueries,
  type SignedPayment,
  workerCompareBalanceWithProxy,
  workerCompareBalanceWithProxyResult,
  workerConnectedToProxy,
  workerConnectToProxy,
  workerEnabledDisabled,
  workerExtendedCompareBalanceWithProxy,
  workerExtendedCompareBalanceWithProxyResult,
  workerPaymentStatus,
  workerProxyHandshakeComplete,
  workerProxyHandshakeCompleted,
  workerUpdatePaymentStatus,
  x1CancelQuery,
  x1WorkerAbilities,
  x1WorkerInstance,
  encodableAbilities,
  x1Claims,
  constructorId,
} from '../../tl/index.ts'
import {
  type Connection,
  createAsker,
  type EvidenceLabel,
  type Link as TransportLink,
  WIRE_STATUS,
} from '../../transport/index.ts'
import {
  copyBytes,
  type Abilities,
  type Clock,
  CocoonError,
  type Log,
  type Random,
  type Timer,
  uniform,
} from '../../util/index.ts'
import type { WorkerChain } from './chain/index.ts'
import type { WorkerOptions } from './options.ts'
import type { Requests } from './requests.ts'
import {
  type KnownProxy,
  NOTHING_REMEMBERED,
  receive,
  type Remembered,
  type SessionInput,
  type SessionView,
  type WorkerSession,
} from './session.ts'

export interface LinkDeps {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly owner: Address
  readonly options: WorkerOptions
  readonly requests: Requests
  /** What each proxy contract has confirmed, kept as long as this process lives. */
  readonly memory: Map<string, ProxyMemory>
  /** Absent in a network without a chain, and where the worker has no wallet. */
  readonly chain?: WorkerChain | undefined
  config(): RootConfig
  /** True while the engine is down or the operator has switched the worker off. */
  disabled(): boolean
  /** What the model can do at the engine, as far as it is known by now. */
  abilities(): Abilities
  /** What this process calls itself at every proxy. */
  readonly instance: Uint8Array
}

/** What a worker remembers of a proxy's contract. */
export interface ProxyMemory {
  readonly contract: Address
  readonly ownContract: Address
  readonly publicKey: Uint8Array
  readonly totals: Remembered
  /** The newest payment signed for us. */
  readonly payment: SignedPayment
}

export interface Link extends TransportLink {
  readonly session: WorkerSession
  readonly evidence: EvidenceLabel
  announceDisabled(disabled: boolean): void
  /** Tells the proxy what the model can do, where it understands that. */
  announceAbilities(): void
  /** Ends the connection; another one is made. */
  leave(why: CocoonError): void
}

/** As many as the largest capacity a worker states would bring at once; only a broken proxy sends more. */
const MAX_EARLY = 1024
const HANDSHAKE_TIMEOUT_MS = 30_000
const STATUS_TIMEOUT_MS = 60_000
/** The acceptor drops a silent peer after a minute; this also brings the newest signed payment. */
const STATUS_EVERY_MS = { low: 10_000, high: 20_000 }

export function openLink(connection: Connection, deps: LinkDeps): Link {
  const log = deps.log.with({ connection: connection.id, proxy: connection.peer.remote })
  let session: WorkerSession = { at: 'registering' }
  /** The connection is to be made anew: the proxy is told to send nothing more on it. */
  let retiring = false
  let statusTimer: Timer | undefined
  /** Requests that came right behind the last answer of the handshake, which is read a moment later. */
  const early: Uint8Array[] = []
  const ask = createAsker(connection, log)
  const handshake = (query: Uint8Array, onAnswer: (answer: Uint8Array) => void): void =>
    ask({ query, timeoutMs: HANDSHAKE_TIMEOUT_MS, onAnswer })
  const verifyPayout = createPaymentVerifier('payout')

  /** Zero for the empty payment, which only a first contact may show. */
  const paymentTotal = (payment: SignedPayment, proxy: KnownProxy): bigint => {
    if (payment._ === 'proxy.signedPaymentEmpty') return 0n
    return verifyPayout(payment.data, { contract: proxy.ownContract, proxyPublicKey: proxy.publicKey }).tokens
  }

  const view: SessionView = {
    isTest: deps.config().params.isTest,
    versions: { min: deps.options.minVersion, max: deps.options.maxVersion },
    contracts(params, workerScAddress) {
      const config = deps.config()
      const contract = verifyProxyContract(config, params)
      const who = { owner: deps.owner, proxy: contract, proxyPublicKey: params.proxyPublicKey }
      return {
        contract,
        ownContract: expectAddress(workerContractAddress(config.params, who), workerScAddress, 'worker_sc_address'),
      }
    },
    remembered: (contract) => deps.memory.get(contract.toRawString())?.totals ?? NOTHING_REMEMBERED,
    paymentTotal,
  }

  function feed(input: SessionInput): void {
    const [next, effects] = receive(session, input, view)
    session = next
    if (session.at === 'closed') throw new CocoonError('protocol.handshake', { message: session.why })
    for (const effect of effects) {
      switch (effect.do) {
        case 'compare': {
          const { chain, db, max } = effect.remembered
          const question = encode(workerCompareBalanceWithProxy, {
            tokensCommittedToBlockchain: chain,
            tokensCommittedToDb: db,
            maxTokens: max,
          })
          handshake(question, (m) => feed({ got: 'compared', result: decode(workerCompareBalanceWithProxyResult, m) }))
          break
        }
        case 'compare-again':
          handshake(
            encode(workerExtendedCompareBalanceWithProxy, { tokensCommittedToDb: effect.db, other: new Uint8Array() }),
            (m) => {
              decode(workerExtendedCompareBalanceWithProxyResult, m)
              feed({ got: 'compared-again' })
            },
          )
          break
        case 'complete':
          handshake(encode(workerProxyHandshakeComplete, { isDisabled: deps.disabled() }), (m) => {
            decode(workerProxyHandshakeCompleted, m)
            feed({ got: 'completed' })
          })
          break
        case 'remember':
          remember(effect.proxy, effect.totals, effect.payment)
          break
        case 'serve':
          log.info('registered at a proxy', {
            version: effect.proxy.version,
            evidence: connection.peer.evidence,
            contract: formatAddress(effect.proxy.ownContract, deps.options.isTestnet),
          })
          if (connection.peer.extended) connection.send(encode(x1WorkerInstance, { instance: deps.instance }))
          announceAbilities()
          connection.send(encode(workerEnabledDisabled, { disabled: deps.disabled() ? 1 : 0 }))
          scheduleStatus()
          for (const message of early.splice(0)) receiveMessage(message)
          break
      }
    }
  }

  function register(): void {
    const { owner, options } = deps
    const { model, coefficient, proxyConnections, maxActiveRequests, minVersion, maxVersion, isTestnet } = options
    const params = {
      flags: 3,
      workerOwnerAddress: formatAddress(owner, isTestnet),
      model,
      coefficient,
      isTest: view.isTest,
      proxyCnt: proxyConnections,
      maxActiveRequests,
      minProtoVersion: minVersion,
      maxProtoVersion: maxVersion,
    }
    handshake(encode(workerConnectToProxy, { params }), (m) => {
      const { params: proxy, workerScAddress } = decode(workerConnectedToProxy, m)
      feed({ got: 'registered', params: proxy, workerScAddress })
    })
  }

  /** First of all, so that the proxy knows it when it is asked for anything. */
  function claim(): void {
    if (connection.peer.extended && connection.ownClaims) connection.send(encode(x1Claims, connection.ownClaims))
  }

  function scheduleStatus(): void {
    statusTimer = deps.clock.after(uniform(deps.random, STATUS_EVERY_MS.low, STATUS_EVERY_MS.high), () => {
      if (session.at !== 'ready') return
      const confirmed = view.remembered(session.proxy.contract)
      ask({
        query: encode(workerUpdatePaymentStatus, {}),
        timeoutMs: STATUS_TIMEOUT_MS,
        onAnswer(answer) {
          const { signedPayment, dbTokens, maxTokens } = decode(workerPaymentStatus, answer)
          update(signedPayment, dbTokens, maxTokens, confirmed)
          scheduleStatus()
        },
      })
    })
  }

  /**
   * Totals only grow. A proxy that goes back on its word is asked to compare again, on a new connection.
   * @param confirmed what it had said before it wrote this. For an answer that is what we knew when we asked: messages
   *   that came right behind the answer are read before it.
   */
  function update(payment: SignedPayment, db: bigint, max: bigint, confirmed?: Remembered): void {
    if (session.at !== 'ready') return
    const { proxy } = session
    const known = view.remembered(proxy.contract)
    const totals: Remembered = { chain: paymentTotal(payment, proxy), db, max }
    if (isBelow(totals, confirmed ?? known))
      throw new CocoonError('protocol.totals-fell', { message: 'the proxy reports lower totals than it has confirmed' })
    if (!isBelow(totals, known)) remember(proxy, totals, payment)
  }

  function remember(proxy: KnownProxy, totals: Remembered, payment: SignedPayment): void {
    const { contract, ownContract, publicKey } = proxy
    const signed = payment._ === 'proxy.signedPayment' ? payment.data : null
    if (deps.chain !== undefined && totals.chain !== deps.memory.get(contract.toRawString())?.totals.chain)
      deps.chain.note({
        contract,
        ownContract,
        publicKey,
        signed: totals.chain,
        payment: signed === null ? null : copyBytes(signed),
      })
    deps.memory.set(contract.toRawString(), {
      contract,
      ownContract,
      publicKey,
      totals,
      payment: payment._ === 'proxy.signedPayment' ? { ...payment, data: copyBytes(payment.data) } : payment,
    })
  }

  function announce(disabled: boolean): void {
    if (session.at === 'ready') connection.send(encode(workerEnabledDisabled, { disabled: disabled ? 1 : 0 }))
  }

  function announceAbilities(): void {
    if (session.at === 'ready' && connection.peer.extended)
      connection.send(encode(x1WorkerAbilities, { abilities: encodableAbilities(deps.abilities()) }))
  }

  claim()
  register()
  return {
    evidence: connection.peer.evidence,
    get session() {
      return session
    },
    get ready() {
      return session.at === 'ready'
    },
    retire() {
      if (!retiring) {
        retiring = true
        announce(true)
      }
      return deps.requests.runningOn(connection.id) === 0
    },
    leave: (why) => connection.close(why),
    announceAbilities,
    announceDisabled: (disabled) => announce(disabled || retiring),
    handler: {
      message(data) {
        if (connection.peer.extended && constructorId(data) === x1CancelQuery.id)
          return deps.requests.cancel(connection.id, decode(x1CancelQuery, data).requestId)
        if (session.at !== 'finishing') return receiveMessage(data)
        if (early.length >= MAX_EARLY)
          throw new CocoonError('protocol.too-early', {
            message: 'the proxy sends requests before the handshake is over',
          })
        early.push(copyBytes(data))
      },
      query(data, reply) {
        if (decodeIfKnown(proxyToWorkerQueries, data) === null) return reply.error(WIRE_STATUS.none, 'Lost promise')
        reply.error(WIRE_STATUS.error, 'cannot change model: no script in config')
      },
      drained: () => deps.requests.drained(connection.id),
      closed(why) {
        statusTimer?.cancel()
        deps.requests.lost(connection.id)
        log.info('the proxy connection ended', { at: session.at, reason: why.code })
        session = { at: 'closed', why: why.code }
      },
    },
  }

  function receiveMessage(data: Uint8Array): void | 'ignored' {
    const message = decodeIfKnown(proxyToWorkerMessages, data)
    if (message === null) return 'ignored'
    switch (message._) {
      case 'proxy.runQueryEx':
      case 'proxy.runQuery': {
        if (session.at !== 'ready') return
        const { query, timeout, requestId } = message
        const { enableDebug = false, privateKey } = message._ === 'proxy.runQueryEx' ? message : {}
        const coefficient = Number(message.coefficient)
        if (!Number.isSafeInteger(coefficient) || coefficient < 0)
          throw new CocoonError('protocol.coefficient', { message: 'bad coefficient value' })
        deps.requests.run(connection, session.proxy.version, {
          query,
          coefficient,
          timeout,
          requestId,
          debug: enableDebug,
          privateKey,
        })
        return
      }
      case 'proxy.workerRequestPayment':
        return update(message.signedPayment, message.dbTokens, message.maxTokens)
      case 'proxy.signedPayment': {
        const known = session.at === 'ready' ? view.remembered(session.proxy.contract) : null
        return known === null ? undefined : update(message, known.db, known.max)
      }
      case 'proxy.signedPaymentEmpty':
        return
    }
  }
}

const isBelow = (a: Remembered, b: Remembered): boolean => a.chain < b.chain || a.db < b.db || a.max < b.max
