/** Client connections of a proxy: bytes to messages, session decisions to bytes. Decides nothing itself. */
import type { Address, RootConfig } from '../../chain/index.ts'
import { clientContractAddress, formatAddress, parseAddress } from '../../chain/index.ts'
import type { ClientAccount, Ledger, OwnerKey } from '../../ledger/index.ts'
import {
  clientAuthorizationWithProxySuccess,
  clientConnectedToProxy,
  clientPaymentStatus,
  clientRefund,
  clientRefundRejected,
  clientToProxyMessages,
  clientToProxyQueries,
  clientWorkerTypes,
  clientWorkerTypesV2,
  constructorId,
  decode,
  decodeIfKnown,
  encode,
  type ClientConnectedToProxy,
  type ProxyParams,
  proxyClientRequestPayment,
  type ClientToProxyQuery,
  type SignedPayment,
  x1CancelQuery,
  X1_CHARGE_RUNS,
  x1Charges,
  x1ClientPatience,
  x1KeepCharge,
  x1Offers,
  x1ClientQueries,
} from '../../tl/index.ts'
import { type Connection, type ConnectionHandler, type Reply, WIRE_STATUS } from '../../transport/index.ts'
import { CocoonError, type Log, toCocoonError, toHex } from '../../util/index.ts'
import {
  type AuthOffer,
  type ClientReply,
  type ClientSession,
  type ClientView,
  receiveClientQuery,
  receiveRegistration,
} from './client-session.ts'
import type { ProxyIdentity } from './identity.ts'
import { modelsOf } from './model-list.ts'
import { NO_PAYMENT, type PaymentSigner } from './payments.ts'
import type { Requests } from './requests.ts'
import type { Party } from './running.ts'
import type { WorkerPool } from './scheduler.ts'
import type { WorkersQuery } from './workers.ts'

export interface ClientsDeps {
  readonly log: Log
  readonly ledger: Ledger
  readonly pool: WorkerPool
  readonly requests: Requests
  readonly payments: PaymentSigner
  config(): RootConfig
  identity(): ProxyIdentity
  /** The proxy's own contract, and how it offers to authorize this client. */
  readonly contract: Address
  offer(owner: OwnerKey): AuthOffer
  /** Absent in a network without a chain, where whoever comes owns what the network file says. */
  readonly accounts?: ClientAccounts
  /** The answer to what a client asks about workers, encoded. */
  showWorkers(query: WorkersQuery): Uint8Array
  enabled(): boolean
  sha256(bytes: Uint8Array): Uint8Array
  readonly isTestnet: boolean
}

/** What the chain knows of clients. */
export interface ClientAccounts {
  /** Reads the client's contract and sets what it owns. Throws `chain.*`. */
  meet(owner: OwnerKey): Promise<unknown>
  /** Calls `seen` when the owner's contract brings this nonce. The result stops it. */
  expectRegistration(owner: OwnerKey, nonce: bigint, seen: () => void): () => void
  /** The client's whole rest, signed; null while requests run. */
  grantRefund(owner: OwnerKey): Promise<Uint8Array | null>
}

export interface Clients {
  accept(connection: Connection): ConnectionHandler
  payment(owner: OwnerKey): SignedPayment
  /** Ready connections. */
  readonly parties: ReadonlyMap<number, Party>
  notifyPayment(party: Party, requestId: Uint8Array, account: ClientAccount, tokens: bigint): void
}

