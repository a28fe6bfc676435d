/** Inference between proxy and worker. Source: spec/tl-constructors.json, `proxy.*`. */
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
  when,
  type FieldsOf,
  type ValueOf,
} from '../lang.ts'
import { signedPayments, tokensUsed } from './common.ts'
import { MAX_ADDRESS_BYTES, MAX_BODY_BYTES, MAX_DEBUG_BYTES, MAX_ERROR_BYTES } from './limits.ts'

const body = bytes({ max: MAX_BODY_BYTES })
const errorText = string({ max: MAX_ERROR_BYTES })

/** A request in the form of version 0. */
export const proxyRunQuery = ctor(
  'proxy.runQuery',
  { query: body, signedPayment: boxed(signedPayments), coefficient: long, timeout: double, requestId: int256 },
  'proxy.QueryAnswer',
)
export type ProxyRunQuery = ValueOf<typeof proxyRunQuery>

/** A request. The result type is the schema's own: the answers are `proxy.queryAnswerEx` and its kin. */
export const proxyRunQueryEx = ctor(
  'proxy.runQueryEx',
  {
    /** A boxed `http.request`, as the client sent it. */
    query: body,
    signedPayment: boxed(signedPayments),
    /** The worker's price at the time of the choice, in thousandths. */
    coefficient: long,
    /** Seconds that are left. */
    timeout: double,
    /** Drawn by the proxy; the client's id never reaches a worker. */
    requestId: int256,
    flags,
    enableDebug: when(0, bool),
    /** From version 3: opens the body; zero for a plain body. */
    privateKey: when(1, int256),
  },
  'proxy.QueryAnswer',
  { id: 0xc805e7e2 },
)
export type ProxyRunQueryEx = ValueOf<typeof proxyRunQueryEx>

const versionZeroAnswer = { answer: body, isCompleted: bool, requestId: int256, tokensUsed: bare(tokensUsed) }
const versionZeroError = { errorCode: int, error: errorText, requestId: int256, tokensUsed: bare(tokensUsed) }

/** Answers in the form of version 0. */
export const proxyQueryAnswer = ctor('proxy.queryAnswer', versionZeroAnswer, 'proxy.QueryAnswer')
export const proxyQueryAnswerError = ctor('proxy.queryAnswerError', versionZeroError, 'proxy.QueryAnswer')
export const proxyQueryAnswerPart = ctor('proxy.queryAnswerPart', versionZeroAnswer, 'proxy.QueryAnswerPart')
export const proxyQueryAnswerPartError = ctor('proxy.queryAnswerPartError', versionZeroError, 'proxy.QueryAnswerPart')

/** What a request cost and when it ran. Flags: 0 debug text, 1 times (seconds since 1970). */
export const proxyQueryFinalInfo = ctor(
  'proxy.queryFinalInfo',
  {
    flags,
    tokensUsed: bare(tokensUsed),
    workerDebug: when(0, string({ max: MAX_DEBUG_BYTES })),
    workerStartTime: when(1, double),
    workerEndTime: when(1, double),
  },
  'proxy.QueryFinalInfo',
)
export type ProxyQueryFinalInfo = FieldsOf<typeof proxyQueryFinalInfo>

/** The first answer: a boxed `http.response`. Flags: 0 means it is also the last. */
export const proxyQueryAnswerEx = ctor(
  'proxy.queryAnswerEx',
  { requestId: int256, answer: body, flags, finalInfo: when(0, bare(proxyQueryFinalInfo)) },
  'proxy.QueryAnswerEx',
)
export type ProxyQueryAnswerEx = ValueOf<typeof proxyQueryAnswerEx>

/** The request failed; nothing follows. */
export const proxyQueryAnswerErrorEx = ctor(
  'proxy.queryAnswerErrorEx',
  { requestId: int256, errorCode: int, error: errorText, flags, finalInfo: when(0, bare(proxyQueryFinalInfo)) },
  'proxy.QueryAnswerEx',
)
export type ProxyQueryAnswerErrorEx = ValueOf<typeof proxyQueryAnswerErrorEx>

/** One piece of an answer, in order; the one with `finalInfo` is the last. */
export const proxyQueryAnswerPartEx = ctor(
  'proxy.queryAnswerPartEx',
  { requestId: int256, answer: body, flags, finalInfo: when(0, bare(proxyQueryFinalInfo)) },
  'proxy.QueryAnswerEx',
)
export type ProxyQueryAnswerPartEx = ValueOf<typeof proxyQueryAnswerPartEx>

/** Everything a worker answers a request with, in the form of every version. */
export const proxyAnswers = union('worker to proxy, answer', [
  proxyQueryAnswerPartEx,
  proxyQueryAnswerEx,
  proxyQueryAnswerErrorEx,
  proxyQueryAnswer,
  proxyQueryAnswerError,
  proxyQueryAnswerPart,
  proxyQueryAnswerPartError,
])
export type ProxyAnswer = ValueOf<typeof proxyAnswers>

/** After each request: what it earned and the payment signed for it. */
export const proxyWorkerRequestPayment = ctor(
  'proxy.workerRequestPayment',
  {
    requestId: int256,
    signedPayment: boxed(signedPayments),
    dbTokens: long,
    maxTokens: long,
    requestTokens: long,
    requestClientOwner: string({ max: MAX_ADDRESS_BYTES }),
  },
  'proxy.WorkerRequestPayment',
)
export type ProxyWorkerRequestPayment = ValueOf<typeof proxyWorkerRequestPayment>
