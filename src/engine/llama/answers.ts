/** OpenAI's answer bodies, whole and in chunks. */
import type { AnswerEnd, OutputPiece } from './generate.ts'

export interface Usage {
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly total_tokens: number
  readonly prompt_tokens_details: { readonly cached_tokens: number }
  readonly completion_tokens_details: { readonly reasoning_tokens: number }
}

/** Choices of one prompt share it, so it is counted once; each prompt of a batch counts. */
export function usageOf(ends: readonly AnswerEnd[], choicesPerPrompt: number): Usage {
  const firsts = ends.filter((_, i) => i % choicesPerPrompt === 0)
  const sum = (list: readonly AnswerEnd[], read: (end: AnswerEnd) => number): number =>
    list.reduce((n, end) => n + read(end), 0)
  const prompt = sum(firsts, (end) => end.promptTokens)
  const completion = sum(ends, (end) => end.completionTokens)
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: sum(firsts, (end) => end.cachedTokens) },
    completion_tokens_details: { reasoning_tokens: sum(ends, (end) => end.reasoningTokens) },
  }
}

export interface AnswerHead {
  readonly id: string
  readonly created: number
  readonly model: string
}

interface CallSoFar {
  readonly id: string
  readonly name: string
  arguments: string
}

/** Collects the pieces of one choice into what a whole answer holds. */
export function collector(newCallId: () => string) {
  let content = ''
  let reasoning = ''
  let call: CallSoFar | undefined
  return {
    add(piece: OutputPiece): void {
      if (piece.type === 'content') content += piece.text
      else if (piece.type === 'reasoning') reasoning += piece.text
      else if (piece.type === 'call') call = { id: newCallId(), name: piece.name, arguments: '' }
      else if (call !== undefined) call.arguments += piece.text
    },
    text: () => content,
    message: () => ({
      role: 'assistant' as const,
      content: call !== undefined && content === '' ? null : content,
      refusal: null,
      ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
      ...(call === undefined
        ? {}
        : {
            tool_calls: [
              { id: call.id, type: 'function' as const, function: { name: call.name, arguments: call.arguments } },
            ],
          }),
    }),
  }
}

/** What a piece adds to a streamed choice. */
export function deltaOf(piece: OutputPiece, newCallId: () => string): Record<string, unknown> {
  switch (piece.type) {
    case 'content':
      return { content: piece.text }
    case 'reasoning':
      return { reasoning_content: piece.text }
    case 'call':
      return {
        tool_calls: [{ index: 0, id: newCallId(), type: 'function', function: { name: piece.name, arguments: '' } }],
      }
    case 'arguments':
      return { tool_calls: [{ index: 0, function: { arguments: piece.text } }] }
  }
}

/** A chunk of a stream. With `include_usage`, every chunk before the last carries `usage: null`. */
export function chunk(object: string, head: AnswerHead, choices: readonly unknown[], usage: Usage | null | undefined) {
  return {
    id: head.id,
    object,
    created: head.created,
    model: head.model,
    choices,
    ...(usage === undefined ? {} : { usage }),
  }
}
