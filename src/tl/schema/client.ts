/** Client ⇄ proxy messages. Source: spec/tl-constructors.json, `client.*`. */
import {
  bare,
  bool,
  boxed,
  bytes,
  ctor,
  double,
  flags,
  int,
  int256,
  long,
  string,
  union,
  vector,
  when,
  type FieldsOf,
  type ValueOf,
} from '../lang.ts'
import { proxyParams, proxySignedPayment, proxySignedPaymentEmpty, signedPayments, tokensUsed } from './common.ts'
import {
  MAX_ADDRESS_BYTES,
  MAX_BODY_BYTES,
  MAX_DEBUG_BYTES,
  MAX_ERROR_BYTES,
  MAX_MODEL_COUNT,
  MAX_MODEL_NAME_BYTES,
  MAX_PAYMENT_BYTES,
  MAX_SECRET_BYTES,
  MAX_WORKER_COUNT,
} from './limits.ts'

const address = string({ max: MAX_ADDRESS_BYTES })
const errorText = string({ max: MAX_ERROR_BYTES })
const modelName = string({ max: MAX_MODEL_NAME_BYTES })
const body = bytes({ max: MAX_BODY_BYTES })
const debugText = string({ max: MAX_DEBUG_BYTES })

// --- handshake ---

/** What a client says about itself. Flags: 0 test network, 1 version range (absent means 0 to 0). */
export const clientParams = ctor(
  'client.params',
  {
    flags,
    clientOwnerAddress: address,
    isTest: when(0, bool),
    minProtoVersion: when(1, int),
    maxProtoVersion: when(1, int),
  },
  'client.Params',
  { id: 0x40fdca64 },
)
export type ClientParams = FieldsOf<typeof clientParams>

/** The client's first query. */
export const clientConnectToProxy = ctor(
  'client.connectToProxy',
  { params: bare(clientParams), minConfigVersion: int },
  'client.ConnectedToProxy',
)

/** Prove that you know the secret whose SHA-256 is this. */
export const clientProxyConnectionAuthShort = ctor(
  'client.proxyConnectionAuthShort',
  { secretHash: int256, nonce: long },
  'client.ProxyConnectionAuth',
)

/** Prove that the wallet is yours: register this nonce on chain. */
export const clientProxyConnectionAuthLong = ctor(
  'client.proxyConnectionAuthLong',
  { nonce: long },
  'client.ProxyConnectionAuth',
)

export const clientProxyConnectionAuths = union('client.ProxyConnectionAuth', [
  clientProxyConnectionAuthShort,
  clientProxyConnectionAuthLong,
])
export type ClientProxyConnectionAuth = ValueOf<typeof clientProxyConnectionAuths>

/** The answer to `client.connectToProxy`: who the proxy is and how to prove the account. */
export const clientConnectedToProxy = ctor(
  'client.connectedToProxy',
  {
    params: bare(proxyParams),
    clientScAddress: address,
    auth: boxed(clientProxyConnectionAuths),
    signedPayment: boxed(signedPayments),
  },
  'client.ConnectedToProxy',
)
export type ClientConnectedToProxy = ValueOf<typeof clientConnectedToProxy>

/** `data` is the secret itself. */
export const clientAuthorizeWithProxyShort = ctor(
  'client.authorizeWithProxyShort',
  { data: bytes({ max: MAX_SECRET_BYTES }) },
  'client.AuthorizationWithProxy',
)

/** Answered when the registration has been seen on chain. */
export const clientAuthorizeWithProxyLong = ctor('client.authorizeWithProxyLong', {}, 'client.AuthorizationWithProxy')

export const clientAuthorizationWithProxySuccess = ctor(
  'client.authorizationWithProxySuccess',
  {
    signedPayment: boxed(signedPayments),
    /** Tokens charged so far and durably stored. */
    tokensCommittedToDb: long,
    /** Tokens that the running requests may bring the total to. */
    maxTokens: long,
  },
  'client.AuthorizationWithProxy',
)

export const clientAuthorizationWithProxyFailed = ctor(
  'client.authorizationWithProxyFailed',
  { errorCode: int, error: errorText },
  'client.AuthorizationWithProxy',
)

export const authorizationResults = union('client.AuthorizationWithProxy', [
  clientAuthorizationWithProxySuccess,
  clientAuthorizationWithProxyFailed,
])
export type AuthorizationResult = ValueOf<typeof authorizationResults>

