/** One streamed chat answer: its pieces as they come, and what was measured on the way. */
import { eventsOf } from '../../node/event-stream.ts'
import type { NodeApi } from '../../node/node-api.ts'
import { Refusal } from '../../node/refusal.ts'
import type { ChatChunk, ChatUsage } from '../../node/shapes.ts'

/** What is known of an answer so far. */
export interface Answer {
  readonly content: string
  readonly reasoning: string
  readonly state: 'waiting' | 'answering' | 'done' | 'stopped' | 'failed'
  readonly error: unknown
  /** From the head of the answer. */
  readonly request: string | null
  readonly evidence: string | null
  readonly proxy: string | null
  /** What was reserved, in nanoTON. */
  readonly reservedNano: string | null
  readonly usage: ChatUsage | null
  readonly finishReason: string | null
  /** As seen from this page. */
  readonly firstTokenMs: number | null
  readonly durationMs: number | null
}

export const NO_ANSWER: Answer = {
  content: '',
  reasoning: '',
  state: 'waiting',
  error: null,
  request: null,
  evidence: null,
  proxy: null,
  reservedNano: null,
  usage: null,
  finishReason: null,
  firstTokenMs: null,
  durationMs: null,
}

export interface ChatRun {
  readonly body: Readonly<Record<string, unknown>>
  /** Empty: as the owner. */
  readonly key: string
  readonly signal: AbortSignal
  /** Called with each change. */
  readonly show: (answer: Answer) => void
}

/** Resolves with the last state; never rejects. */
export async function runChat(node: NodeApi, { body, key, signal, show }: ChatRun): Promise<Answer> {
  const startMs = performance.now()
  const sinceMs = (): number => performance.now() - startMs
  let answer = NO_ANSWER
  const change = (changes: Partial<Answer>): void => {
    answer = { ...answer, ...changes }
    show(answer)
  }
  try {
    const request = { ...body, stream: true, stream_options: { include_usage: true } }
    const reply = await node.ask('/v1/chat/completions', key, { body: request, signal })
    change({ state: 'answering', ...headOf(reply.headers) })
    for await (const chunk of eventsOf<ChatChunk>(reply)) {
      if (chunk.error !== undefined) throw new Refusal(chunk.error.message, { code: chunk.error.code ?? '' })
      const choice = chunk.choices?.[0]
      const [piece, thought] = [choice?.delta?.content ?? '', choice?.delta?.reasoning_content ?? '']
      const isFirst = answer.firstTokenMs === null && piece + thought !== ''
      change({
        content: answer.content + piece,
        reasoning: answer.reasoning + thought,
        finishReason: choice?.finish_reason ?? answer.finishReason,
        usage: chunk.usage ?? answer.usage,
        firstTokenMs: isFirst ? sinceMs() : answer.firstTokenMs,
      })
    }
    change({ state: 'done', durationMs: sinceMs() })
  } catch (error) {
    if (signal.aborted) change({ state: 'stopped', durationMs: sinceMs() })
    else change({ state: 'failed', error, durationMs: sinceMs() })
  }
  return answer
}

function headOf(headers: Headers): Partial<Answer> {
  return {
    request: headers.get('x-request-id'),
    evidence: headers.get('x-cocoon-evidence'),
    proxy: headers.get('x-cocoon-proxy'),
    reservedNano: headers.get('x-cocoon-max-cost-nano'),
  }
}
