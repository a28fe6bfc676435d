/** One kept connection of a client to one proxy: carries out what session.ts decides; when ready, carries requests. */
import {
  type Address,
  clientContractAddress,
  expectAddress,
  createPaymentVerifier,
  ORDER_NANO,
  orderTransfer,
  redirectExcesses,
  verifyPayment,
  formatAddress,
  type RootConfig,
  verifyProxyContract,
} from '../../chain/index.ts'
import {
  authorizationResults,
  clientAuthorizeWithProxyLong,
  clientAuthorizeWithProxyShort,
  clientConnectedToProxy,
  clientConnectToProxy,
  clientGetWorkerTypes,
  clientGetWorkerTypesV2,
  clientPaymentStatus,
  clientRefunds,
  clientRequestRefund,
  clientUpdatePaymentStatus,
  clientWorkerTypes,
  clientWorkerTypesV2,
  constructorId,
  decode,
  decodeIfKnown,
  decodeOneOf,
  encode,
  proxyToClientMessages,
  type SignedPayment,
  X1_CHARGE_RUNS,
  x1Charges,
  x1ClientAnswer,
  x1ClientPatience,
  x1GetCharges,
  x1GetOffers,
  x1Offers,
  x1RequestStory,
} from '../../tl/index.ts'
import { type Connection, createAsker, type Link as TransportLink, WIRE_STATUS } from '../../transport/index.ts'
import {
  type Clock,
  CocoonError,
  fromHex,
  type Log,
  type Random,
  reveal,
  type Secret,
  type Timer,
  toCocoonError,
  toHex,
  uniform,
  utf8,
} from '../../util/index.ts'
import type { ClientChain } from './chain/index.ts'
import type { RecalledCharges } from './inference.ts'
import { offersFrom, type ToldModel } from './offers.ts'
import type { ClientOptions } from './options.ts'
import type { Requests } from './requests.ts'
import { createWorkerProofs, type JudgedWorker, type WorkerJudge } from './worker-proofs.ts'
import { type KnownProxy, receive, type Session, type SessionInput, type SessionView } from './session.ts'

export interface LinkDeps {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** The account that pays; its contract is derived from it. */
  readonly owner: Address
  /** What short authorization reveals; empty only in networks without money. */
  readonly secret: Secret<string>
  readonly secretHash: Uint8Array
  readonly options: ClientOptions
  readonly requests: Requests
  readonly memory: Map<string, ProxyMemory>
  /** Absent in a network without a chain. */
  readonly chain?: ClientChain | undefined
  /** Absent where nobody looks at workers. */
  readonly workerJudge?: WorkerJudge | undefined
  config(): RootConfig
  /** A ready proxy went. */
  lost(): void
}

/** What a client knows of its account at one proxy. */
export interface ProxyMemory {
  readonly contract: Address
  readonly ownContract: Address
  readonly publicKey: Uint8Array
  /** Adjusted tokens: signed for, written down, metered. */
  readonly chain: bigint
  readonly db: bigint
  readonly max: bigint
}

export interface Link extends TransportLink {
  /** It is to be made anew: others are chosen where there are any. */
  readonly retiring: boolean
  readonly connection: Connection
  readonly session: Session
  /** Who works behind this proxy, as far as it was looked at. */
  readonly workers: readonly JudgedWorker[]
  /** Throws `capacity.no-proxy` before ready. */
  models(): Promise<readonly ToldModel[]>
  /** Throws `capacity.no-proxy` before ready, `request.unsupported` where the proxy keeps none. */
  charges(names: readonly string[]): Promise<RecalledCharges>
  /**
   * Asks for the rest of the account, and takes the proxy's signed word to the contract, which pays it out and closes. Throws
   * `payment.in-use` while requests of ours run there.
   */
  leave(): Promise<void>
}

const HANDSHAKE_TIMEOUT_MS = 30_000
/** Long authorization waits for several blocks. */
const AUTHORIZE_TIMEOUT_MS = 300_000
const STATUS_TIMEOUT_MS = 60_000
const MODELS_TIMEOUT_MS = 10_000
const STATUS_EVERY_MS = { low: 10_000, high: 20_000 }

