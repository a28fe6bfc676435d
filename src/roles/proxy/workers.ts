/** Worker connections of a proxy: bytes to messages, session decisions to bytes. Decides nothing itself. */
import type { Address, RootConfig } from '../../chain/index.ts'
import { formatAddress, parseAddress, workerContractAddress } from '../../chain/index.ts'
import type { Ledger, OwnerKey, WorkerAccount } from '../../ledger/index.ts'
import {
  constructorId,
  decode,
  decodeIfKnown,
  decodeOneOf,
  encode,
  proxyWorkerRequestPayment,
  type SignedPayment,
  workerCompareBalanceWithProxyResult,
  workerConnectedToProxy,
  workerExtendedCompareBalanceWithProxyResult,
  workerPaymentStatus,
  workerProxyHandshakeCompleted,
  workerToProxyMessages,
  workerToProxyQueries,
  x1WorkerAbilities,
  x1WorkerInstance,
  x1WorkerAnswer,
  abilitiesOf,
  type WorkerToProxyQuery,
  x1Claims,
  type X1ClientQuery,
  x1WorkerProof,
  x1Workers,
  MAX_SHOWN_WORKER_COUNT,
} from '../../tl/index.ts'
import { type Connection, type ConnectionHandler, type Reply, WIRE_STATUS } from '../../transport/index.ts'
import { copyBytes, CocoonError, equalBytes, type Log, toHex } from '../../util/index.ts'
import { mustHave, proxyParamsFor } from './clients.ts'
import type { Refusal } from './handshake.ts'
import type { ProxyIdentity } from './identity.ts'
import { NO_PAYMENT, type PaymentSigner } from './payments.ts'
import { readWholeAnswer, readWorkerAnswer } from './request.ts'
import type { Requests } from './requests.ts'
import type { Party } from './running.ts'
import type { WorkerPool } from './scheduler.ts'
import { createProofOfWorker, type ProofOfWorker } from './worker-proof.ts'
import { receiveWorkerQuery, type WorkerReply, type WorkerSession, type WorkerView } from './worker-session.ts'

export interface WorkersDeps {
  readonly log: Log
  readonly ledger: Ledger
  readonly pool: WorkerPool
  readonly payments: PaymentSigner
  requests(): Requests
  config(): RootConfig
  identity(): ProxyIdentity
  readonly contract: Address
  enabled(): boolean
  /** Milliseconds, as the clock's. */
  now(): number
  sha256(bytes: Uint8Array): Uint8Array
  readonly isTestnet: boolean
}

/** What clients ask about the workers themselves. */
export type WorkersQuery = Exclude<X1ClientQuery, { readonly _: 'x1.getOffers' | 'x1.getCharges' }>

export interface WorkerParty extends Party {
  readonly machine: string
  readonly proof: ProofOfWorker
}

export interface Workers {
  accept(connection: Connection): ConnectionHandler
  payment(owner: OwnerKey): SignedPayment
  /** An owner as peers write it. */
  shownOwner(owner: OwnerKey): string
  readonly parties: ReadonlyMap<number, WorkerParty>
  /** What clients may see of workers, encoded. */
  show(query: WorkersQuery): Uint8Array
  notifyPayment(
    party: Party,
    requestId: Uint8Array,
    account: WorkerAccount,
    tokens: bigint,
    clientOwner: OwnerKey,
  ): void
}

const NOTHING = new Uint8Array()

