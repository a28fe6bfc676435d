/** The models as clients of ours are told of them: every enabled worker, cheapest first, with what it said it can do. */
import { encodableAbilities, type FieldsOf, type X1Worker, type x1Model } from '../../tl/index.ts'
import type { WorkerPool, WorkerSlot } from './scheduler.ts'

/** Bits of a worker's flags word. */
const HAS_ABILITIES = 1
const HAS_INSTANCE = 2

/** A model without a worker still appears, with none. */
export const modelsOf = (pool: Pick<WorkerPool, 'models'>): readonly FieldsOf<typeof x1Model>[] =>
  pool.models().map(({ name, slots }) => ({
    name,
    workers: slots
      .filter((s) => s.enabled)
      .toSorted((a, b) => a.coefficient - b.coefficient)
      .map(workerOf),
  }))

const workerOf = ({ coefficient, running, capacity, evidence, abilities, instance }: WorkerSlot): X1Worker => ({
  flags: (abilities === null ? 0 : HAS_ABILITIES) | (instance === null ? 0 : HAS_INSTANCE),
  coefficient,
  activeRequests: running,
  maxActiveRequests: capacity,
  evidence,
  ...(abilities === null ? {} : { abilities: encodableAbilities(abilities) }),
  ...(instance === null ? {} : { instance }),
})
