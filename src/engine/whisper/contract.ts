/** What the speech engine accepts: OpenAI's form for transcriptions. What it cannot honour is refused, not ignored. */
import { z } from 'zod'
import { CocoonError, parseForm } from '../../util/index.ts'
import { invalid } from '../embedded/errors.ts'

export const FORMATS = ['json', 'text', 'verbose_json', 'srt', 'vtt'] as const
export type TranscriptFormat = (typeof FORMATS)[number]

/** A window has room for some 220 tokens of it. */
const MAX_PROMPT_CHARACTERS = 2_000

const count = z
  .string()
  .regex(/^[1-9]\d{0,9}$/, 'is a whole number above 0')
  .transform(Number)

const Fields = z.looseObject({
  model: z.string().optional(),
  language: z
    .string()
    .transform((code) => code.trim().toLowerCase())
    .optional(),
  /** The end of it counts, as it stands nearest. */
  prompt: z
    .string()
    .transform((prompt) => prompt.slice(-MAX_PROMPT_CHARACTERS))
    .default(''),
  response_format: z.enum(FORMATS, { error: `is one of ${FORMATS.join(', ')} at this engine` }).default('json'),
  temperature: z
    .string()
    .regex(/^0(?:\.0*)?$/, 'is 0 at this engine, which always takes the likeliest word')
    .optional(),
  stream: z
    .enum(['true', 'false', '1', '0'])
    .transform((given) => given === 'true' || given === '1')
    .default(false),
  max_tokens: count.optional(),
  max_completion_tokens: count.optional(),
  'timestamp_granularities[]': z
    .array(z.literal('segment', { error: 'is "segment" at this engine: words have no times' }))
    .optional(),
  'include[]': z.array(z.never({ error: 'log probabilities are not supported' })).optional(),
})

export interface TranscriptionRequest {
  readonly file: Uint8Array
  readonly model: string | undefined
  readonly language: string | undefined
  readonly prompt: string
  readonly format: TranscriptFormat
  readonly stream: boolean
  readonly maxTokens: number
}

/** Nobody said how much may be written: as much as is being said. */
const NO_LIMIT = Number.MAX_SAFE_INTEGER

/** @param languages codes that the model knows. Throws `request.invalid`, which names the field */
export function parseTranscriptionRequest(
  body: unknown,
  contentType: string,
  languages: readonly string[],
): TranscriptionRequest {
  if (!(body instanceof Uint8Array)) throw invalid('body', BODY_IS)
  const parts = readParts(body, contentType)
  const file = parts.find(({ name }) => name === 'file')
  if (file === undefined) throw invalid('file', 'is missing', 'missing_required_parameter')
  const texts: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>
  for (const { name, value } of parts) {
    if (name === 'file') continue
    const text = new TextDecoder().decode(value)
    if (LISTS.has(name)) texts[name] = [texts[name] ?? [], text].flat()
    else if (Object.hasOwn(texts, name)) throw invalid(shown(name), 'is given twice')
    else texts[name] = text
  }
  const parsed = Fields.safeParse(texts)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw invalid(shown(String(issue?.path[0])), issue?.message ?? 'is wrong')
  }
  const { model, language, prompt, response_format: format, stream, max_tokens, max_completion_tokens } = parsed.data
  if (language !== undefined && !languages.includes(language))
    throw invalid('language', 'is a language that this model knows, as a code of ISO 639-1 such as "en"')
  if (stream && format !== 'json') throw invalid('stream', 'goes with response_format "json" only')
  const maxTokens = Math.min(max_tokens ?? NO_LIMIT, max_completion_tokens ?? NO_LIMIT)
  return { file: file.value, model, language, prompt, format, stream, maxTokens }
}

export const BODY_IS = 'is a form (multipart/form-data) with a file'
const LISTS: ReadonlySet<string> = new Set(['timestamp_granularities[]', 'include[]'])

/** A name of the caller's own making does not get into messages. */
const shown = (name: string): string => (Object.hasOwn(Fields.shape, name) ? name : 'a field')

function readParts(body: Uint8Array, contentType: string): ReturnType<typeof parseForm>['parts'] {
  try {
    return parseForm(body, contentType).parts
  } catch (thrown) {
    if (!(thrown instanceof CocoonError)) throw thrown
    throw invalid('body', `${BODY_IS}: ${thrown.message}`)
  }
}
