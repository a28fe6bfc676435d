/**
 * Breaks the contracts on purpose and asks the tests whether they notice: `node bin/run.mjs contracts/mutate.ts
 * [--file client.tolk] [--line N] [--seed N --sample N] [--fresh]`. A mutant that survives is printed; it is either explained
 * in contracts/survivors.json, by its line and change, or it is a missing test. Exit code 1 while an unexplained one remains.
 *
 * Verdicts are kept under node_modules/.cache by source and by the code that a mutant compiles to, so an interrupted run goes on
 * where it stopped, runs for single files can go beside each other, and survivors are tried again; `--fresh` tries all again. A
 * whole run takes about forty minutes of one core, and also names explanations that explain nothing any more.
 */
import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { buildFile, compileContract, CONTRACTS, type ContractBuild, type ContractName } from './build.ts'
import { type Mutant, mutantsOf } from './mutants.ts'
import { loadTests, type LoadedTests, standInForVitest } from './quick-runner.ts'

const FOLDER = fileURLToPath(new URL('./', import.meta.url))

/** Which contracts a source file is part of, and the tests that hold them. */
const USERS: Readonly<Record<string, readonly ContractName[]>> = {
  'client.tolk': ['client'],
  'worker.tolk': ['worker'],
  'proxy.tolk': ['proxy'],
  'root.tolk': ['root'],
  'wallet.tolk': ['wallet'],
  'storage.tolk': ['client', 'worker', 'proxy', 'root', 'wallet'],
  'messages.tolk': ['client', 'worker', 'proxy', 'root', 'wallet'],
}
const TESTS: Readonly<Record<string, readonly string[]>> = {
  client: ['client', 'proxy', 'build', 'model'],
  worker: ['worker', 'proxy', 'build', 'model'],
  proxy: ['proxy', 'worker', 'build', 'model'],
  root: ['root', 'model'],
  wallet: ['wallet', 'build'],
}

interface Explained {
  readonly file: string
  readonly was: string
  readonly is: string
  readonly why: string
}

type Verdict = 'killed' | 'survived' | 'same' | 'unbuildable'
type Counts = Record<Exclude<Verdict, 'survived'> | 'explained' | 'survived', number>

const CACHE = fileURLToPath(new URL('../node_modules/.cache/cocoon/', import.meta.url))

const storedBuild = (name: ContractName): ContractBuild =>
  JSON.parse(readFileSync(buildFile(name), 'utf8')) as ContractBuild

async function run(): Promise<number> {
  const { values } = parseArgs({
    options: {
      file: { type: 'string' },
      line: { type: 'string' },
      seed: { type: 'string' },
      sample: { type: 'string' },
      fresh: { type: 'boolean', default: false },
    },
  })
  const files = values.file === undefined ? Object.keys(USERS) : [values.file]
  const explained = JSON.parse(readFileSync(join(FOLDER, 'survivors.json'), 'utf8')) as readonly Explained[]
  let mutants = files.flatMap((file) => mutantsOf(file, readFileSync(join(FOLDER, file), 'utf8')))
  if (values.line !== undefined) mutants = mutants.filter((m) => m.line === Number(values.line))
  if (values.sample !== undefined) mutants = shuffled(mutants, Number(values.seed ?? 1)).slice(0, Number(values.sample))
  const isWhole = values.file === undefined && values.line === undefined && values.sample === undefined

  const judge = await createJudge(values.fresh)
  const counts: Record<string, Counts> = {}
  const explains = (m: Mutant) => (e: Explained) => e.file === m.file && e.was === m.was.trim() && e.is === m.is.trim()
  const used = new Set<Explained>()
  for (const [index, mutant] of mutants.entries()) {
    const verdict = await judge.verdictOf(mutant)
    const why = verdict === 'survived' ? explained.find(explains(mutant)) : undefined
    if (why !== undefined) used.add(why)
    const of = (counts[mutant.file] ??= { killed: 0, same: 0, unbuildable: 0, explained: 0, survived: 0 })
    of[why === undefined ? verdict : 'explained']++
    if (verdict === 'survived' && why === undefined) {
      const { file, line, was, is } = mutant
      process.stdout.write(`${clear()}SURVIVED ${file}:${line}\n  - ${was.trim()}\n  + ${is.trim()}\n`)
    }
    showProgress(index + 1, mutants.length, Object.values(counts))
  }
  judge.close()
  process.stdout.write(`${clear()}${mutants.length} mutants: ${JSON.stringify(counts, null, 2)}\n`)
  if (isWhole) {
    for (const e of explained)
      if (!used.has(e)) process.stdout.write(`no mutant survives that this explains: ${e.file}: ${e.is}\n`)
  }
  return Object.values(counts).every((c) => c.survived === 0) ? 0 : 1
}

/** Compiles mutants, runs their tests in this process until one fails, and remembers what came of them. */
async function createJudge(fresh: boolean) {
  mkdirSync(CACHE, { recursive: true })
  const cache = join(CACHE, 'mutants.jsonl')
  if (fresh) rmSync(cache, { force: true })
  /** Verdicts by source and by code: most mutants of unchanged sources need no compiler. */
  const known = new Map<string, Verdict>()
  for (const line of existsSync(cache) ? readFileSync(cache, 'utf8').split('\n') : []) {
    const [key, verdict] = line.split(' ')
    if (key !== undefined && verdict !== undefined) known.set(key, verdict as Verdict)
  }
  const remember = (verdict: Verdict, ...keys: readonly string[]): Verdict => {
    for (const key of keys) known.set(key, verdict)
    appendFileSync(cache, keys.map((key) => `${key} ${verdict}\n`).join(''))
    return verdict
  }
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-mutant-'))
  process.env['COCOON_MUTANT_FOLDER'] = folder
  standInForVitest()
  const loaded = new Map<string, LoadedTests>()
  const testsOf = async (name: string): Promise<LoadedTests> => {
    const tests = loaded.get(name) ?? (await loadTests(new URL(`test/${name}.test.ts`, import.meta.url)))
    if (!loaded.has(name)) {
      for (const contract of CONTRACTS) rmSync(buildFile(contract, pathToFileURL(`${folder}/`)), { force: true })
      const failure = await tests.firstFailure()
      if (failure !== null) throw new RangeError(`${name}.test.ts fails on the contracts as they are: ${failure}`)
      loaded.set(name, tests)
    }
    return tests
  }
  const sources = [...Object.keys(USERS), 'errors.tolk'].map((file) => readFileSync(join(FOLDER, file), 'utf8'))

  const judge = async (mutant: Mutant, bySource: string): Promise<Verdict> => {
    const lines = readFileSync(join(FOLDER, mutant.file), 'utf8').split('\n')
    lines[mutant.line - 1] = mutant.is
    const changed: ContractBuild[] = []
    for (const name of USERS[mutant.file] ?? []) {
      const build = await compileContract(name, { [mutant.file]: lines.join('\n') }).catch(() => null)
      if (build === null) return remember('unbuildable', bySource)
      if (build.hash !== storedBuild(name).hash) changed.push(build)
    }
    if (changed.length === 0) return remember('same', bySource)
    const byCode = digest(...changed.map((b) => `${b.contract} ${b.hash}`))
    if (known.get(byCode) === 'killed') return remember('killed', bySource)
    for (const name of new Set(changed.flatMap((build) => TESTS[build.contract] ?? []))) {
      const tests = await testsOf(name)
      for (const contract of CONTRACTS) rmSync(buildFile(contract, pathToFileURL(`${folder}/`)), { force: true })
      for (const build of changed)
        writeFileSync(buildFile(build.contract, pathToFileURL(`${folder}/`)), JSON.stringify(build))
      if ((await tests.firstFailure()) !== null) return remember('killed', bySource, byCode)
    }
    return 'survived'
  }

  return {
    close: (): void => rmSync(folder, { recursive: true }),
    verdictOf: async (mutant: Mutant): Promise<Verdict> => {
      const bySource = digest(...sources, mutant.file, String(mutant.line), mutant.is)
      return known.get(bySource) ?? (await judge(mutant, bySource))
    },
  }
}

const digest = (...of: readonly string[]): string => createHash('sha256').update(of.join('\0')).digest('hex')

const clear = (): string => (process.stderr.isTTY ? '\r\u001B[K' : '')

/** A bar on a terminal, a line now and then elsewhere. */
function showProgress(at: number, of: number, counts: readonly Counts[]): void {
  const survived = counts.reduce((sum, c) => sum + c.survived, 0)
  const text = `${at}/${of}, ${survived} unexplained`
  const width = 30
  const filled = Math.round((width * at) / of)
  if (process.stderr.isTTY) process.stderr.write(`\r[${'#'.repeat(filled)}${'.'.repeat(width - filled)}] ${text}`)
  else if (at % 25 === 0) process.stderr.write(`${text}\n`)
}

/** Fisher and Yates, with a seed. */
function shuffled<T>(of: readonly T[], seed: number): T[] {
  const out = [...of]
  let state = seed >>> 0
  for (let i = out.length - 1; i > 0; i--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const j = state % (i + 1)
    const [a, b] = [out[i] as T, out[j] as T]
    out[i] = b
    out[j] = a
  }
  return out
}

if (import.meta.main) process.exitCode = await run()
