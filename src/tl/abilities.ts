/** What a model can do, on the wire and in our words. */
import { type Abilities, abilitiesFrom } from '../util/index.ts'
import type { X1Abilities } from './schema/x1.ts'

export const encodableAbilities = ({ can, cannot, contextLength }: Abilities): X1Abilities => ({
  flags: contextLength === null ? 0 : 1,
  can,
  cannot,
  ...(contextLength === null ? {} : { contextLength }),
})

/** A peer's words: those that nobody here knows are left out. */
export const abilitiesOf = ({ can, cannot, contextLength }: X1Abilities): Abilities =>
  abilitiesFrom(can, cannot, contextLength)
