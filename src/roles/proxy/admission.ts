/**
 * Whether a client's request may run: a pure function from what was asked and what is known. On which worker, and when, is
 * dispatcher.ts' business. Every refusal has the code and the text that peers know, in the order they expect. Source:
 * spec/wire.md, "Refusals".
 */
import type { Multipliers } from '../../chain/index.ts'
import { type ClientAccount, upperBound } from '../../ledger/index.ts'
import { decode, encode, httpRequest, httpRequestToPass, type ValueOf } from '../../tl/index.ts'
import { type Form, isZero, parseForm, toHex, writeForm } from '../../util/index.ts'
import type { Refusal } from './dispatcher.ts'
import { type Lack, type Needs, needsOf, needsOfPath } from './needs.ts'
import type { AnswerKind } from './worker-record.ts'

export interface Ask {
  readonly model: string
  /** A boxed `http.request`. */
  readonly query: Uint8Array
  readonly maxCoefficient: number
  readonly maxTokens: number
  /** Seconds. */
  readonly timeout: number
  readonly minConfigVersion: number
  /** Receiver key of an encrypted request; zeros mean a plain one. */
  readonly publicKey?: Uint8Array
}

export interface AdmissionView {
  readonly configVersion: number
  readonly enabled: boolean
  readonly multipliers: Multipliers
  readonly account: ClientAccount
}

export interface Admitted {
  /** What to hold, in adjusted tokens. */
  readonly hold: bigint
  /** For the worker: as received, or with the token limit that the caller left to its envelope written into the body. */
  readonly query: Uint8Array
  /** Of a path that generates; null where there is no prompt to recognise. */
  readonly payload: Uint8Array | null
  readonly kind: AnswerKind
  /** What its worker must be able to do. */
  readonly needs: Needs
}

/** `reason` is a word for the metric's label. */
export interface Refused {
  readonly code: number
  readonly message: string
  readonly reason: string
}

/** An hour: longer than any answer, short enough that a forgotten hold ends. */
export const MAX_TIMEOUT_S = 3600

export function admit(ask: Ask, view: AdmissionView): Admitted | Refused {
  const { account } = view
  if (ask.maxTokens < 0) return refuse(621, 'bad-field', 'max_tokens must not be negative')
  if (ask.maxCoefficient < 0) return refuse(621, 'bad-field', 'max_coefficient must not be negative')
  if (!(ask.timeout > 0 && ask.timeout <= MAX_TIMEOUT_S))
    return refuse(621, 'bad-field', `timeout must be above 0 and at most ${MAX_TIMEOUT_S} seconds`)
  // Before the balance, which is gone by then: more money would not help.
  if (account.funds.isClosing === true) return refuse(651, 'closing', 'client is closing')
  if (account.available < BigInt(ask.maxTokens))
    return refuse(602, 'balance', `client balance is too low: ${standing(account, `max_tokens=${ask.maxTokens}`)}`)
  if (ask.minConfigVersion >>> 0 > view.configVersion)
    return refuse(602, 'config-version', 'active config version is too low')
  if (!view.enabled) return refuse(651, 'disabled', 'proxy is disabled')
  const hold = upperBound(ask.maxTokens, ask.query.length, ask.maxCoefficient, view.multipliers)
  if (hold > account.available)
    return refuse(651, 'balance', `balance is too low: ${standing(account, `to_reserve=${hold}`)}`)
  if (ask.publicKey !== undefined && !isZero(ask.publicKey))
    return refuse(602, 'encryption', `unknown public key ${toHex(ask.publicKey).toUpperCase()}`)
  const checked = agreeOnLimit(ask)
  if ('code' in checked) return checked
  return { hold, ...checked }
}

/** The pool's and the queue's no, in the words that peers know. */
export function sayRefusal(model: string, refusal: Refusal): Refused {
  const { reason, lowestCoefficient, waitMs, retryAfterMs } = refusal
  switch (reason) {
    case 'unknown-model':
      return refuse(621, reason, `unknown model ${model}`)
    case 'no-workers':
      return refuse(651, reason, `no workers for model ${model}; try again in ${retryAfterMs} ms`)
    case 'price':
      return refuse(651, reason, `can run this query with coefficient=${lowestCoefficient}`)
    case 'unfit':
      return refuse(621, reason, lacking(refusal.lacks))
  }
  // A caller with more to spend need not wait.
  if (lowestCoefficient !== undefined)
    return refuse(651, reason, `can run this query with coefficient=${lowestCoefficient}`)
  const seconds = (waitMs / 1000).toFixed(1)
  const why = {
    busy: '',
    'all-tried': ': all have failed this request',
    'queue-full': ': the queue is full',
    'queue-wait': `: the wait would be about ${seconds} s`,
    'queue-displaced': ': the queue is full, and most of it is yours',
    'queue-expired': `: waited ${seconds} s`,
  }[reason]
  return refuse(651, reason, `no ready workers for model ${model}${why}; try again in ${retryAfterMs} ms`)
}

/** The field stands last, where clients of ours look for it. */
function lacking(lacks: Lack | undefined): string {
  if (lacks === undefined) return 'no worker of this model can do this'
  const { what, field, contextLength } = lacks
  return what === 'context'
    ? `no worker of this model has room for this: its context has ${contextLength} tokens; see ${field}`
    : `no worker of this model can do ${what}; see ${field}`
}

