/**
 * POST /v1/audio/transcriptions: the one request that is a form. Checked and bounded like the others; the sound itself travels
 * on as it is, without the name of its file.
 */
import { z } from 'zod'
import { CocoonError, concatBytes, type FormPart, parseForm, utf8, writeForm } from '../util/index.ts'
import { baseName, type CallerRequest, headersToForward, type PreparedInference } from './caller.ts'
import {
  CONTROL_FIELDS,
  MAX_COST_SHAPE,
  MAX_INT31,
  MAX_MODEL_CHARS,
  MAX_TIMEOUT_SECONDS,
  parseMaxCost,
} from './contract.ts'
import { maxCostOf } from './max-cost.ts'
import { apiError } from './errors.ts'
import { checked } from './request-translation.ts'

export const TRANSCRIPTION_PATH = '/v1/audio/transcriptions'

/** The values of a form are texts. */
const whole = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,10}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(least).max(most))
const seconds = (within: z.ZodNumber) =>
  z
    .string()
    .regex(/^\d{1,4}(?:\.\d{1,6})?$/, 'must be a number of seconds')
    .transform(Number)
    .pipe(within)
const flag = z.enum(['true', 'false', '1', '0']).transform((given) => given === 'true' || given === '1')

/** Everything but the sound. Unknown fields pass through. */
export const transcriptionRequest = z.looseObject({
  model: z.string().min(1).max(MAX_MODEL_CHARS),
  max_coefficient: whole(0, MAX_INT31).optional(),
  /** Seconds. */
  timeout: seconds(z.number().positive().max(MAX_TIMEOUT_SECONDS)).optional(),
  hedge_after: seconds(z.number().min(0).max(MAX_TIMEOUT_SECONDS)).optional(),
  max_cost: z
    .string()
    .refine((value) => parseMaxCost(value) !== null, { error: MAX_COST_SHAPE })
    .optional(),
  enable_debug: flag.optional(),
  request_guid: z.string().max(256).optional(),
  max_tokens: whole(1, MAX_INT31).optional(),
  max_completion_tokens: whole(1, MAX_INT31).optional(),
  stream: flag.optional(),
  response_format: z.enum(['json', 'text', 'srt', 'verbose_json', 'vtt', 'diarized_json']).optional(),
  temperature: z
    .string()
    .regex(/^(?:0(?:\.\d+)?|1(?:\.0+)?)$/, 'must be between 0 and 1')
    .optional(),
  language: z.string().min(1).max(32).optional(),
  prompt: z.string().optional(),
})

const REMOVED: ReadonlySet<string> = new Set(CONTROL_FIELDS)

/** Throws `request.*` with `info.field`. */
export function prepareTranscription(caller: CallerRequest): PreparedInference {
  const headers = [...caller.headers] // may be read only once
  const contentType = headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? ''
  const form = readForm(caller.body, contentType)
  const file = form.parts.find(({ name }) => name === 'file')
  if (file === undefined) throw badField('file', 'is required')
  if (file.value.length === 0) throw badField('file', 'must not be empty')
  const fields = checked(transcriptionRequest, textsOf(form.parts))
  const { max_tokens: old, max_completion_tokens: current } = fields
  if (old !== undefined && current !== undefined && old !== current)
    throw apiError('request.conflicting-limits', { field: 'max_completion_tokens' })
  const model = baseName(fields.model)
  if (model === '') throw badField('model', 'must name a model')
  const limit = current ?? old
  const maxTokens = limit ?? caller.defaults.maxTokens
  const parts = form.parts
    .filter(({ name }) => !REMOVED.has(name))
    .map((part) => (part === file ? nameless(file) : part.name === 'model' ? { ...part, value: utf8(model) } : part))
  if (limit === undefined) parts.push({ name: 'max_tokens', value: utf8(String(maxTokens)) })
  const body = writeForm({ boundary: form.boundary, parts })
  return {
    path: TRANSCRIPTION_PATH,
    headers: headersToForward(headers, `multipart/form-data; boundary=${form.boundary}`, body.length),
    body,
    model,
    maxTokens,
    maxCoefficient: fields.max_coefficient ?? caller.defaults.maxCoefficient,
    timeoutMs: fields.timeout === undefined ? caller.defaults.timeoutMs : Math.ceil(fields.timeout * 1000),
    ...(fields.hedge_after !== undefined && { hedgeAfterMs: Math.ceil(fields.hedge_after * 1000) }),
    debug: fields.enable_debug === true,
    traceId: caller.traceId,
    caller: caller.caller,
    ...maxCostOf(fields.max_cost, headers),
    stream: fields.stream === true,
  }
}

/**
 * Equal for two forms with the same parts: libraries draw another boundary for each attempt. Lengths stand before values, so that
 * no value can pass for two parts.
 */
export function formFingerprint(body: Uint8Array, contentType: string): Uint8Array {
  const pieces = readForm(body, contentType).parts.flatMap(
    ({ name, fileName = null, contentType: type = null, value }) => [
      utf8(JSON.stringify([name, fileName, type, value.length])),
      value,
    ],
  )
  return concatBytes(...pieces)
}

function readForm(body: Uint8Array, contentType: string): ReturnType<typeof parseForm> {
  try {
    return parseForm(body, contentType)
  } catch (thrown) {
    if (!(thrown instanceof CocoonError)) throw thrown
    throw apiError('request.bad-form', { message: `The body is not a valid form: ${thrown.message}` })
  }
}

/** Names may stand twice only where they are lists (`include[]`). */
function textsOf(parts: readonly FormPart[]): Record<string, string> {
  const texts: Record<string, string> = Object.create(null) as Record<string, string>
  for (const { name, value } of parts) {
    if (Object.hasOwn(texts, name) && !name.endsWith('[]'))
      throw apiError('request.duplicate-field', { message: `'${shown(name)}' is given twice.`, field: shown(name) })
    if (name !== 'file') texts[name] = new TextDecoder().decode(value)
  }
  return texts
}

/** A name of the caller's own making does not get into messages. */
const shown = (name: string): string => (Object.hasOwn(transcriptionRequest.shape, name) ? name : 'a field')

/** Engines tell the format by the ending; the rest of a file's name is nobody's business. */
function nameless(file: FormPart): FormPart {
  const ending = /\.([a-z0-9]{1,8})$/i.exec(file.fileName ?? '')?.[1]
  return { ...file, fileName: ending === undefined ? 'audio' : `audio.${ending.toLowerCase()}` }
}

const badField = (field: string, says: string) =>
  apiError('request.bad-field', { message: `'${field}' ${says}.`, field })
