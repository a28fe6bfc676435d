/** From the body a caller sent to what leaves the client: checked, bounded, without control fields and credentials. */
import { complaintOf } from './complaint.ts'
import {
  ACTED_FIELDS,
  CONTROL_FIELDS,
  countPrompts,
  INFERENCE_PATHS,
  isInferencePath,
  MAX_INT31,
  MAX_JSON_DEPTH,
  REQUEST_BY_PATH,
  WITHOUT_GENERATION,
} from './contract.ts'
import { apiError } from './errors.ts'
import {
  baseName,
  type CallerRequest,
  headersToForward,
  type PreparedInference,
  type RequestDefaults,
} from './caller.ts'
import { maxCostOf } from './max-cost.ts'
import { type Member, scanObject, writeObject } from './json-object.ts'
import { prepareTranscription, TRANSCRIPTION_PATH } from './transcription.ts'
import { type Translate, translatorOf } from './translated-paths.ts'

/** The fields of all schemas that matter here. */
interface Fields {
  readonly model: string
  readonly max_tokens?: number | null | undefined
  readonly max_completion_tokens?: number | null | undefined
  readonly n?: number | null | undefined
  readonly best_of?: number | null | undefined
  readonly prompt?: unknown
  readonly stream?: boolean | null | undefined
  readonly stream_options?: object | null | undefined
  readonly max_coefficient?: number | null | undefined
  readonly max_cost?: number | string | null | undefined
  readonly timeout?: number | null | undefined
  readonly hedge_after?: number | null | undefined
  readonly enable_debug?: boolean | null | undefined
}

/**
 * Checks a request and makes it fit to leave. The body keeps the caller's bytes except for fields taken out or added.
 * Throws `request.*` with `info.field`; no error repeats anything the caller wrote.
 */
export function prepareInference(caller: CallerRequest): PreparedInference {
  const path = caller.path.split('?', 1)[0] as string
  if (path === TRANSCRIPTION_PATH) return prepareTranscription(caller)
  const translate = translatorOf(path)
  if (translate !== undefined) return prepareTranslated(caller, translate)
  if (!isInferencePath(path))
    throw apiError('request.not-found', { message: `Nothing here; try ${INFERENCE_PATHS.join(', ')} or /v1/models.` })
  const bytes = Buffer.from(caller.body.buffer, caller.body.byteOffset, caller.body.byteLength)
  const members = scanObject(bytes, MAX_JSON_DEPTH)
  if (members === 'too-deep') throw tooDeep()
  const json = parseObject(bytes)
  refuseDuplicates(members)
  const fields = checkFields(path, json)
  const limit = WITHOUT_GENERATION.has(path) ? undefined : tokenLimit(fields, caller.defaults)
  const body = rewrite(bytes, members, json, fields.model, limit)
  const headers = [...caller.headers] // may be read only once
  return {
    path,
    headers: headersToForward(headers, 'application/json', body.length),
    body,
    model: baseName(fields.model),
    maxTokens: limit?.reserved ?? 0,
    maxCoefficient: fields.max_coefficient ?? caller.defaults.maxCoefficient,
    timeoutMs: isGiven(fields.timeout) ? Math.ceil(fields.timeout * 1000) : caller.defaults.timeoutMs,
    ...(isGiven(fields.hedge_after) && { hedgeAfterMs: Math.ceil(fields.hedge_after * 1000) }),
    debug: fields.enable_debug === true,
    traceId: caller.traceId,
    caller: caller.caller,
    ...maxCostOf(fields.max_cost, headers),
    stream: fields.stream === true,
  }
}

function prepareTranslated(caller: CallerRequest, translate: Translate): PreparedInference {
  const bytes = Buffer.from(caller.body.buffer, caller.body.byteOffset, caller.body.byteLength)
  if (scanObject(bytes, MAX_JSON_DEPTH) === 'too-deep') throw tooDeep()
  const { body, translation } = translate(parseObject(bytes), caller.traceId)
  const chat = { ...caller, path: '/v1/chat/completions', body: Buffer.from(JSON.stringify(body)) }
  return { ...prepareInference(chat), translation }
}