export function createClients(deps: ClientsDeps): Clients {
  const parties = new Map<number, Party>()
  /** Contract address by owner: computed once, since it costs three cell hashes. */
  const contracts = new Map<OwnerKey, Address>()

  function open(ownerAddress: string): ReturnType<ClientView['open']> {
    const address = parseAddress(ownerAddress, 'client_owner_address')
    const owner: OwnerKey = address.toRawString()
    const config = deps.config()
    let contract = contracts.get(owner)
    if (contract === undefined) {
      contract = clientContractAddress(config.params, {
        owner: address,
        proxy: deps.contract,
        proxyPublicKey: deps.identity().publicKey,
      })
      contracts.set(owner, contract)
    }
    const balance = config.testClientBalanceNano
    const { funds } = deps.ledger.openClient(owner, { balanceNano: balance, stakeNano: balance, scTokensUsed: 0n })
    const isClosing = funds.isClosing === true
    return { owner, scAddress: formatAddress(contract, deps.isTestnet), offer: deps.offer(owner), isClosing }
  }

  const payment = (owner: OwnerKey): SignedPayment => {
    const contract = contracts.get(owner)
    const account = deps.ledger.client(owner)
    return contract === undefined || account === undefined
      ? NO_PAYMENT
      : deps.payments.signed('charge', contract, account.totals.chain)
  }

  const view: ClientView = {
    get isTest() {
      return deps.config().params.isTest
    },
    get configVersion() {
      return deps.config().version
    },
    get enabled() {
      return deps.enabled()
    },
    get identity() {
      return deps.identity()
    },
    pool: deps.pool,
    open,
    account: (owner) => mustHave(deps.ledger.client(owner)),
    signedPayment: payment,
    sha256: deps.sha256,
  }

  function encodeReply(reply: ClientReply): Uint8Array {
    switch (reply._) {
      case 'client.connectedToProxy': {
        const { offer } = reply
        const auth: ClientConnectedToProxy['auth'] =
          offer.by === 'registration'
            ? { _: 'client.proxyConnectionAuthLong', nonce: offer.nonce }
            : { _: 'client.proxyConnectionAuthShort', secretHash: offer.secretHash, nonce: offer.nonce }
        const fresh = mustHave(deps.ledger.client(reply.owner)).totals.chain === 0n
        const signedPayment = fresh ? NO_PAYMENT : payment(reply.owner)
        return encode(clientConnectedToProxy, {
          params: proxyParamsFor(deps.identity(), reply.version),
          clientScAddress: reply.scAddress,
          auth,
          signedPayment,
        })
      }
      case 'client.authorizationWithProxySuccess': {
        const { totals } = mustHave(deps.ledger.client(reply.owner))
        return encode(clientAuthorizationWithProxySuccess, {
          signedPayment: payment(reply.owner),
          tokensCommittedToDb: totals.db,
          maxTokens: totals.max,
        })
      }
      case 'client.paymentStatus': {
        const { totals } = mustHave(deps.ledger.client(reply.owner))
        return encode(clientPaymentStatus, {
          signedPayment: payment(reply.owner),
          dbTokens: totals.db,
          maxTokens: totals.max,
        })
      }
      case 'client.workerTypes':
        return encode(clientWorkerTypes, { types: reply.types })
      case 'client.workerTypesV2':
        return encode(clientWorkerTypesV2, { types: reply.types })
      case 'client.refundRejected':
        return encode(clientRefundRejected, { activeQueries: reply.activeQueries })
    }
  }

  function accept(connection: Connection): ConnectionHandler {
    let session: ClientSession = { at: 'greeting' }
    const log = deps.log.with({ connection: connection.id, peer: connection.peer.remote })
    /** The long authorization that waits for the chain. */
    let registration: { readonly reply: Reply | null; readonly stop: () => void } | null = null
    let isMeeting = false
    let lostWorkerMs: number | undefined
    /** The request that comes next, where its charge is to be kept. */
    let keptId: string | null = null

    function step(query: ClientToProxyQuery, reply: Reply): void {
      const before: ClientSession['at'] = session.at
      const [next, answer] = receiveClientQuery(session, query, view)
      session = next
      if (answer._ === 'later') {
        registration = { stop: registration?.stop ?? (() => undefined), reply }
        return
      }
      if (session.at === 'authorizing' && before === 'greeting' && session.offer.by !== 'test-network')
        expect(session.client, session.offer)
      welcome(before)
      if (answer._ !== 'refusal') return reply.answer(encodeReply(answer))
      log.info('client refused', { code: answer.code, reason: answer.message })
      reply.error(answer.code, answer.message)
      if (session.at === 'closed')
        connection.close(new CocoonError('protocol.handshake-refused', { message: answer.message }))
    }

    function welcome(before: ClientSession['at']): void {
      if (session.at !== 'ready' || before === 'ready') return
      registration?.stop()
      parties.set(connection.id, { connection, owner: session.client.owner, version: session.client.version })
      log.info('client ready', {
        owner: session.client.owner,
        version: session.client.version,
        evidence: connection.peer.evidence,
      })
    }

    function expect({ owner }: { readonly owner: OwnerKey }, { nonce }: { readonly nonce: bigint }): void {
      const stop = deps.accounts?.expectRegistration(owner, nonce, () => {
        const before: ClientSession['at'] = session.at
        const [next, answer] = receiveRegistration(session)
        session = next
        welcome(before)
        if (answer !== null) registration?.reply?.answer(encodeReply(answer))
      })
      registration = { reply: null, stop: stop ?? (() => undefined) }
    }

    /** The client's contract is read before its session begins: what it holds decides how the client can be known. */
    function meet(accounts: ClientAccounts, query: ClientToProxyQuery, reply: Reply, ownerAddress: string): void {
      if (isMeeting) return refuseAll(reply, 'out of turn: already connecting')
      isMeeting = true
      let owner: OwnerKey
      try {
        owner = parseAddress(ownerAddress, 'client_owner_address').toRawString()
      } catch {
        return step(query, reply)
      }
      accounts
        .meet(owner)
        .then(() => {
          if (connection.open) step(query, reply)
        })
        .catch((error: unknown) => {
          const why = toCocoonError(error)
          log.warn('a client’s contract could not be read', { owner, code: why.code, why: why.message })
          refuseAll(reply, 'the proxy cannot read the client’s contract now; try again')
        })
    }

    function refuseAll(reply: Reply, message: string): void {
      reply.error(WIRE_STATUS.error, message)
      connection.close(new CocoonError('protocol.handshake-refused', { message }))
    }

    function refund(accounts: ClientAccounts, owner: OwnerKey, reply: Reply): void {
      const reject = (): void =>
        reply.answer(encode(clientRefundRejected, { activeQueries: BigInt(deps.ledger.client(owner)?.running ?? 0) }))
      accounts.grantRefund(owner).then(
        (data) => {
          if (data === null) return reject()
          log.info('a client was promised its rest', { owner })
          reply.answer(encode(clientRefund, { data }))
        },
        (error: unknown) => {
          log.warn('a refund could not be granted', { owner, why: String(error) })
          reject()
        },
      )
    }

    function chargesOf(names: readonly Uint8Array[]): Uint8Array {
      const { charges } = deps.requests
      const owner = session.at === 'ready' ? session.client.owner : ''
      return encode(x1Charges, {
        knownForS: Math.max(0, Math.floor(charges.knownForMs / 1000)),
        charges: charges
          .of(owner, names)
          .map(({ name, tokens, isRunning }) => ({ flags: isRunning ? X1_CHARGE_RUNS : 0, name, tokens })),
      })
    }

    return {
      query(data, reply) {
        const own = session.at === 'ready' && connection.peer.extended ? decodeIfKnown(x1ClientQueries, data) : null
        if (own?._ === 'x1.getOffers') return reply.answer(encode(x1Offers, { models: modelsOf(deps.pool) }))
        if (own?._ === 'x1.getCharges') return reply.answer(chargesOf(own.names))
        if (own !== null) return reply.answer(deps.showWorkers(own))
        const known = decodeIfKnown(clientToProxyQueries, data)
        if (known === null) return reply.error(WIRE_STATUS.none, 'Lost promise')
        const { accounts } = deps
        if (accounts === undefined) return step(known, reply)
        // The bytes are the connection's until this call returns.
        if (known._ === 'client.connectToProxy')
          return meet(accounts, { ...known, params: { ...known.params } }, reply, known.params.clientOwnerAddress)
        if (known._ === 'client.requestRefund' && session.at === 'ready')
          return refund(accounts, session.client.owner, reply)
        step(known, reply)
      },
      message(data) {
        const party = parties.get(connection.id)
        if (party === undefined) return 'ignored'
        if (connection.peer.extended && constructorId(data) === x1CancelQuery.id)
          return deps.requests.cancel(connection.id, decode(x1CancelQuery, data).requestId)
        if (connection.peer.extended && constructorId(data) === x1ClientPatience.id)
          return void (lostWorkerMs = Math.max(0, decode(x1ClientPatience, data).lostWorkerMs))
        if (connection.peer.extended && constructorId(data) === x1KeepCharge.id)
          return void (keptId = toHex(decode(x1KeepCharge, data).requestId))
        const ask = decodeIfKnown(clientToProxyMessages, data)
        if (ask === null) return 'ignored'
        const { modelName: model, query, maxCoefficient, maxTokens, timeout, requestId, minConfigVersion } = ask
        const extra = ask._ === 'client.runQueryEx' ? ask : { enableDebug: false }
        deps.requests.start(party, {
          model,
          query,
          maxCoefficient,
          maxTokens,
          timeout,
          requestId,
          minConfigVersion,
          debug: extra.enableDebug ?? false,
          keepCharge: keptId !== null && keptId === toHex(requestId),
          ...(lostWorkerMs === undefined ? {} : { lostWorkerMs }),
          ...('publicKey' in extra && extra.publicKey !== undefined ? { publicKey: extra.publicKey } : {}),
        })
      },
      closed(why) {
        registration?.stop()
        parties.delete(connection.id)
        deps.requests.clientLost(connection.id)
        log.info('client gone', { at: session.at, reason: why.code })
      },
    }
  }

  return {
    accept,
    payment,
    parties,
    notifyPayment(party, requestId, { totals }, requestTokens) {
      const fields = {
        requestId,
        signedPayment: payment(party.owner),
        dbTokens: totals.db,
        maxTokens: totals.max,
        requestTokens,
      }
      party.connection.send(encode(proxyClientRequestPayment, fields))
    },
  }
}

/** Flags: bit 0 the test flag, bit 1 the version, which version 0 leaves out. */
export function proxyParamsFor(identity: ProxyIdentity, version: number): ProxyParams {
  const { publicKey, ownerAddress, contractAddress, isTest } = identity
  const base = { proxyPublicKey: publicKey, proxyOwnerAddress: ownerAddress, proxyScAddress: contractAddress, isTest }
  return version === 0 ? { flags: 1, ...base } : { flags: 3, ...base, protoVersion: version }
}

export function mustHave<T>(value: T | undefined): T {
  if (value === undefined) throw new CocoonError('bug.missing-account')
  return value
}
