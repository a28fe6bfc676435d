/**
 * One running request as the proxy sees it: what a worker's messages mean for it. Pure; node.ts carries out the outcome.
 * Order is part of the contract: one first answer, any number of parts, one end.
 */
import { type AdjustedTokens, judgeUsage, NO_TOKENS, type UsageBounds, type UsageProblem } from '../../ledger/index.ts'
import type { FieldsOf, proxyQueryFinalInfo, WorkerToProxyMessage, X1WorkerAnswer } from '../../tl/index.ts'
import { tokensFrom } from './answers.ts'

/** What a worker's message amounts to, whichever family of constructors it came in. */
export type WorkerAnswer =
  | { readonly is: 'head'; readonly bytes: Uint8Array; readonly final: WorkerFinal | null }
  | { readonly is: 'part'; readonly bytes: Uint8Array; readonly final: WorkerFinal | null }
  /** All at once: the head without times, the whole body, the usage. */
  | { readonly is: 'whole'; readonly head: Uint8Array; readonly bytes: Uint8Array; readonly final: WorkerFinal }
  | { readonly is: 'error'; readonly code: number; readonly message: string; readonly final: WorkerFinal }

export interface WorkerFinal {
  readonly tokens: AdjustedTokens
  readonly debug: string
  /** Unix seconds; 0 where the protocol version has none. */
  readonly start: number
  readonly end: number
}

const NO_FINAL: WorkerFinal = { tokens: NO_TOKENS, debug: '', start: 0, end: 0 }

/** The messages that belong to a request, of either family. */
export type AnswerMessage = Extract<WorkerToProxyMessage, { readonly _: `proxy.queryAnswer${string}` }>

export function readWorkerAnswer(m: AnswerMessage): WorkerAnswer {
  switch (m._) {
    case 'proxy.queryAnswerEx':
      return { is: 'head', bytes: m.answer, final: finalOf(m.finalInfo) }
    case 'proxy.queryAnswerPartEx':
      return { is: 'part', bytes: m.answer, final: finalOf(m.finalInfo) }
    case 'proxy.queryAnswerErrorEx':
      return { is: 'error', code: m.errorCode, message: m.error, final: finalOf(m.finalInfo) ?? NO_FINAL }
    case 'proxy.queryAnswer':
    case 'proxy.queryAnswerPart': {
      const final = m.isCompleted ? { ...NO_FINAL, tokens: tokensFrom(m.tokensUsed) } : null
      return { is: m._ === 'proxy.queryAnswer' ? 'head' : 'part', bytes: m.answer, final }
    }
    case 'proxy.queryAnswerError':
    case 'proxy.queryAnswerPartError':
      return {
        is: 'error',
        code: m.errorCode,
        message: m.error,
        final: { ...NO_FINAL, tokens: tokensFrom(m.tokensUsed) },
      }
  }
}

export const readWholeAnswer = ({ head, body, finalInfo }: X1WorkerAnswer): WorkerAnswer => ({
  is: 'whole',
  head,
  bytes: body,
  final: workerFinal(finalInfo),
})

const finalOf = (f: FieldsOf<typeof proxyQueryFinalInfo> | undefined): WorkerFinal | null =>
  f === undefined ? null : workerFinal(f)

function workerFinal(f: FieldsOf<typeof proxyQueryFinalInfo>): WorkerFinal {
  return {
    tokens: tokensFrom(f.tokensUsed),
    debug: f.workerDebug ?? '',
    start: f.workerStartTime ?? 0,
    end: f.workerEndTime ?? 0,
  }
}

export interface Progress {
  readonly phase: 'waiting' | 'answering'
  readonly answerBytes: number
}

/** What ends a request well. */
export type LastAnswer = Exclude<WorkerAnswer, { is: 'error' }> & { readonly final: WorkerFinal }

export const NOT_STARTED: Progress = { phase: 'waiting', answerBytes: 0 }

export type Outcome =
  | { readonly do: 'forward'; readonly kind: 'head' | 'part'; readonly bytes: Uint8Array; readonly progress: Progress }
  /** The last bytes; settle `final.tokens` first. */
  | { readonly do: 'finish'; readonly answer: LastAnswer; readonly answerBytes: number }
  | {
      readonly do: 'fail'
      readonly code: number
      readonly message: string
      readonly final: WorkerFinal
      readonly blame?: UsageProblem | 'order'
    }

export function receiveAnswer(
  progress: Progress,
  answer: WorkerAnswer,
  bounds: Omit<UsageBounds, 'answerBytes'>,
): Outcome {
  if (answer.is === 'error') return { do: 'fail', code: answer.code, message: answer.message, final: answer.final }
  if ((answer.is === 'part') !== (progress.phase === 'answering'))
    return { do: 'fail', code: 621, message: 'out of order answer parts', final: NO_FINAL, blame: 'order' }
  const { bytes } = answer
  const answerBytes = progress.answerBytes + bytes.length + (answer.is === 'whole' ? answer.head.length : 0)
  if (!isLast(answer)) {
    const kind = answer.is === 'head' ? 'head' : 'part'
    return { do: 'forward', kind, bytes, progress: { phase: 'answering', answerBytes } }
  }
  const problem = judgeUsage(answer.final.tokens, { ...bounds, answerBytes })
  if (problem === null) return { do: 'finish', answer, answerBytes }
  return {
    do: 'fail',
    code: 602,
    message: `the worker’s usage report was refused: ${problem}`,
    final: { ...answer.final, tokens: NO_TOKENS },
    blame: problem,
  }
}

const isLast = (answer: Exclude<WorkerAnswer, { is: 'error' }>): answer is LastAnswer => answer.final !== null
