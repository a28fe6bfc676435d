/** What the playground asks: a conversation and its parameters, as the body of a chat completion. */

export interface Turn {
  readonly role: 'user' | 'assistant'
  readonly content: string
}

/** As they stand in the controls; empty: the node's or the engine's own. */
export interface Parameters {
  readonly system: string
  readonly maxTokens: string
  readonly temperature: string
  readonly topP: string
  readonly seed: string
  /** `0.01 TON`. */
  readonly maxCost: string
  /** Times the network's price. */
  readonly maxPrice: string
  readonly asJson: boolean
}

export const PARAMETERS: Parameters = {
  system: '',
  maxTokens: '512',
  temperature: '',
  topP: '',
  seed: '',
  maxCost: '',
  maxPrice: '',
  asJson: false,
}

/** Coefficients are per mille. */
const WHOLE_COEFFICIENT = 1_000

/** Without what streaming needs. Text that is no number is left out: the controls mark it. */
export function chatBody(model: string, turns: readonly Turn[], given: Parameters): Record<string, unknown> {
  const messages = [
    ...(given.system.trim() === '' ? [] : [{ role: 'system', content: given.system }]),
    ...turns.map(({ role, content }) => ({ role, content })),
  ]
  const maxPrice = numberOf(given.maxPrice)
  const fields: Readonly<Record<string, unknown>> = {
    max_tokens: numberOf(given.maxTokens),
    temperature: numberOf(given.temperature),
    top_p: numberOf(given.topP),
    seed: numberOf(given.seed),
    max_cost: amountOf(given.maxCost),
    max_coefficient: maxPrice === undefined ? undefined : Math.round(maxPrice * WHOLE_COEFFICIENT),
    response_format: given.asJson ? { type: 'json_object' } : undefined,
  }
  const set = Object.entries(fields).filter(([, value]) => value !== undefined)
  return { model, messages, ...Object.fromEntries(set) }
}

function numberOf(text: string): number | undefined {
  const number = Number(text.trim())
  return text.trim() === '' || !Number.isFinite(number) ? undefined : number
}

/** `0.01` and `0.01 TON` are the same; the node judges the rest. */
function amountOf(text: string): string | undefined {
  const amount = text.trim()
  if (amount === '') return undefined
  return /^[\d.]+$/.test(amount) ? `${amount} TON` : amount
}

/** The same request for a terminal; the key is not in it. */
export function asCurl(origin: string, body: Readonly<Record<string, unknown>>): string {
  const json = JSON.stringify({ ...body, stream: true }, null, 2).replaceAll("'", String.raw`'\''`)
  return [
    `curl ${origin}/v1/chat/completions \\`,
    '  -H "authorization: Bearer $COCOON_API_KEY" \\',
    "  -H 'content-type: application/json' \\",
    `  -d '${json}'`,
  ].join('\n')
}
