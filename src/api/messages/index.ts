/** Anthropic's Messages API over an engine that speaks chat completions. */
import { apiError } from '../errors.ts'
import type { TranslatedRequest } from '../request-translation.ts'
import { checked } from '../request-translation.ts'
import { countTokensRequest, messagesRequest, type MessagesRequest } from './contract.ts'
import { countTranslation, messagesTranslation } from './from-chat.ts'
import { toChat, toCount } from './to-chat.ts'

/** `POST /v1/messages`. Throws `request.bad-field`. */
export function translateMessages(json: object, traceId: string): TranslatedRequest {
  const request = checked(messagesRequest, json)
  refuseBegunAnswer(request.messages)
  const { thinking, stop_sequences: stop, model } = request
  const wantsThinking = thinking !== null && thinking !== undefined && thinking.type !== 'disabled'
  return {
    body: toChat(request),
    translation: messagesTranslation({ traceId, model, wantsThinking, stopSequences: stop ?? [] }),
  }
}

/**
 * `POST /v1/messages/count_tokens`: the engine counts, since nobody else has its tokenizer and template. It is asked for
 * one token and charged like any request. Throws `request.bad-field`.
 */
export function translateCount(json: object, traceId: string): TranslatedRequest {
  const request = checked(countTokensRequest, json)
  return { body: toCount(request), translation: countTranslation(traceId) }
}

/** Chat completions have no common way to go on with an answer. */
function refuseBegunAnswer(messages: MessagesRequest['messages']): void {
  if (messages.at(-1)?.role !== 'assistant') return
  const field = `messages[${messages.length - 1}]`
  throw apiError('request.bad-field', {
    message: `'${field}' must be a user message: engines begin their answer themselves.`,
    field,
  })
}
