/** OpenAI's own library against a test network, without its retries: a test wants to see the first answer. */
import OpenAI, { APIError } from 'openai'
import type { ChatCompletionChunk } from 'openai/resources'

export const openaiAt = (baseURL: string, fetch?: typeof globalThis.fetch): OpenAI =>
  new OpenAI({ baseURL, apiKey: 'unused', maxRetries: 0, ...(fetch === undefined ? {} : { fetch }) })

export const HELLO = { model: 'test-model', messages: [{ role: 'user' as const, content: 'Hi' }], max_tokens: 64 }
export const STREAM = { ...HELLO, stream: true as const }

export interface Streamed {
  readonly text: string
  readonly chunks: readonly ChatCompletionChunk[]
  /** What the iteration threw. */
  readonly error: unknown
}

/** Reads a stream to its end, good or bad. `seen` is called with each chunk. */
export async function readStream(
  stream: AsyncIterable<ChatCompletionChunk>,
  seen: (chunk: ChatCompletionChunk) => void = () => {},
): Promise<Streamed> {
  const chunks: ChatCompletionChunk[] = []
  let error: unknown
  try {
    for await (const chunk of stream) {
      chunks.push(chunk)
      seen(chunk)
    }
  } catch (thrown) {
    error = thrown
  }
  return { text: chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join(''), chunks, error }
}

/** The error a promise rejects with; fails when it is not one of the library's. */
export async function refusalOf(promise: Promise<unknown>): Promise<APIError> {
  const error: unknown = await promise.then(
    () => new Error('was not refused'),
    (thrown: unknown) => thrown,
  )
  if (error instanceof APIError) return error
  throw error
}