export function createWorkers(deps: WorkersDeps): Workers {
  const parties = new Map<number, WorkerParty>()
  const contracts = new Map<OwnerKey, Address>()
  /** Owners as peers write them; as many as there are accounts. */
  const shownOwners = new Map<OwnerKey, string>()
  const shownOwner = (owner: OwnerKey): string => {
    let shown = shownOwners.get(owner)
    if (shown === undefined)
      shownOwners.set(owner, (shown = formatAddress(parseAddress(owner, 'owner'), deps.isTestnet)))
    return shown
  }

  function open(ownerAddress: string): { owner: OwnerKey; scAddress: string } {
    const address = parseAddress(ownerAddress, 'worker_owner_address')
    const owner: OwnerKey = address.toRawString()
    let contract = contracts.get(owner)
    if (contract === undefined) {
      contract = workerContractAddress(deps.config().params, {
        owner: address,
        proxy: deps.contract,
        proxyPublicKey: deps.identity().publicKey,
      })
      contracts.set(owner, contract)
    }
    deps.ledger.openWorker(owner)
    return { owner, scAddress: formatAddress(contract, deps.isTestnet) }
  }

  const payment = (owner: OwnerKey): SignedPayment => {
    const contract = contracts.get(owner)
    const account = deps.ledger.worker(owner)
    return contract === undefined || account === undefined
      ? NO_PAYMENT
      : deps.payments.signed('payout', contract, account.totals.chain)
  }

  const viewFor = (connection: Connection): WorkerView => {
    const config = deps.config()
    const imageHash = connection.peer.imageHash === null ? '' : toHex(connection.peer.imageHash)
    const isModelListed = (model: string): boolean =>
      config.modelHashes.has(toHex(deps.sha256(new TextEncoder().encode(model))))
    return {
      isTest: config.params.isTest,
      enabled: deps.enabled(),
      hashes: config.checkHashes ? { imageListed: config.workerHashes.has(imageHash), imageHash, isModelListed } : null,
      open,
      totals: (owner) => mustHave(deps.ledger.worker(owner)).totals,
    }
  }

  function encodeReply(reply: WorkerReply): Uint8Array {
    switch (reply._) {
      case 'worker.connectedToProxy':
        return encode(workerConnectedToProxy, {
          params: proxyParamsFor(deps.identity(), reply.version),
          workerScAddress: reply.scAddress,
        })
      case 'worker.compareBalanceWithProxyResult': {
        const { totals } = mustHave(deps.ledger.worker(reply.owner))
        return encode(workerCompareBalanceWithProxyResult, {
          signedPayment: payment(reply.owner),
          tokensCommittedToDb: totals.db,
          maxTokens: totals.max,
          errorCode: reply.errorCode,
        })
      }
      case 'worker.extendedCompareBalanceWithProxyResult':
        return encode(workerExtendedCompareBalanceWithProxyResult, { errorCode: 0 })
      case 'worker.proxyHandshakeCompleted':
        return encode(workerProxyHandshakeCompleted, {})
      case 'worker.paymentStatus': {
        const { totals } = mustHave(deps.ledger.worker(reply.owner))
        return encode(workerPaymentStatus, {
          signedPayment: payment(reply.owner),
          dbTokens: totals.db,
          maxTokens: totals.max,
        })
      }
    }
  }

  function accept(connection: Connection): ConnectionHandler {
    let session: WorkerSession = { at: 'greeting' }
    const { id } = connection
    const log = deps.log.with({ connection: id, peer: connection.peer.remote })
    const proof = createProofOfWorker(connection)
    /** A query that waits until the claims are judged. */
    let waiting: { readonly query: WorkerToProxyQuery; readonly reply: Reply } | null = null

    function entered(before: WorkerSession['at'], answer: WorkerReply | Refusal): void {
      if (session.at === before) return
      if (session.at === 'comparing')
        deps.pool.add({ connectionId: id, ...session.worker, evidence: connection.peer.evidence }, deps.now())
      if (session.at !== 'ready' || answer._ !== 'worker.proxyHandshakeCompleted') return
      const { owner, version, model, machine, capacity, coefficient } = session.worker
      parties.set(id, { connection, owner, version, machine, proof })
      deps.pool.update(id, { enabled: !answer.disabled }, deps.now())
      deps.requests().workerChanged(model)
      log.info('worker ready', {
        owner,
        version,
        model,
        capacity,
        coefficient,
        evidence: connection.peer.evidence,
        gpus: proof.gpus?.length ?? null,
        enabled: !answer.disabled,
      })
    }

    function proven(): void {
      log.info('worker proved its GPUs', { gpus: (proof.gpus ?? []).map(({ chip }) => chip).join(', ') })
      const next = waiting
      waiting = null
      if (next !== null && connection.open) step(next.query, next.reply)
    }

    function refuse(why: CocoonError, reply: Reply | undefined): void {
      log.warn('worker refused', { code: why.code, reason: why.message })
      reply?.error(WIRE_STATUS.error, why.message)
      connection.close(why)
    }

    function step(known: WorkerToProxyQuery, reply: Reply): void {
      const before: WorkerSession['at'] = session.at
      const [next, answer] = receiveWorkerQuery(session, known, viewFor(connection))
      session = next
      entered(before, answer)
      if (answer._ !== 'refusal') return reply.answer(encodeReply(answer))
      log.warn('worker refused', { code: answer.code, reason: answer.message })
      reply.error(answer.code, answer.message)
      if (session.at === 'closed')
        connection.close(new CocoonError('protocol.handshake-refused', { message: answer.message }))
    }

    return {
      query(data, reply) {
        const known = decodeIfKnown(workerToProxyQueries, data)
        if (known === null) return reply.error(WIRE_STATUS.none, 'Lost promise')
        if (proof.isJudging) {
          if (waiting !== null) throw new CocoonError('protocol.out-of-turn', { message: 'a query before the answer' })
          // The bytes are the connection's until this call returns.
          waiting = { query: decodeOneOf(workerToProxyQueries, copyBytes(data)), reply }
          return
        }
        const missing = session.at === 'greeting' ? proof.missing() : null
        if (missing === null) step(known, reply)
        else refuse(missing, reply)
      },
      message(data) {
        if (session.at === 'greeting' && connection.peer.extended && constructorId(data) === x1Claims.id)
          return proof.receive(decode(x1Claims, data), proven, (why) => refuse(why, waiting?.reply))
        if (session.at !== 'ready') return 'ignored'
        if (connection.peer.extended && constructorId(data) === x1WorkerAnswer.id) {
          const whole = decode(x1WorkerAnswer, data)
          return deps.requests().answer(id, whole.requestId, readWholeAnswer(whole))
        }
        if (connection.peer.extended && constructorId(data) === x1WorkerAbilities.id) {
          deps.pool.update(id, { abilities: abilitiesOf(decode(x1WorkerAbilities, data).abilities) }, deps.now())
          return deps.requests().workerChanged(session.worker.model)
        }
        if (connection.peer.extended && constructorId(data) === x1WorkerInstance.id)
          return deps.pool.update(id, { instance: copyBytes(decode(x1WorkerInstance, data).instance) }, deps.now())
        const message = decodeIfKnown(workerToProxyMessages, data)
        if (message === null) return 'ignored'
        switch (message._) {
          case 'worker.enabledDisabled':
            deps.pool.update(id, { enabled: message.disabled === 0 }, deps.now())
            deps.requests().workerChanged(session.worker.model)
            log.info(message.disabled === 0 ? 'worker enabled' : 'worker disabled')
            return
          case 'worker.newCoefficient':
            if (message.newCoefficient < 0)
              throw new CocoonError('protocol.coefficient', { message: 'bad coefficient value' })
            deps.pool.update(id, { coefficient: message.newCoefficient }, deps.now())
            deps.requests().workerChanged(session.worker.model)
            return
          default:
            deps.requests().answer(id, message.requestId, readWorkerAnswer(message))
        }
      },
      closed(why) {
        proof.close()
        parties.delete(id)
        deps.pool.remove(id, deps.now())
        deps.requests().workerLost(id)
        log.info('worker gone', { at: session.at, reason: why.code })
      },
    }
  }

  function show(query: WorkersQuery): Uint8Array {
    const shown = [...parties].flatMap(([id, { proof }]) => {
      const found = proof.shown()
      return found === null ? [] : [{ found, model: deps.pool.slot(id)?.model ?? '' }]
    })
    if (query._ === 'x1.getWorkers')
      return encode(x1Workers, {
        workers: shown.slice(0, MAX_SHOWN_WORKER_COUNT).map(({ found, model }) => ({ id: found.id, model })),
      })
    const one = shown.find(({ found }) => equalBytes(found.id, query.id))?.found
    return encode(x1WorkerProof, {
      certificate: one?.certificate ?? NOTHING,
      claims: one?.claims?.claims ?? NOTHING,
      signature: one?.claims?.signature ?? NOTHING,
    })
  }

  return {
    accept,
    payment,
    shownOwner,
    parties,
    show,
    notifyPayment(party, requestId, { totals }, requestTokens, clientOwner) {
      const requestClientOwner = shownOwner(clientOwner)
      const fields = {
        requestId,
        signedPayment: payment(party.owner),
        dbTokens: totals.db,
        maxTokens: totals.max,
        requestTokens,
        requestClientOwner,
      }
      party.connection.send(encode(proxyWorkerRequestPayment, fields))
    },
  }
}