const tooDeep = () =>
  apiError('request.too-deep', { message: `The body is nested deeper than ${MAX_JSON_DEPTH} levels.` })

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Throws `request.bad-json`, `request.not-an-object`; no sentence repeats the bytes. */
export function parseObject(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  let json: unknown
  try {
    json = JSON.parse(strictUtf8.decode(bytes))
  } catch (error) {
    // The parser's own sentence quotes the body.
    const position = error instanceof SyntaxError ? /at position (\d+)/.exec(error.message)?.[1] : undefined
    const where = position === undefined ? '' : ` (at character ${position})`
    throw apiError('request.bad-json', { message: `The body is not valid JSON${where}.` })
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw apiError('request.not-an-object')
  return json as Record<string, unknown>
}

function refuseDuplicates(members: readonly Member[]): void {
  for (const field of ACTED_FIELDS)
    if (members.filter((member) => member.key === field).length > 1)
      throw apiError('request.duplicate-field', { message: `'${field}' is given twice.`, field })
}

function checkFields(path: keyof typeof REQUEST_BY_PATH, json: Readonly<Record<string, unknown>>): Fields {
  const checked = REQUEST_BY_PATH[path].safeParse(json)
  if (!checked.success) {
    const { field, says } = complaintOf(checked.error, json)
    throw badField(field, says)
  }
  const fields: Fields = checked.data
  if (baseName(fields.model) === '') throw badField('model', 'must name a model')
  if (isGiven(fields.stream_options) && fields.stream !== true)
    throw badField('stream_options', 'is only allowed with stream: true')
  return fields
}

const badField = (field: string, says: string) =>
  apiError('request.bad-field', { message: `'${field}' ${says}.`, field })

/** `null` is how some libraries say nothing. */
const isGiven = <T>(value: T | null | undefined): value is T => value !== null && value !== undefined

interface TokenLimit {
  /** What the body must say. */
  readonly perChoice: number
  /** Whether the body says so already. */
  readonly given: boolean
  /** Over all choices of all prompts. */
  readonly reserved: number
}

function tokenLimit(fields: Fields, defaults: RequestDefaults): TokenLimit {
  const { max_tokens: old, max_completion_tokens: current } = fields
  if (isGiven(old) && isGiven(current) && old !== current)
    throw apiError('request.conflicting-limits', { field: 'max_completion_tokens' })
  const perChoice = current ?? old ?? defaults.maxTokens
  const choices = Math.max(fields.n ?? 1, fields.best_of ?? 1)
  const reserved = perChoice * choices * (countPrompts(fields.prompt) ?? 1)
  if (reserved > MAX_INT31)
    throw apiError('request.too-many-tokens', { field: isGiven(current) ? 'max_completion_tokens' : 'max_tokens' })
  return { perChoice, given: isGiven(current ?? old), reserved }
}

const REMOVED: ReadonlySet<string> = new Set(CONTROL_FIELDS)
/** `null` means "not given", which not every engine knows. */
const REMOVED_IF_NULL: ReadonlySet<string> = new Set(ACTED_FIELDS)

function rewrite(
  bytes: Uint8Array,
  members: readonly Member[],
  json: Readonly<Record<string, unknown>>,
  model: string,
  limit: TokenLimit | undefined,
): Uint8Array {
  const kept = members.filter(({ key }) => !REMOVED.has(key) && !(REMOVED_IF_NULL.has(key) && json[key] === null))
  const added = limit === undefined || limit.given ? [] : [`"max_tokens":${limit.perChoice}`]
  const base = baseName(model)
  if (kept.length === members.length && added.length === 0 && base === model) return bytes
  const written = kept.map((member) =>
    member.key === 'model' && base !== model ? Buffer.from(`"model":${JSON.stringify(base)}`) : member.bytes,
  )
  return writeObject(written, added)
}
