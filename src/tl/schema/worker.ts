/** Worker ⇄ proxy: handshake, account and control. Source: spec/tl-constructors.json, `worker.*`. */
import {
  bare,
  bool,
  boxed,
  bytes,
  ctor,
  flags,
  int,
  long,
  string,
  union,
  when,
  type FieldsOf,
  type ValueOf,
} from '../lang.ts'
import { proxyParams, proxySignedPayment, proxySignedPaymentEmpty, signedPayments } from './common.ts'
import {
  MAX_ADDRESS_BYTES,
  MAX_COMPARISON_BYTES,
  MAX_MACHINE_DESCRIPTION_BYTES,
  MAX_MODEL_NAME_BYTES,
} from './limits.ts'
import { proxyAnswers, proxyRunQuery, proxyRunQueryEx, proxyWorkerRequestPayment } from './proxy.ts'

const modelName = string({ max: MAX_MODEL_NAME_BYTES })

/** What a worker says about itself. Flags: 0 test network and capacity, 1 version range, 2 machine description. */
export const workerParams = ctor(
  'worker.params',
  {
    flags,
    workerOwnerAddress: string({ max: MAX_ADDRESS_BYTES }),
    model: modelName,
    /** Price in thousandths of the base price. */
    coefficient: int,
    isTest: when(0, bool),
    /** Connections that this worker keeps to proxies. */
    proxyCnt: when(0, int),
    maxActiveRequests: when(0, int),
    minProtoVersion: when(1, int),
    maxProtoVersion: when(1, int),
    machineDescriptionJson: when(2, string({ max: MAX_MACHINE_DESCRIPTION_BYTES })),
  },
  'worker.Params',
  { id: 0x869c73ed },
)
export type WorkerParams = FieldsOf<typeof workerParams>

/** The worker's first query. */
export const workerConnectToProxy = ctor(
  'worker.connectToProxy',
  { params: bare(workerParams) },
  'worker.ConnectedToProxy',
)

export const workerConnectedToProxy = ctor(
  'worker.connectedToProxy',
  { params: bare(proxyParams), workerScAddress: string({ max: MAX_ADDRESS_BYTES }) },
  'worker.ConnectedToProxy',
)
export type WorkerConnectedToProxy = ValueOf<typeof workerConnectedToProxy>

/** The totals as the worker knows them. */
export const workerCompareBalanceWithProxy = ctor(
  'worker.compareBalanceWithProxy',
  { tokensCommittedToBlockchain: long, tokensCommittedToDb: long, maxTokens: long },
  'worker.CompareBalanceWithProxyResult',
)

/** The totals as the proxy knows them; a non-zero code asks for the extended comparison. */
export const workerCompareBalanceWithProxyResult = ctor(
  'worker.compareBalanceWithProxyResult',
  { signedPayment: boxed(signedPayments), tokensCommittedToDb: long, maxTokens: long, errorCode: int },
  'worker.CompareBalanceWithProxyResult',
)
export type WorkerCompareBalanceWithProxyResult = ValueOf<typeof workerCompareBalanceWithProxyResult>

export const workerExtendedCompareBalanceWithProxy = ctor(
  'worker.extendedCompareBalanceWithProxy',
  { tokensCommittedToDb: long, other: bytes({ max: MAX_COMPARISON_BYTES }) },
  'worker.ExtendedCompareBalanceWithProxyResult',
)

export const workerExtendedCompareBalanceWithProxyResult = ctor(
  'worker.extendedCompareBalanceWithProxyResult',
  { errorCode: int },
  'worker.ExtendedCompareBalanceWithProxyResult',
)

/** The last query of the handshake, with the worker's first state. */
export const workerProxyHandshakeComplete = ctor(
  'worker.proxyHandshakeComplete',
  { isDisabled: bool },
  'worker.HandshakeCompleted',
)

export const workerProxyHandshakeCompleted = ctor('worker.proxyHandshakeCompleted', {}, 'worker.HandshakeCompleted')

/** Asked every 10 to 20 seconds; also what keeps the connection alive. */
export const workerUpdatePaymentStatus = ctor('worker.updatePaymentStatus', {}, 'worker.PaymentStatus')

export const workerPaymentStatus = ctor(
  'worker.paymentStatus',
  { signedPayment: boxed(signedPayments), dbTokens: long, maxTokens: long },
  'worker.PaymentStatus',
)
export type WorkerPaymentStatus = ValueOf<typeof workerPaymentStatus>

/** Non-zero: send this connection no more requests. */
export const workerEnabledDisabled = ctor('worker.enabledDisabled', { disabled: int }, 'worker.EnabledDisabled')

/** A new price for requests from now on. */
export const workerNewCoefficient = ctor('worker.newCoefficient', { newCoefficient: int }, 'worker.NewCoefficient')

/** Asks the worker to serve another model. The only query that a proxy sends. */
export const workerChangeModel = ctor('worker.changeModel', { newModel: modelName }, 'worker.ChangedModel')
export const workerChangedModel = ctor('worker.changedModel', {}, 'worker.ChangedModel')

// --- by direction ---

export const workerToProxyQueries = union('worker to proxy, query', [
  workerConnectToProxy,
  workerCompareBalanceWithProxy,
  workerExtendedCompareBalanceWithProxy,
  workerProxyHandshakeComplete,
  workerUpdatePaymentStatus,
])
export type WorkerToProxyQuery = ValueOf<typeof workerToProxyQueries>

export const workerToProxyMessages = union('worker to proxy, packet', [
  ...proxyAnswers.members,
  workerEnabledDisabled,
  workerNewCoefficient,
])
export type WorkerToProxyMessage = ValueOf<typeof workerToProxyMessages>

export const proxyToWorkerMessages = union('proxy to worker, packet', [
  proxyRunQueryEx,
  proxyRunQuery,
  proxyWorkerRequestPayment,
  proxySignedPayment,
  proxySignedPaymentEmpty,
])
export type ProxyToWorkerMessage = ValueOf<typeof proxyToWorkerMessages>

export const proxyToWorkerQueries = union('proxy to worker, query', [workerChangeModel])
export type ProxyToWorkerQuery = ValueOf<typeof proxyToWorkerQueries>
