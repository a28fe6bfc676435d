/**
 * What a request asks of whoever serves it, and whether a worker that has said what it can do is up to that. Pure. A worker that
 * has said nothing is taken for fit, as is every ability that it does not mention: its engine judges.
 */
import type { Abilities, Ability } from '../../util/index.ts'

export interface Needs {
  /** Each with the field of the body that asks for it. */
  readonly abilities: readonly Lack[]
  /** Tokens that the prompt has at least. */
  readonly promptAtLeast: number
  /** Of one answer. */
  readonly maxTokens: number
}

/** What is missing, and where the request asks for it. */
export interface Lack {
  readonly what: Ability | 'context'
  readonly field: string
  /** The longest context that was there, where that is missing. */
  readonly contextLength?: number
}

/** `tight`: it takes the request, but may have to end the answer before its limit. */
export type Fitness = 'fit' | 'tight' | Lack

/**
 * What clients write into a body that says nothing about its length. It is nobody's wish, so that a context below it is no
 * reason to refuse.
 */
const UNASKED_MAX_TOKENS = 1_000

export function fitnessOf(abilities: Abilities | null, needs: Needs | undefined): Fitness {
  if (abilities === null || needs === undefined) return 'fit'
  for (const need of needs.abilities) if (abilities.cannot.includes(need.what as Ability)) return need
  const { contextLength } = abilities
  if (contextLength === null) return 'fit'
  const { promptAtLeast, maxTokens } = needs
  if (promptAtLeast + maxTokens <= contextLength) return 'fit'
  if (promptAtLeast >= contextLength) return { what: 'context', field: 'messages', contextLength }
  return maxTokens > contextLength && maxTokens > UNASKED_MAX_TOKENS
    ? { what: 'context', field: 'max_tokens', contextLength }
    : 'tight'
}

const KIND_BY_PATH: Readonly<Record<string, Lack>> = {
  '/v1/chat/completions': { what: 'chat', field: 'messages' },
  '/v1/completions': { what: 'completions', field: 'prompt' },
  '/v1/embeddings': { what: 'embeddings', field: 'input' },
  '/v1/rerank': { what: 'rerank', field: 'documents' },
  '/v1/audio/transcriptions': { what: 'transcription', field: 'file' },
}

/** Of a request of which nothing but its path is known. */
export function needsOfPath(path: string): Needs {
  const kind = Object.hasOwn(KIND_BY_PATH, path) ? KIND_BY_PATH[path] : undefined
  return { abilities: kind === undefined ? [] : [kind], promptAtLeast: 0, maxTokens: 0 }
}

/** No tokenizer packs more characters than this into a token, but for runs of blanks. */
const MAX_CHARS_A_TOKEN = 16

/** @param body a body of that path, as a caller wrote it */
export function needsOf(path: string, body: Readonly<Record<string, unknown>>, maxTokens: number): Needs {
  const abilities = [...needsOfPath(path).abilities]
  const { tools, tool_choice: choice, response_format: format, messages, prompt } = body
  if (Array.isArray(tools) && tools.length > 0 && choice !== 'none') abilities.push({ what: 'tools', field: 'tools' })
  if (member(format, 'type') === 'json_schema') abilities.push({ what: 'json-schema', field: 'response_format' })
  let chars = typeof prompt === 'string' ? lengthOf(prompt) : 0
  if (Array.isArray(messages))
    for (const [m, message] of messages.entries()) {
      const content = member(message, 'content')
      if (typeof content === 'string') chars += lengthOf(content)
      if (!Array.isArray(content)) continue
      for (const [p, part] of content.entries()) {
        const text = member(part, 'text')
        if (typeof text === 'string') chars += lengthOf(text)
        const what = ABILITY_BY_PART[String(member(part, 'type'))]
        if (what !== undefined && abilities.every((one) => one.what !== what))
          abilities.push({ what, field: `messages[${m}].content[${p}]` })
      }
    }
  return { abilities, promptAtLeast: Math.floor(chars / MAX_CHARS_A_TOKEN), maxTokens }
}

const ABILITY_BY_PART: Readonly<Record<string, Ability>> = Object.assign(Object.create(null), {
  image_url: 'vision',
  input_audio: 'audio',
  audio_url: 'audio',
})

/** Runs of blanks, which some tokenizers have as one token, count as one character. */
const lengthOf = (text: string): number => (text.length < COUNTED_CHARS ? 0 : text.replaceAll(/\s{2,}/g, ' ').length)

/** Shorter texts fit every context worth the name: they are not worth a look. */
const COUNTED_CHARS = 32_768

const member = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined
