/**
 * What an HTTP engine says of its model: in `/v1/models` (vLLM and ours have `max_model_len`, ours also `abilities`, llama-server
 * `meta`), and in llama-server's `/props`. What nobody says stays unknown.
 */
import { type Abilities, abilitiesFrom, firstOf, NOTHING_KNOWN } from '../util/index.ts'

type Json = Readonly<Record<string, unknown>>

/** @param models the body of `/v1/models`, as text; anything else tells nothing */
export function describeFromModels(models: string, model: string): Abilities {
  const { data } = objectIn(models)
  const listed: readonly unknown[] = Array.isArray(data) ? data : []
  const entry = asObject(
    listed.find((one) => asObject(one)['id'] === model) ?? (listed.length === 1 ? listed[0] : null),
  )
  const told = asObject(entry['abilities'])
  const own = abilitiesFrom(listOf(told['can']), listOf(told['cannot']), null)
  // `n_ctx_train` is what the model was made for; the engine may have been started with less, which only /props says.
  return { ...own, contextLength: abilitiesFrom([], [], entry['max_model_len']).contextLength }
}

/** @param props the body of llama-server's `/props` */
export function describeFromProps(props: string): Abilities {
  const all = objectIn(props)
  const settings = asObject(all['default_generation_settings'])
  const modalities = asObject(all['modalities'])
  const [can, cannot]: [string[], string[]] = [[], []]
  for (const [ability, value] of [
    ['vision', modalities['vision']],
    ['audio', modalities['audio']],
  ] as const)
    if (typeof value === 'boolean') (value ? can : cannot).push(ability)
  return abilitiesFrom(can, cannot, settings['n_ctx'])
}

/** In words of the two: what the first leaves open, the second may know. */
export const describe = (models: string, model: string, props: string | null): Abilities =>
  firstOf(describeFromModels(models, model), props === null ? NOTHING_KNOWN : describeFromProps(props))

const asObject = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {})
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

function objectIn(text: string): Json {
  try {
    return asObject(JSON.parse(text))
  } catch {
    return {}
  }
}