// --- account and models ---

/** Asked every 10 to 20 seconds; also what keeps the connection alive. */
export const clientUpdatePaymentStatus = ctor('client.updatePaymentStatus', {}, 'client.PaymentStatus')

export const clientPaymentStatus = ctor(
  'client.paymentStatus',
  { signedPayment: boxed(signedPayments), dbTokens: long, maxTokens: long },
  'client.PaymentStatus',
)
export type ClientPaymentStatus = ValueOf<typeof clientPaymentStatus>

/** Asks for the unused balance back; no node answers it today. */
export const clientRequestRefund = ctor('client.requestRefund', {}, 'client.Refund')
export const clientRefund = ctor('client.refund', { data: bytes({ max: MAX_PAYMENT_BYTES }) }, 'client.Refund')
export const clientRefundRejected = ctor('client.refundRejected', { activeQueries: long }, 'client.Refund')
export const clientRefunds = union('client.Refund', [clientRefund, clientRefundRejected])

/** The models of version 0. */
export const clientGetWorkerTypes = ctor('client.getWorkerTypes', {}, 'client.WorkerTypes')

export const clientWorkerType = ctor(
  'client.workerType',
  { name: modelName, activeWorkers: int, coefficientMin: int, coefficientBucket50: int, coefficientMax: int },
  'client.WorkerType',
)

export const clientWorkerTypes = ctor(
  'client.workerTypes',
  { types: vector(bare(clientWorkerType), { max: MAX_MODEL_COUNT }) },
  'client.WorkerTypes',
)

/** The models, with every enabled worker of each. */
export const clientGetWorkerTypesV2 = ctor('client.getWorkerTypesV2', {}, 'client.WorkerTypesV2')

export const clientWorkerInstanceV2 = ctor(
  'client.workerInstanceV2',
  { flags, coefficient: int, activeRequests: int, maxActiveRequests: int },
  'client.WorkerInstanceV2',
  { id: 0x3ea93d00 },
)

export const clientWorkerTypeV2 = ctor(
  'client.workerTypeV2',
  { name: modelName, workers: vector(bare(clientWorkerInstanceV2), { max: MAX_WORKER_COUNT }) },
  'client.WorkerTypeV2',
)

export const clientWorkerTypesV2 = ctor(
  'client.workerTypesV2',
  { types: vector(bare(clientWorkerTypeV2), { max: MAX_MODEL_COUNT }) },
  'client.WorkerTypesV2',
)
export type ClientWorkerTypesV2 = ValueOf<typeof clientWorkerTypesV2>

// --- inference ---

/** A request in the form of version 0. */
export const clientRunQuery = ctor(
  'client.runQuery',
  {
    modelName,
    query: body,
    maxCoefficient: int,
    maxTokens: int,
    timeout: double,
    requestId: int256,
    minConfigVersion: int,
  },
  'client.QueryAnswer',
)
export type ClientRunQuery = ValueOf<typeof clientRunQuery>

/** A request. Sent as a packet; the answers come as packets with the same `requestId`. */
export const clientRunQueryEx = ctor(
  'client.runQueryEx',
  {
    modelName,
    /** A boxed `http.request`. */
    query: body,
    /** The dearest worker that will do, in thousandths of the base price. */
    maxCoefficient: int,
    maxTokens: int,
    /** Seconds the client will wait. */
    timeout: double,
    /** Drawn by the client at random; the proxy draws another for its own leg. */
    requestId: int256,
    minConfigVersion: int,
    flags,
    enableDebug: when(0, bool),
    /** From version 3: the worker key that the body is encrypted to; zero for a plain body. */
    publicKey: when(1, int256),
  },
  'client.QueryAnswerEx',
  { id: 0xf54cb74b },
)
export type ClientRunQueryEx = ValueOf<typeof clientRunQueryEx>

const versionZeroAnswer = { answer: body, isCompleted: bool, requestId: int256, requestTokensUsed: bare(tokensUsed) }
const versionZeroError = { errorCode: int, error: errorText, requestId: int256, requestTokensUsed: bare(tokensUsed) }

