/**
 * What the proxy tells a client about a request, in the form that the client's protocol version understands: version 0
 * has one family of answers, every later version the `Ex` family, and times exist from version 2 on.
 */
import { NO_TOKENS, type AdjustedTokens } from '../../ledger/index.ts'
import {
  type Allocate,
  clientQueryAnswer,
  clientQueryAnswerError,
  clientQueryAnswerErrorEx,
  clientQueryAnswerEx,
  clientQueryAnswerPart,
  clientQueryAnswerPartError,
  clientQueryAnswerPartEx,
  encode,
  type FieldsOf,
  type clientQueryFinalInfo,
  type tokensUsed,
  x1ClientAnswer,
} from '../../tl/index.ts'

export interface AnswerTo {
  /** 32 bytes, as the client gave it. */
  readonly requestId: Uint8Array
  readonly version: number
  /** Memory for heads and parts, which are sent at once. */
  readonly allocate?: Allocate
}

/** Unix seconds. */
export interface Times {
  readonly proxyStart: number
  readonly proxyEnd: number
  readonly workerStart: number
  readonly workerEnd: number
}

export interface Final {
  readonly tokens: AdjustedTokens
  readonly times: Times
  /** Set when the caller asked for debug information: JSON texts. */
  readonly debug?: { readonly worker: string; readonly proxy: string } | undefined
}

/** Bits of a final info's flags word. */
const HAS_DEBUG = 1
const HAS_TIMES = 2
/** The bit of an answer's flags word that announces the final info. */
const IS_FINAL = 1

/** The first answer: `answer` is a boxed `http.response`. */
export function encodeHead(to: AnswerTo, answer: Uint8Array, final?: Final): Uint8Array {
  const { requestId, version } = to
  if (version > 0)
    return encode(clientQueryAnswerEx, { requestId, answer, ...finalFields(version, final) }, to.allocate)
  const requestTokensUsed = tokensOf(final?.tokens ?? NO_TOKENS)
  return encode(clientQueryAnswer, { answer, isCompleted: final !== undefined, requestId, requestTokensUsed })
}

export function encodePart(to: AnswerTo, answer: Uint8Array, final?: Final): Uint8Array {
  const { requestId, version } = to
  if (version > 0)
    return encode(clientQueryAnswerPartEx, { requestId, answer, ...finalFields(version, final) }, to.allocate)
  const requestTokensUsed = tokensOf(final?.tokens ?? NO_TOKENS)
  return encode(clientQueryAnswerPart, { answer, isCompleted: final !== undefined, requestId, requestTokensUsed })
}

/** All but the final info. Only where both ends chose `cocoon-x1`, and from version 1 on. */
export function encodeWhole(to: AnswerTo, head: Uint8Array, body: Uint8Array, times: Times): Uint8Array {
  const { requestId, allocate } = to
  const { proxyStart: proxyStartTime, proxyEnd: proxyEndTime, workerStart: workerStartTime, workerEnd } = times
  const fields = { requestId, head, body, proxyStartTime, proxyEndTime, workerStartTime, workerEndTime: workerEnd }
  return encode(x1ClientAnswer, fields, allocate)
}

/** @param afterHead version 0 has a constructor of its own for errors that follow a first answer */
export function encodeError(
  to: AnswerTo,
  error: { code: number; message: string },
  final: Final,
  afterHead: boolean,
): Uint8Array {
  const { requestId, version } = to
  const fields = { errorCode: error.code, error: error.message, requestId }
  if (version > 0) return encode(clientQueryAnswerErrorEx, { ...fields, ...finalFields(version, final) })
  const family = afterHead ? clientQueryAnswerPartError : clientQueryAnswerError
  return encode(family, { ...fields, requestTokensUsed: tokensOf(final.tokens) })
}

export const tokensOf = (t: AdjustedTokens): FieldsOf<typeof tokensUsed> => ({
  promptTokensUsed: t.prompt,
  cachedTokensUsed: t.cached,
  completionTokensUsed: t.completion,
  reasoningTokensUsed: t.reasoning,
  totalTokensUsed: t.total,
})

export const tokensFrom = (t: FieldsOf<typeof tokensUsed>): AdjustedTokens => ({
  prompt: t.promptTokensUsed,
  cached: t.cachedTokensUsed,
  completion: t.completionTokensUsed,
  reasoning: t.reasoningTokensUsed,
  total: t.totalTokensUsed,
})

function finalFields(
  version: number,
  final: Final | undefined,
): { flags: number; finalInfo?: FieldsOf<typeof clientQueryFinalInfo> } {
  return final === undefined ? NOT_FINAL : { flags: IS_FINAL, finalInfo: finalInfo(version, final) }
}

const NOT_FINAL = { flags: 0 } as const

function finalInfo(version: number, { tokens, times, debug }: Final): FieldsOf<typeof clientQueryFinalInfo> {
  const hasTimes = version >= 2
  return {
    flags: (debug ? HAS_DEBUG : 0) | (hasTimes ? HAS_TIMES : 0),
    tokensUsed: tokensOf(tokens),
    ...(debug ? { workerDebug: debug.worker, proxyDebug: debug.proxy } : {}),
    ...(hasTimes
      ? {
          proxyStartTime: times.proxyStart,
          proxyEndTime: times.proxyEnd,
          workerStartTime: times.workerStart,
          workerEndTime: times.workerEnd,
        }
      : {}),
  }
}
