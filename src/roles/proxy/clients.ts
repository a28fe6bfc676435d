/** Client connections of a proxy: bytes to messages, session decisions to bytes. Decides nothing itself. */
import type { Address, RootConfig } from '../../chain/index.ts'
import { clientContractAddress, formatAddress, parseAddress } from '../../chain/index.ts'
import type { ClientAccount, Ledger, OwnerKey } from '../../ledger/index.ts'
import {
  clientAuthorizationWithProxySuccess,
  clientConnectedToProxy,
  clientPaymentStatus,
  clientRefundRejected,
  clientToProxyMessages,
  clientToProxyQueries,
  clientWorkerTypes,
  clientWorkerTypesV2,
  constructorId,
  decode,
  decodeIfKnown,
  encode,
  type ProxyParams,
  proxyClientRequestPayment,
  type SignedPayment,
  x1CancelQuery,
} from '../../tl/index.ts'
import { type Connection, type ConnectionHandler, WIRE_STATUS } from '../../transport/index.ts'
import { CocoonError, type Log } from '../../util/index.ts'
import {
  type AuthOffer,
  type ClientReply,
  type ClientSession,
  type ClientView,
  receiveClientQuery,
} from './client-session.ts'
import type { ProxyIdentity } from './identity.ts'
import { NO_PAYMENT, type PaymentSigner } from './payments.ts'
import type { Party, Requests } from './requests.ts'
import type { WorkerPool } from './scheduler.ts'

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
  enabled(): boolean
  sha256(bytes: Uint8Array): Uint8Array
  readonly isTestnet: boolean
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

  function open(ownerAddress: string): { owner: OwnerKey; scAddress: string; offer: AuthOffer } {
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
    deps.ledger.openClient(owner, { balanceNano: balance, stakeNano: balance, scTokensUsed: 0n })
    return { owner, scAddress: formatAddress(contract, deps.isTestnet), offer: deps.offer(owner) }
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
        const { secretHash, nonce } = reply.offer
        const auth = { _: 'client.proxyConnectionAuthShort', secretHash, nonce } as const
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
    return {
      query(data, reply) {
        const known = decodeIfKnown(clientToProxyQueries, data)
        if (known === null) return reply.error(WIRE_STATUS.none, 'Lost promise')
        const before: ClientSession['at'] = session.at
        const [next, answer] = receiveClientQuery(session, known, view)
        session = next
        if (session.at === 'ready' && before !== 'ready') {
          parties.set(connection.id, { connection, owner: session.client.owner, version: session.client.version })
          log.info('client ready', {
            owner: session.client.owner,
            version: session.client.version,
            evidence: connection.peer.evidence,
          })
        }
        if (answer._ !== 'refusal') return reply.answer(encodeReply(answer))
        log.info('client refused', { code: answer.code, reason: answer.message })
        reply.error(answer.code, answer.message)
        if (session.at === 'closed')
          connection.close(new CocoonError('protocol.handshake-refused', { message: answer.message }))
      },
      message(data) {
        const party = parties.get(connection.id)
        if (party === undefined) return
        if (connection.peer.extended && constructorId(data) === x1CancelQuery.id)
          return deps.requests.cancel(connection.id, decode(x1CancelQuery, data).requestId)
        const ask = decodeIfKnown(clientToProxyMessages, data)
        if (ask === null) return log.debug('a message of an unknown kind was ignored')
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
          ...('publicKey' in extra && extra.publicKey !== undefined ? { publicKey: extra.publicKey } : {}),
        })
      },
      closed(why) {
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
