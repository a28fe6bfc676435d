/** The proxy's scheduling on a virtual clock: the same seed gives the same figures on every machine. */
import type { Benchmark } from './benchmark.ts'
import {
  beside,
  besideSlow,
  LOADS,
  successBesideBroken,
  underLoad,
  withRepeatedPrompts,
} from './scheduling-experiments.ts'

export const schedulingBenchmark: Benchmark = {
  name: 'scheduling',
  what: 'two thousand simulated workers on a virtual clock: overload, fairness, failing and slow workers',
  async run({ seed }) {
    const points = underLoad('this proxy', seed)
    const peak = Math.max(...points.map((p) => p.goodput))
    const at = (load: number) => {
      const point = points.find((p) => p.load === load)
      if (point === undefined) throw new Error(`no point at ${load} among ${LOADS.join(', ')}`)
      return point
    }
    const fair = beside('this proxy', seed)
    const slow = besideSlow('refuse when busy', seed) / besideSlow('this proxy', seed)
    const prompts = withRepeatedPrompts('refuse when busy', seed) / withRepeatedPrompts('this proxy', seed)
    return [
      { name: 'goodput at 3 × capacity ÷ peak', value: at(3).goodput / peak, unit: '×', goal: { atLeast: 0.9 } },
      { name: 'goodput at 3 × capacity', value: at(3).goodput, unit: 'of all' },
      { name: 'wait at 3 × capacity, p99 of those served', value: at(3).waitP99, unit: 's', goal: { atMost: 10 } },
      { name: 'wait at 3 × capacity, p50 of those served', value: at(3).waitP50, unit: 's' },
      { name: 'refused at once at 3 × capacity', value: at(3).refusedAtOnce, unit: 'of those' },
      { name: 'wait at 0.8 × capacity, p99', value: at(0.8).waitP99, unit: 's' },
      {
        name: 'first token beside 100 × the load ÷ alone',
        value: fair.beside / fair.alone,
        unit: '×',
        goal: { atMost: 2 },
      },
      { name: 'served of the small client beside it', value: fair.served, unit: 'of all', goal: { atLeast: 0.99 } },
      {
        name: 'success with 10 % of workers failing',
        value: successBesideBroken('this proxy', 0.1, seed),
        unit: 'of all',
        goal: { atLeast: 0.999 },
      },
      {
        name: 'the same, least loaded without moving',
        value: successBesideBroken('refuse when busy', 0.1, seed),
        unit: 'of all',
      },
      { name: 'slow workers: least loaded ÷ ours', value: slow, unit: '×' },
      { name: 'repeated prompts: least loaded ÷ ours', value: prompts, unit: '×', goal: { atLeast: 1.5 } },
    ]
  },
}
