/** `npm run bench`: every figure in one table, against its goal and against what baselines.json remembers. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type Benchmark, type Figure, meetsGoal } from './benchmark.ts'
import { attestBenchmark } from './attest.bench.ts'
import { chainBenchmark } from './chain.bench.ts'
import { evidenceBenchmark } from './evidence.bench.ts'
import { gatewayBenchmark } from './gateway.bench.ts'
import { latencyBenchmark } from './latency.bench.ts'
import { ledgerBenchmark } from './ledger.bench.ts'
import { memoryBenchmark } from './memory.bench.ts'
import { microBenchmark } from './micro.bench.ts'
import { overloadBenchmark } from './overload.bench.ts'
import { powBenchmark } from './pow.bench.ts'
import { schedulingBenchmark } from './scheduling.bench.ts'

const BENCHMARKS: readonly Benchmark[] = [
  chainBenchmark,
  latencyBenchmark,
  gatewayBenchmark,
  ledgerBenchmark,
  memoryBenchmark,
  overloadBenchmark,
  powBenchmark,
  schedulingBenchmark,
  microBenchmark,
  attestBenchmark,
  evidenceBenchmark,
]
const BASELINES = new URL('./baselines.json', import.meta.url)

const HELP = `usage: npm run bench -- [--only NAME]… [--seconds N] [--seed N] [--update] [--profile FOLDER]

  --only NAME       run this one; may be given several times
  --seconds N       how long each measured part runs (default 4)
  --seed N          of all random input (default 1)
  --update          write the figures into bench/baselines.json
  --profile FOLDER  write a CPU profile of each role into the folder

${BENCHMARKS.map(({ name, what }) => `  ${name.padEnd(16)}${what}`).join('\n')}

Exit status 1: a goal was missed or a result was wrong. Compare figures of one machine only.
`

interface Baselines {
  readonly machine: string
  readonly date: string
  readonly commit: string
  readonly figures: Readonly<Record<string, { readonly value: number; readonly unit: string }>>
}

const say = (text: string): void => void process.stdout.write(`${text}\n`)

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true, default: [] },
      seconds: { type: 'string', default: '4' },
      seed: { type: 'string', default: '1' },
      update: { type: 'boolean', default: false },
      profile: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(HELP)
    return 0
  }
  const [seconds, seed] = [Number(values.seconds), Number(values.seed)]
  const unknown = values.only.find((name) => !BENCHMARKS.some((b) => b.name === name))
  if (unknown !== undefined || !(seconds > 0) || !Number.isInteger(seed)) {
    process.stderr.write(unknown === undefined ? HELP : `no benchmark ${unknown}\n${HELP}`)
    return 2
  }
  const profileInto = values.profile === undefined ? undefined : resolve(values.profile)
  if (profileInto !== undefined) mkdirSync(profileInto, { recursive: true })
  const old = readBaselines()
  say(machine())
  const found = new Map<string, Figure>()
  for (const benchmark of BENCHMARKS) {
    if (values.only.length > 0 && !values.only.includes(benchmark.name)) continue
    say(`\n${benchmark.name}: ${benchmark.what}`)
    for (const figure of await benchmark.run({ seconds, seed, profileInto })) {
      const key = `${benchmark.name}: ${figure.name}`
      found.set(key, figure)
      say(rowOf(figure, old?.figures[key]?.value))
    }
  }
  if (values.update) writeBaselines(old, found)
  const missed = [...found].filter(([, figure]) => !meetsGoal(figure))
  for (const [key] of missed) say(`\nmissed: ${key}`)
  return missed.length === 0 ? 0 : 1
}

function rowOf({ name, value, unit, goal }: Figure, before: number | undefined): string {
  const bound = goal === undefined ? '' : 'atLeast' in goal ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`
  const then = before === undefined ? '' : `was ${rounded(before)}`
  return `  ${name.padEnd(42)}${rounded(value).padStart(12)} ${unit.padEnd(10)}${bound.padEnd(8)}${then}`
}

const rounded = (value: number): string =>
  value >= 1000 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3)

function machine(): string {
  const cpus = os.cpus()
  const gib = Math.round(os.totalmem() / 2 ** 30)
  return `${os.platform()} ${os.arch()}, ${cpus.length} × ${cpus[0]?.model ?? 'unknown'}, ${gib} GiB, Node ${process.versions.node}`
}

function readBaselines(): Baselines | undefined {
  return existsSync(BASELINES) ? (JSON.parse(readFileSync(BASELINES, 'utf8')) as Baselines) : undefined
}

/** Figures of benchmarks that did not run stay; they must be of the same machine. */
function writeBaselines(old: Baselines | undefined, found: ReadonlyMap<string, Figure>): void {
  const kept = old?.machine === machine() ? old.figures : {}
  const figures = { ...kept }
  for (const [key, { value, unit }] of found) figures[key] = { value: Number(value.toPrecision(4)), unit }
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  const baselines: Baselines = { machine: machine(), date: new Date().toISOString().slice(0, 10), commit, figures }
  writeFileSync(BASELINES, `${JSON.stringify(baselines, null, 2)}\n`)
}

process.exitCode = await main()
