/** OpenAI's Responses API over an engine that speaks chat completions, without a memory. */
import { checked, type TranslatedRequest } from '../request-translation.ts'
import { responsesRequest } from './contract.ts'
import { itemsOf, type ResponseContext, writeItem, writeResponse, incompleteReason } from './response.ts'
import { responseStream } from './stream.ts'
import { toChat } from './to-chat.ts'

/** `POST /v1/responses`. Throws `request.bad-field`. */
export function translateResponses(json: object, traceId: string): TranslatedRequest {
  const request = checked(responsesRequest, json)
  const context: ResponseContext = { traceId, request }
  return {
    body: toChat(request),
    translation: {
      whole(piece) {
        const items = itemsOf(piece, context)
        const isWhole = incompleteReason(piece.finish) === null
        const output = items.map((item, i) =>
          writeItem(item, isWhole || i < items.length - 1 ? 'completed' : 'incomplete'),
        )
        return writeResponse(context, { is: 'ended', finish: piece.finish }, output, piece.usage, piece.created)
      },
      error: (_status, error) => ({ error }),
      ownField,
      stream: () => responseStream(context),
    },
  }
}

function ownField(field: string): string {
  if (field.startsWith('messages')) return 'input'
  if (field.startsWith('response_format')) return 'text.format'
  return field === 'max_tokens' ? 'max_output_tokens' : field
}
