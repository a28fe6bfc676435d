/** What a model can do at its engine: the words that engines, workers, proxies and clients share. */

/** Kinds of requests first, then what such a request may ask for. */
export const ABILITIES = [
  'chat',
  'completions',
  'embeddings',
  'rerank',
  'transcription',
  'tools',
  'json-schema',
  'vision',
  'audio',
  'reasoning',
] as const
export type Ability = (typeof ABILITIES)[number]

/** What is in neither list is not known. */
export interface Abilities {
  readonly can: readonly Ability[]
  readonly cannot: readonly Ability[]
  /** Tokens of prompt and answer together; null where it is not known. */
  readonly contextLength: number | null
}

export const NOTHING_KNOWN: Abilities = { can: [], cannot: [], contextLength: null }

export const isAbility = (word: unknown): word is Ability => ABILITIES.some((ability) => ability === word)

/** Names that this version does not know tell it nothing; of two claims the first list counts. Throws nothing. */
export function abilitiesFrom(can: readonly unknown[], cannot: readonly unknown[], contextLength: unknown): Abilities {
  const able = ABILITIES.filter((one) => can.includes(one))
  return {
    can: able,
    cannot: ABILITIES.filter((one) => cannot.includes(one) && !able.includes(one)),
    contextLength: isCount(contextLength) ? contextLength : null,
  }
}

/** What `first` says, and where it says nothing, what `second` does. */
export function firstOf(first: Abilities, second: Abilities): Abilities {
  const says = (one: Ability): boolean => first.can.includes(one) || first.cannot.includes(one)
  const add = (list: 'can' | 'cannot'): readonly Ability[] =>
    ABILITIES.filter((one) => first[list].includes(one) || (!says(one) && second[list].includes(one)))
  return { can: add('can'), cannot: add('cannot'), contextLength: first.contextLength ?? second.contextLength }
}

/** Far above any model; what is beyond is a mistake or a lie. */
const MAX_CONTEXT = 1_000_000_000

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= MAX_CONTEXT
