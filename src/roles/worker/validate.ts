/**
 * Whether a request may reach the engine. The proxy and the client are other people's programs: everything is checked
 * again here. Fields that nobody here knows pass through; the engine judges them.
 */
import type { HttpRequest } from '../../tl/index.ts'
import { CocoonError, isZero, parseForm } from '../../util/index.ts'

/** Routes that engines serve, with the field that each cannot do without. */
const ROUTES: Readonly<Record<string, string>> = {
  '/v1/chat/completions': 'messages',
  '/v1/completions': 'prompt',
  '/v1/embeddings': 'input',
  '/v1/rerank': 'documents',
}

/** The one request that is a form and not JSON. */
const TRANSCRIPTIONS = '/v1/audio/transcriptions'

export interface ValidRequest {
  readonly path: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Uint8Array
}

/** Told to the proxy as an error answer. */
export interface Invalid {
  readonly code: number
  readonly message: string
}

/** Deeper JSON than any real request, far below what exhausts a stack. */
const MAX_DEPTH = 64
/** Never passed to an engine: they concern the hops in between, or are secrets of the caller. */
const DROPPED_HEADERS = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'keep-alive',
  'upgrade',
  'te',
  'trailer',
  'expect',
  'authorization',
  'cookie',
  'accept-encoding',
  'proxy-authorization',
  'proxy-connection',
])

/** @param model the base name this worker serves */
export function validateRequest(
  request: HttpRequest,
  model: string,
  privateKey: Uint8Array | undefined,
): ValidRequest | Invalid {
  const path = request.url.slice(Math.max(0, request.url.indexOf('/')))
  const needed = path === TRANSCRIPTIONS ? 'file' : Object.hasOwn(ROUTES, path) ? ROUTES[path] : undefined
  if (needed === undefined || request.method !== 'POST') return invalid(621, 'unsupported method')
  for (const { name, value } of request.headers)
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || /[\r\n\0]/.test(value)) return invalid(621, 'bad header')
  const body = path === TRANSCRIPTIONS ? parseFormBody(request) : parseBody(request.payload)
  if (typeof body === 'string') return invalid(621, body)
  if ('is_encrypted' in body) return { code: 602, message: 'cannot find private key for an encrypted request' }
  if (privateKey !== undefined && !isZero(privateKey))
    return { code: 602, message: 'encryption key is provided, but request is unencrypted' }
  const problem = checkFields(body, needed)
  if (problem !== null) return invalid(621, problem)
  if (body['model'] !== model) return { code: 621, message: 'model name mismatch' }
  const headers = request.headers.filter((h) => !DROPPED_HEADERS.has(h.name.toLowerCase()))
  return { path, headers: headers.map((h) => [h.name, h.value] as const), body: request.payload }
}

type Body = Readonly<Record<string, unknown>>

/** Type rules for the fields that this node or the money depends on. */
const RULES: readonly (readonly [field: string, isRight: (v: unknown) => boolean, must: string])[] = [
  ['model', (v) => typeof v === 'string', 'must be a string'],
  ['stream', (v) => typeof v === 'boolean', 'must be a boolean'],
  ['stream_options', (v) => typeof v === 'object' && v !== null && !Array.isArray(v), 'must be an object'],
  ['max_tokens', isCount, 'must be an integer of at least 0'],
  ['max_completion_tokens', isCount, 'must be an integer of at least 0'],
  ['n', (v) => isCount(v) && v !== 0, 'must be positive'],
  ['best_of', (v) => isCount(v) && v !== 0, 'must be positive'],
  ['messages', Array.isArray, 'must be an array'],
  ['prompt', (v) => typeof v === 'string' || Array.isArray(v), 'must be a string or an array'],
  ['query', (v) => typeof v === 'string', 'must be a string'],
  ['documents', Array.isArray, 'must be an array'],
  ['input', (v) => typeof v === 'string' || Array.isArray(v), 'must be a string or an array'],
]

function checkFields(body: Body, needed: string): string | null {
  for (const field of ['model', needed]) if (!(field in body)) return `missing required field '${field}'`
  for (const [field, isRight, must] of RULES) if (field in body && !isRight(body[field])) return `${field} ${must}`
  const usage = (body['stream_options'] as Body | undefined)?.['include_usage']
  if (usage !== undefined && typeof usage !== 'boolean') return 'stream_options.include_usage must be a boolean'
  return null
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0x7fffffff
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true })

/** The object, or what is wrong with it. Depth is measured on the bytes, before anything recursive sees them. */
function parseBody(payload: Uint8Array): Body | string {
  if (depthOf(payload) > MAX_DEPTH) return `json is nested deeper than ${MAX_DEPTH}`
  try {
    const value: unknown = JSON.parse(strictUtf8.decode(payload))
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Body)
      : 'expected json object'
  } catch {
    return 'expected json object'
  }
}

/** Fields that an OpenAI form has as numbers and flags; the rest of it is text. */
const NUMBERS: ReadonlySet<string> = new Set(['max_tokens', 'max_completion_tokens'])

/** The texts of the form as if they were JSON, so that the same rules hold; of two parts of one name the last counts. */
function parseFormBody({ headers, payload }: HttpRequest): Body | string {
  try {
    const type = headers.find(({ name }) => name.toLowerCase() === 'content-type')?.value ?? ''
    const fields: Record<string, unknown> = Object.create(null) as Record<string, unknown>
    for (const { name, value } of parseForm(payload, type).parts) {
      const text = name === 'file' ? '' : strictUtf8.decode(value)
      if (name === 'stream') fields[name] = text === 'true' || text === '1'
      else fields[name] = NUMBERS.has(name) && /^\d{1,10}$/.test(text) ? Number(text) : text
    }
    return fields
  } catch (error) {
    return error instanceof CocoonError ? `bad form: ${error.message}` : 'bad form: a field is not UTF-8'
  }
}

const [QUOTE, BACKSLASH] = [0x22, 0x5c]

function depthOf(json: Uint8Array): number {
  let [depth, deepest, inString] = [0, 0, false]
  for (let i = 0; i < json.length; i++) {
    const byte = json[i] as number
    if (inString) {
      if (byte === BACKSLASH) i++
      else if (byte === QUOTE) inString = false
    } else if (byte === QUOTE) inString = true
    // Brackets and braces of one kind differ in one bit.
    else if ((byte | 0x20) === 0x7b) deepest = Math.max(deepest, ++depth)
    else if ((byte | 0x20) === 0x7d) depth--
  }
  return deepest
}

const invalid = (code: number, problem: string): Invalid => ({
  code,
  message: `worker: invalid http request: ${problem}`,
})