/** Paths whose answer length a token limit in the body decides. */
const GENERATING = new Set(['/v1/chat/completions', '/v1/completions'])

/**
 * What is reserved is what may be generated: a body that asks for more than its envelope is refused, and one that says
 * nothing (older clients leave the default to the envelope) gets the envelope's limit.
 */
function agreeOnLimit({ query, maxTokens }: Ask): Omit<Admitted, 'hold'> | Refused {
  let request: ValueOf<typeof httpRequestToPass>
  try {
    request = decode(httpRequestToPass, query)
  } catch (error) {
    return refuse(621, 'bad-request', `proxy: invalid http request: ${(error as Error).message}`)
  }
  const { payload } = request
  const path = request.url.split('?', 1)[0] as string
  const plain = { query, payload: null, kind: 'whole', needs: needsOfPath(path) } as const
  if (path === FORM_PATH) return agreeOnFormLimit(request, plain, maxTokens)
  if (!GENERATING.has(path)) return plain
  const body = parseObject(payload)
  if (body === null) return plain
  const kind: AnswerKind = body['stream'] === true ? 'streamed' : 'whole'
  const limits = [body['max_tokens'], body['max_completion_tokens']].filter((v) => typeof v === 'number')
  const choices = Math.max(1, count(body['n']), count(body['best_of'])) * promptsIn(body['prompt'])
  const asked = Math.max(0, ...limits) * choices
  if (asked > maxTokens) return limitMismatch(asked, maxTokens)
  if (limits.length > 0) return { query, payload, kind, needs: needsOf(path, body, Math.max(...limits)) }
  const perChoice = Math.floor(maxTokens / choices)
  const limited = withLimit(payload, perChoice)
  const needs = needsOf(path, body, perChoice)
  return { query: encode(httpRequestToPass, { ...request, payload: limited }), payload, kind, needs }
}

const limitMismatch = (asked: number, maxTokens: number): Refused =>
  refuse(
    621,
    'limit-mismatch',
    `the body asks for up to ${asked} tokens, the envelope reserves max_tokens=${maxTokens}`,
  )

/** The one path whose body is a form; its values are texts. */
const FORM_PATH = '/v1/audio/transcriptions'
const LIMITS: ReadonlySet<string> = new Set(['max_tokens', 'max_completion_tokens'])

/** The same for a form. Of several values the largest counts: nobody knows which one an engine takes. */
function agreeOnFormLimit(
  request: ValueOf<typeof httpRequestToPass>,
  plain: Omit<Admitted, 'hold'>,
  maxTokens: number,
): Omit<Admitted, 'hold'> | Refused {
  const { payload } = request
  // The whole head of the request is only skipped over when it is passed on: here one header of it counts.
  const { headers } = decode(httpRequest, plain.query)
  const type = headers.find(({ name }) => name.toLowerCase() === 'content-type')?.value ?? ''
  let form: Form
  try {
    form = parseForm(payload, type)
  } catch {
    // The worker judges bodies.
    return plain
  }
  const limits = form.parts.filter(({ name }) => LIMITS.has(name)).map(({ value }) => decoder.decode(value).trim())
  const asked = Math.max(0, ...limits.map(Number).filter(Number.isFinite))
  if (asked > maxTokens) return limitMismatch(asked, maxTokens)
  // An engine might take zero for a wish. What it reports is held against the reservation in any case.
  if (limits.length > 0 || maxTokens === 0) return plain
  const parts = [...form.parts, { name: 'max_tokens', value: new TextEncoder().encode(String(maxTokens)) }]
  return { ...plain, query: encode(httpRequestToPass, { ...request, payload: writeForm({ ...form, parts }) }) }
}

/** `/v1/completions` takes several prompts at once: a list of texts or of token lists. One list of tokens is one prompt. */
const promptsIn = (prompt: unknown): number =>
  Array.isArray(prompt) && prompt.some((p) => typeof p !== 'number') ? prompt.length : 1

const count = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) ? value : 1)

/** One for all: making one costs more than decoding most bodies. */
const decoder = new TextDecoder()

/** The worker judges bodies; here a body that is no JSON object simply has no limit to compare. */
function parseObject(payload: Uint8Array): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(decoder.decode(payload))
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null
  } catch {
    return null
  }
}

/** The object's text with `max_tokens` as its first member; everything else byte for byte. */
function withLimit(payload: Uint8Array, maxTokens: number): Uint8Array {
  const text = decoder.decode(payload)
  const brace = text.indexOf('{') + 1
  const isEmpty = /^\s*\}/.test(text.slice(brace, brace + 64))
  return new TextEncoder().encode(
    `${text.slice(0, brace)}"max_tokens":${maxTokens}${isEmpty ? '' : ','}${text.slice(brace)}`,
  )
}

function standing(a: ClientAccount, wanted: string): string {
  return `${wanted} tokens_payed=${a.payed} tokens_used=${a.totals.max} tokens_reserved=${a.reserved} tokens_stake=${a.stakeTokens} available=${a.available}`
}

const refuse = (code: number, reason: string, message: string): Refused => ({ code, reason, message })
