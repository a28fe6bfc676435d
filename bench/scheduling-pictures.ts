/** Draws docs/pictures/scheduling-*.svg from the simulation: `npm run pictures`. The same seed, the same pictures. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { type Chart, drawChart } from './charts.ts'
import { type PolicyName, POLICIES, successBesideBroken, underLoad } from './scheduling-experiments.ts'

const SEED = 1
const FOLDER = new URL('../docs/pictures/', import.meta.url)
const BROKEN_SHARES = [0, 0.05, 0.1, 0.2, 0.3]

const say = (text: string): void => void process.stdout.write(`${text}\n`)

function write(name: string, chart: Chart): void {
  writeFileSync(new URL(name, FOLDER), drawChart(chart))
  say(`docs/pictures/${name}`)
}

mkdirSync(FOLDER, { recursive: true })
const names = Object.keys(POLICIES) as PolicyName[]
const loads = names.map((name) => {
  say(`simulating overload: ${name}`)
  return { name, points: underLoad(name, SEED) }
})
write('scheduling-goodput.svg', {
  title: 'Answers in time',
  x: 'requests asked for ÷ requests the workers can do',
  y: 'answers in time ÷ requests the workers can do',
  series: loads.map(({ name, points }) => ({ name, points: points.map((p) => [p.load, p.goodput] as const) })),
})
write('scheduling-wait.svg', {
  title: 'Wait for a worker, 99th percentile of those served',
  x: 'requests asked for ÷ requests the workers can do',
  y: 'seconds',
  series: loads.map(({ name, points }) => ({ name, points: points.map((p) => [p.load, p.waitP99] as const) })),
})
write('scheduling-broken.svg', {
  title: 'Requests that succeed while some workers fail everything at once',
  x: 'per cent of the workers that fail',
  y: 'per cent of the requests',
  series: names
    .filter((name) => name !== 'queue without admission')
    .map((name) => {
      say(`simulating failing workers: ${name}`)
      const points = BROKEN_SHARES.map((share) => [100 * share, 100 * successBesideBroken(name, share, SEED)] as const)
      return { name, points }
    }),
})