export function openLink(connection: Connection, deps: LinkDeps): Link {
  const { options } = deps
  const log = deps.log.with({ connection: connection.id, proxy: connection.peer.remote })
  let session: Session = { at: 'greeting' }
  let retiring = false
  let isOlder = false
  let statusTimer: Timer | undefined
  const ask = createAsker(connection, log)
  const proofs = deps.workerJudge && createWorkerProofs(connection, { clock: deps.clock, log, judge: deps.workerJudge })
  const verifyCharge = createPaymentVerifier('charge')

  const view: SessionView = {
    isTest: deps.config().params.isTest,
    versions: { min: options.minVersion, max: options.maxVersion },
    secretHash: deps.secretHash,
    mayRevealSecret: reveal(deps.secret) !== '' || (deps.chain === undefined && deps.config().params.isTest),
    contracts(params, clientScAddress) {
      const config = deps.config()
      const contract = verifyProxyContract(config, params)
      const who = { owner: deps.owner, proxy: contract, proxyPublicKey: params.proxyPublicKey }
      return {
        contract,
        ownContract: expectAddress(clientContractAddress(config.params, who), clientScAddress, 'client_sc_address'),
      }
    },
  }

  function feed(input: SessionInput): void {
    const [next, effects] = receive(session, input, view)
    session = next
    if (session.at === 'closed') throw new CocoonError('protocol.handshake', { message: session.why })
    for (const effect of effects) {
      switch (effect.do) {
        case 'authorize-short':
          authorize(encode(clientAuthorizeWithProxyShort, { data: utf8(reveal(deps.secret)) }))
          break
        case 'authorize-long':
          register(effect.nonce)
          authorize(encode(clientAuthorizeWithProxyLong, {}))
          break
        case 'serve':
          log.info('connected to a proxy', {
            version: effect.proxy.version,
            evidence: connection.peer.evidence,
            contract: formatAddress(effect.proxy.ownContract, options.isTestnet),
          })
          if (connection.peer.extended)
            connection.send(encode(x1ClientPatience, { lostWorkerMs: options.reconnectWaitMs }))
          scheduleStatus()
          proofs?.start()
          break
      }
    }
  }

  /** The proxy waits for a message of our wallet; it comes some blocks later than the question. */
  function register(nonce: bigint): void {
    if (deps.chain === undefined || session.at !== 'authorizing') return
    log.info('registering on chain: this takes some blocks', {
      contract: formatAddress(session.proxy.ownContract, options.isTestnet),
    })
    deps.chain.register(session.proxy, nonce).catch((error: unknown) => connection.close(toCocoonError(error)))
  }

  function authorize(query: Uint8Array): void {
    ask({
      query,
      timeoutMs: AUTHORIZE_TIMEOUT_MS,
      onAnswer(answer) {
        const result = decodeOneOf(authorizationResults, answer)
        feed({ got: 'authorized', result })
        if (session.at === 'ready') deps.chain?.meet(session.proxy)
        if (result._ === 'client.authorizationWithProxySuccess')
          remember(result.signedPayment, result.tokensCommittedToDb, result.maxTokens)
      },
    })
  }

  function introduce(): void {
    const params = {
      flags: 3,
      clientOwnerAddress: formatAddress(deps.owner, options.isTestnet),
      isTest: view.isTest,
      minProtoVersion: options.minVersion,
      maxProtoVersion: options.maxVersion,
    }
    ask({
      query: encode(clientConnectToProxy, { params, minConfigVersion: deps.config().version }),
      timeoutMs: HANDSHAKE_TIMEOUT_MS,
      onAnswer: (answer) => feed({ got: 'connected', answer: decode(clientConnectedToProxy, answer) }),
    })
  }

  function scheduleStatus(): void {
    statusTimer = deps.clock.after(uniform(deps.random, STATUS_EVERY_MS.low, STATUS_EVERY_MS.high), () => {
      ask({
        query: encode(clientUpdatePaymentStatus, {}),
        timeoutMs: STATUS_TIMEOUT_MS,
        onAnswer(answer) {
          const { signedPayment, dbTokens, maxTokens } = decode(clientPaymentStatus, answer)
          remember(signedPayment, dbTokens, maxTokens)
          scheduleStatus()
        },
      })
    })
  }

  function remember(payment: SignedPayment, db: bigint, max: bigint): void {
    if (session.at !== 'ready') return
    const { proxy } = session
    const { contract, ownContract, publicKey } = proxy
    const chain = paymentTotal(payment, proxy)
    deps.memory.set(contract.toRawString(), { contract, ownContract, publicKey, chain, db, max })
    deps.chain?.note(proxy, {
      used: max,
      signed: chain,
      payment: payment._ === 'proxy.signedPayment' ? payment.data : null,
    })
  }

  function paymentTotal(payment: SignedPayment, proxy: KnownProxy): bigint {
    if (payment._ === 'proxy.signedPaymentEmpty') return 0n
    return verifyCharge(payment.data, { contract: proxy.ownContract, proxyPublicKey: proxy.publicKey }).tokens
  }

  introduce()
  return {
    connection,
    get session() {
      return session
    },
    get workers() {
      return proofs?.workers ?? []
    },
    get ready() {
      return session.at === 'ready'
    },
    get retiring() {
      return retiring
    },
    retire() {
      retiring = true
      return deps.requests.runningOn(connection.id) === 0
    },
    async leave() {
      if (session.at !== 'ready' || deps.chain === undefined)
        throw new CocoonError('capacity.no-proxy', { message: 'no proxy is connected, or the network has no chain' })
      const { proxy } = session
      const answer = await connection.query(encode(clientRequestRefund, {}), { timeoutMs: AUTHORIZE_TIMEOUT_MS })
      const refund = decodeOneOf(clientRefunds, answer)
      if (refund._ === 'client.refundRejected')
        throw new CocoonError('payment.in-use', {
          message: `the proxy refunds nothing while ${refund.activeQueries} requests run: wait for them, then ask again`,
        })
      const to = proxy.ownContract
      verifyPayment(refund.data, { kind: 'refund', contract: to, proxyPublicKey: proxy.publicKey })
      const body = redirectExcesses(refund.data, deps.owner)
      await deps.chain.submitRefund(proxy, orderTransfer({ to, body, valueNano: ORDER_NANO }))
    },
    async models() {
      if (session.at !== 'ready') throw new CocoonError('capacity.no-proxy', { message: 'no proxy is connected' })
      if (session.proxy.version === 0) {
        const answer = await connection.query(encode(clientGetWorkerTypes, {}), { timeoutMs: MODELS_TIMEOUT_MS })
        return decode(clientWorkerTypes, answer).types.map((t) => ({ id: t.name, workers: [] }))
      }
      if (connection.peer.extended && !isOlder) {
        const told = await connection
          .query(encode(x1GetOffers, {}), { timeoutMs: MODELS_TIMEOUT_MS })
          .catch((error: unknown) => {
            if (toCocoonError(error).code === 'protocol.refused') return null
            throw error
          })
        if (told !== null) return offersFrom(decode(x1Offers, told))
        // A proxy of ours from before there was such a question: not asked again on this connection.
        isOlder = true
      }
      const answer = await connection.query(encode(clientGetWorkerTypesV2, {}), { timeoutMs: MODELS_TIMEOUT_MS })
      return decode(clientWorkerTypesV2, answer).types.map((t) => ({
        id: t.name,
        workers: t.workers.map((w) => ({
          coefficient: w.coefficient,
          runningRequests: w.activeRequests,
          maxRunningRequests: w.maxActiveRequests,
        })),
      }))
    },
    async charges(names) {
      if (session.at !== 'ready') throw new CocoonError('capacity.no-proxy', { message: 'no proxy is connected' })
      const none = new CocoonError('request.unsupported', { message: 'this proxy keeps no charges' })
      if (!connection.peer.extended || session.proxy.version === 0) throw none
      const told = await connection
        .query(encode(x1GetCharges, { names: names.map((name) => fromHex(name)) }), { timeoutMs: MODELS_TIMEOUT_MS })
        .catch((error: unknown) => {
          throw toCocoonError(error).code === 'protocol.refused' ? none : error
        })
      const { knownForS, charges } = decode(x1Charges, told)
      const { pricePerToken } = deps.config().params
      return {
        knownForMs: knownForS * 1000,
        charges: charges.map(({ flags, name, tokens }) => ({
          name: toHex(name),
          tokens,
          costNano: tokens * pricePerToken,
          isRunning: (flags & X1_CHARGE_RUNS) !== 0,
        })),
      }
    },
    handler: {
      message(data) {
        if (connection.peer.extended && constructorId(data) === x1ClientAnswer.id)
          return deps.requests.wholeAnswer(connection.id, decode(x1ClientAnswer, data))
        if (connection.peer.extended && constructorId(data) === x1RequestStory.id)
          return deps.requests.story(connection.id, decode(x1RequestStory, data))
        const message = decodeIfKnown(proxyToClientMessages, data)
        if (message === null) return 'ignored'
        switch (message._) {
          case 'proxy.clientRequestPayment':
            return remember(message.signedPayment, message.dbTokens, message.maxTokens)
          case 'proxy.signedPayment': {
            const known = session.at === 'ready' && deps.memory.get(session.proxy.contract.toRawString())
            return known ? remember(message, known.db, known.max) : undefined
          }
          case 'proxy.signedPaymentEmpty':
            return
          default:
            deps.requests.answer(connection.id, message)
        }
      },
      query(_data, reply) {
        reply.error(WIRE_STATUS.none, 'Lost promise')
      },
      closed(why) {
        statusTimer?.cancel()
        proofs?.close()
        if (session.at === 'ready') deps.lost()
        log.info('the proxy connection ended', { at: session.at, reason: why.code })
        session = { at: 'closed', why: why.code }
        deps.requests.lost(connection.id, why)
      },
    },
  }
}

export const proxyKeyHex = (memory: ProxyMemory): string => toHex(memory.publicKey).toUpperCase()
