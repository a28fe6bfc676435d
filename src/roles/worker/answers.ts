/**
 * What a worker tells a proxy about a request. Version 0 has one family of answers, every later version the `Ex` family;
 * times exist from version 2 on. The final info is always there on the last message: old proxies read it unasked.
 */
import { type AdjustedTokens, NO_TOKENS } from '../../ledger/index.ts'
import {
  type Allocate,
  encode,
  type FieldsOf,
  proxyQueryAnswer,
  proxyQueryAnswerError,
  proxyQueryAnswerErrorEx,
  proxyQueryAnswerEx,
  proxyQueryAnswerPart,
  proxyQueryAnswerPartError,
  proxyQueryAnswerPartEx,
  type proxyQueryFinalInfo,
  type TokensUsed,
  x1WorkerAnswer,
} from '../../tl/index.ts'

export interface AnswerTo {
  readonly requestId: Uint8Array
  readonly version: number
  readonly debug: boolean
  /** Memory for heads and parts, which are sent at once. */
  readonly allocate?: Allocate
}

export interface Final {
  readonly tokens: AdjustedTokens
  /** Unix seconds. */
  readonly start: number
  readonly end: number
}

const HAS_DEBUG = 1
const HAS_TIMES = 2
const IS_FINAL = 1

export function encodeHead({ requestId, version, allocate }: AnswerTo, answer: Uint8Array): Uint8Array {
  if (version > 0) return encode(proxyQueryAnswerEx, { requestId, answer, flags: 0 }, allocate)
  return encode(proxyQueryAnswer, { answer, isCompleted: false, requestId, tokensUsed: wireTokens(NO_TOKENS) })
}

export function encodePart(to: AnswerTo, answer: Uint8Array, final?: Final): Uint8Array {
  const { requestId, version } = to
  if (version > 0) return encode(proxyQueryAnswerPartEx, { requestId, answer, ...finalFields(to, final) }, to.allocate)
  const tokensUsed = wireTokens(final?.tokens ?? NO_TOKENS)
  return encode(proxyQueryAnswerPart, { answer, isCompleted: final !== undefined, requestId, tokensUsed })
}

/** Only where both ends chose `cocoon-x1`, and from version 1 on. */
export function encodeWhole(to: AnswerTo, head: Uint8Array, body: Uint8Array, final: Final): Uint8Array {
  return encode(x1WorkerAnswer, { requestId: to.requestId, head, body, finalInfo: finalInfo(to, final) }, to.allocate)
}

export function encodeError(
  to: AnswerTo,
  error: { readonly code: number; readonly message: string },
  final: Final,
  afterHead: boolean,
): Uint8Array {
  const fields = { requestId: to.requestId, errorCode: error.code, error: error.message }
  if (to.version > 0) return encode(proxyQueryAnswerErrorEx, { ...fields, ...finalFields(to, final) })
  return encode(afterHead ? proxyQueryAnswerPartError : proxyQueryAnswerError, {
    ...fields,
    tokensUsed: wireTokens(final.tokens),
  })
}

const wireTokens = (t: AdjustedTokens): TokensUsed => ({
  promptTokensUsed: t.prompt,
  cachedTokensUsed: t.cached,
  completionTokensUsed: t.completion,
  reasoningTokensUsed: t.reasoning,
  totalTokensUsed: t.total,
})

function finalFields(
  to: AnswerTo,
  final: Final | undefined,
): { flags: number; finalInfo?: FieldsOf<typeof proxyQueryFinalInfo> } {
  return final === undefined ? NOT_FINAL : { flags: IS_FINAL, finalInfo: finalInfo(to, final) }
}

const NOT_FINAL = { flags: 0 } as const

function finalInfo({ version, debug }: AnswerTo, { tokens, start, end }: Final): FieldsOf<typeof proxyQueryFinalInfo> {
  const tokensUsed = wireTokens(tokens)
  const times = version >= 2 ? { workerStartTime: start, workerEndTime: end } : {}
  if (!debug) return { flags: version >= 2 ? HAS_TIMES : 0, tokensUsed, ...times }
  const workerDebug = JSON.stringify({ type: 'worker_stats', start_time: start, answer_receive_end_at: end })
  return { flags: HAS_DEBUG | (version >= 2 ? HAS_TIMES : 0), tokensUsed, workerDebug, ...times }
}
