/** What a million tokens of each class cost, from the network's price, the class and a worker's coefficient. */
import type { Quote } from '../roles/client/index.ts'

/** Price multipliers and coefficients are fractions of these. */
const WHOLE_MULTIPLIER = 10_000n
const WHOLE_COEFFICIENT = 1_000n
const MILLION = 1_000_000n

export const TOKEN_CLASSES = ['prompt', 'cached', 'completion', 'reasoning'] as const

/** nanoTON per million tokens, in the order of `TOKEN_CLASSES`. @param coefficient per mille */
export function pricesPerMillion(
  { pricePerTokenNano, multipliers }: Quote,
  coefficient: number,
): (readonly [(typeof TOKEN_CLASSES)[number], bigint])[] {
  return TOKEN_CLASSES.map((kind) => [
    kind,
    (MILLION * pricePerTokenNano * BigInt(multipliers[kind]) * BigInt(coefficient)) /
      (WHOLE_MULTIPLIER * WHOLE_COEFFICIENT),
  ])
}

/** A request for nothing, of whose quote only the prices count. */
export const NO_REQUEST = {
  path: '/v1/chat/completions',
  headers: [],
  body: new Uint8Array(),
  model: '',
  maxTokens: 0,
  maxCoefficient: 0,
  timeoutMs: 1,
  debug: false,
  traceId: '',
}