/** First answer in the form of version 0. */
export const clientQueryAnswer = ctor('client.queryAnswer', versionZeroAnswer, 'client.QueryAnswer')
/** A refusal in the form of version 0; older proxies send it at every version. */
export const clientQueryAnswerError = ctor('client.queryAnswerError', versionZeroError, 'client.QueryAnswer')
export const clientQueryAnswerPart = ctor('client.queryAnswerPart', versionZeroAnswer, 'client.QueryAnswerPart')
export const clientQueryAnswerPartError = ctor(
  'client.queryAnswerPartError',
  versionZeroError,
  'client.QueryAnswerPart',
)

/** What a request cost and when it ran. Flags: 0 debug texts, 1 times (seconds since 1970). */
export const clientQueryFinalInfo = ctor(
  'client.queryFinalInfo',
  {
    flags,
    tokensUsed: bare(tokensUsed),
    workerDebug: when(0, debugText),
    proxyDebug: when(0, debugText),
    proxyStartTime: when(1, double),
    proxyEndTime: when(1, double),
    workerStartTime: when(1, double),
    workerEndTime: when(1, double),
  },
  'client.QueryFinalInfo',
)
export type ClientQueryFinalInfo = FieldsOf<typeof clientQueryFinalInfo>

/** The first answer: a boxed `http.response`. Flags: 0 means it is also the last. */
export const clientQueryAnswerEx = ctor(
  'client.queryAnswerEx',
  { requestId: int256, answer: body, flags, finalInfo: when(0, bare(clientQueryFinalInfo)) },
  'client.QueryAnswerEx',
)
export type ClientQueryAnswerEx = ValueOf<typeof clientQueryAnswerEx>

/** The request failed; nothing follows. */
export const clientQueryAnswerErrorEx = ctor(
  'client.queryAnswerErrorEx',
  { requestId: int256, errorCode: int, error: errorText, flags, finalInfo: when(0, bare(clientQueryFinalInfo)) },
  'client.QueryAnswerEx',
)
export type ClientQueryAnswerErrorEx = ValueOf<typeof clientQueryAnswerErrorEx>

/** One piece of an answer, in order; the one with `finalInfo` is the last. */
export const clientQueryAnswerPartEx = ctor(
  'client.queryAnswerPartEx',
  {
    /** As given in `client.runQueryEx`. Parts of several requests may interleave. */
    requestId: int256,
    /** The next bytes of the HTTP body. May be empty. */
    answer: body,
    flags,
    finalInfo: when(0, bare(clientQueryFinalInfo)),
  },
  'client.QueryAnswerEx',
)
export type ClientQueryAnswerPartEx = ValueOf<typeof clientQueryAnswerPartEx>

/** Everything a proxy answers a request with. Older proxies refuse in the form of version 0 whatever was agreed. */
export const clientAnswers = union('proxy to client, answer', [
  clientQueryAnswerPartEx,
  clientQueryAnswerEx,
  clientQueryAnswerErrorEx,
  clientQueryAnswer,
  clientQueryAnswerError,
  clientQueryAnswerPart,
  clientQueryAnswerPartError,
])
export type ClientAnswer = ValueOf<typeof clientAnswers>

/** After each request: what it cost and the payment signed for it. The result type is the schema's own oddity. */
export const proxyClientRequestPayment = ctor(
  'proxy.clientRequestPayment',
  {
    requestId: int256,
    signedPayment: boxed(signedPayments),
    dbTokens: long,
    maxTokens: long,
    requestTokens: long,
  },
  'proxy.WorkerRequestPayment',
)
export type ProxyClientRequestPayment = ValueOf<typeof proxyClientRequestPayment>

// --- by direction ---

export const clientToProxyQueries = union('client to proxy, query', [
  clientConnectToProxy,
  clientAuthorizeWithProxyShort,
  clientAuthorizeWithProxyLong,
  clientUpdatePaymentStatus,
  clientGetWorkerTypes,
  clientGetWorkerTypesV2,
  clientRequestRefund,
])
export type ClientToProxyQuery = ValueOf<typeof clientToProxyQueries>

export const clientToProxyMessages = union('client to proxy, packet', [clientRunQueryEx, clientRunQuery])
export type ClientToProxyMessage = ValueOf<typeof clientToProxyMessages>

export const proxyToClientMessages = union('proxy to client, packet', [
  ...clientAnswers.members,
  proxyClientRequestPayment,
  proxySignedPayment,
  proxySignedPaymentEmpty,
])
export type ProxyToClientMessage = ValueOf<typeof proxyToClientMessages>
