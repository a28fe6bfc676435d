/**
 * Breaks the contracts on purpose and asks the tests whether they notice: `node bin/run.mjs contracts/mutate.ts
 * [--file client.tolk] [--line N] [--seed N --sample N] [--fresh]`. A mutant that survives is printed; it is either explained
 * in contracts/survivors.json, by its line and change, or it is a missing test. Exit code 1 while an unexplained one remains.
 *
 * Verdicts are kept under node_modules/.cache by the code that a mutant compiles to, so an interrupted run goes on where it
 * stopped, and survivors are tried again; `--fresh` tries all again. A whole run writes its counts, with the code they are
 * about, to contracts/mutation.json, and a test compares that with the code there is.
 */
import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { createVitest } from 'vitest/node'
import { buildFile, compileContract, CONTRACTS, type ContractBuild, type ContractName } from './build.ts'

interface Mutant {
  readonly file: string
  /** Counted from one. */
  readonly line: number
  /** The line as it is and as it would be. */
  readonly was: string
  readonly is: string
}

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
  root: ['root'],
  wallet: ['wallet', 'build'],
}

/** One edit a line at a time; every pattern is tried at every place of the line. */
const EDITS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/ >= /g, [' > ', ' < ']],
  [/ <= /g, [' < ', ' > ']],
  [/ > /g, [' >= ', ' < ']],
  [/(?<!=) < /g, [' <= ', ' > ']],
  [/ == /g, [' != ']],
  [/ != /g, [' == ']],
  [/ \+ /g, [' - ']],
  [/ - /g, [' + ']],
  [/ \* /g, [' + ']],
  [/ \+= /g, [' -= ', ' = ']],
  [/ -= /g, [' += ']],
  [/ & (?!~)/g, [' | ']],
  [/ \| (?=\()/g, [' & ']],
  [/\bmax\(/g, ['min(']],
  [/\bmin\(/g, ['max(']],
  [/STATE_CLOSED/g, ['STATE_CLOSING', 'STATE_NORMAL']],
  [/STATE_CLOSING/g, ['STATE_CLOSED', 'STATE_NORMAL']],
  [/STATE_NORMAL/g, ['STATE_CLOSING', 'STATE_CLOSED']],
  [/\bNOTICE\b(?! =)/g, ['(NOTICE + 1)']],
  [/\bRENT_FLOOR\b(?! =)/g, ['RENT', '0']],
  [/\bRENT\b(?! =)/g, ['RENT_FLOOR']],
  [/\bATTACHED\b(?! =)/g, ['(ATTACHED + 1)', '(ATTACHED - 1)']],
  [/\bCHARGE_HOP\b(?! =)/g, ['0']],
  [/\bCLOSED_GRACE\b(?! =)/g, ['0']],
  [/SEND_MODE_CARRY_ALL_BALANCE/g, ['SEND_MODE_REGULAR']],
  [/SEND_MODE_PAY_FEES_SEPARATELY/g, ['SEND_MODE_REGULAR']],
  [/ \| (?:SEND|RESERVE)_MODE_BOUNCE_ON_ACTION_FAIL/g, ['']],
  [/SEND_MODE_IGNORE_ERRORS/g, ['SEND_MODE_REGULAR']],
  [/BounceMode\.RichBounce/g, ['BounceMode.NoBounce']],
  [/\bERR_\w+/g, ['1199']],
  [/ \? /g, [' == false ? ']],
  [/\btrue\b/g, ['false']],
  [/\bfalse\b/g, ['true']],
]
/** Whole lines that are left out. */
const DROPPED =
  /^\s*(?:assert \(.*|.*\.assertEnd\(\);|.*\.assertBasechain\(\);|.*assertParams\(\);|assert\w+\(.*\);|contract\.set.*;|st\.save\(\);|st\.\w+ [-+]?= .*;|self\.\w+ [-+]?= .*;|reserve\w*\(.*\);|.*commitContract.*|(?:refund|returnExcess|report)\(.*\);|st\.(?:report|setUnlockTs|setSecretHash)\(.*\);|return;)$/

export function mutantsOf(file: string, source: string): Mutant[] {
  const mutants: Mutant[] = []
  const lines = source.split('\n')
  for (const [index, was] of lines.entries()) {
    if (/^\s*\/\//.test(was) || /^(?:import|struct|get fun|const OP_)/.test(was)) continue
    const code = was.replace(/\s*\/\/.*$/, '')
    const add = (is: string): void => void (is !== code && mutants.push({ file, line: index + 1, was: code, is }))
    for (const [pattern, replacements] of EDITS)
      for (const match of code.matchAll(pattern))
        for (const by of replacements) add(code.slice(0, match.index) + by + code.slice(match.index + match[0].length))
    if (DROPPED.test(code)) add('')
  }
  return mutants
}

interface Explained {
  readonly file: string
  readonly was: string
  readonly is: string
  readonly why: string
}

type Verdict = 'killed' | 'survived' | 'same' | 'unbuildable'
type Counts = Record<Exclude<Verdict, 'survived'> | 'explained' | 'survived', number>

/** What contracts/mutation.json holds. */
export interface MutationRecord {
  /** The code that the mutants were made of, by contract. */
  readonly code: Readonly<Record<ContractName, string>>
  readonly mutants: Readonly<Record<string, Counts>>
}

const RECORD = new URL('mutation.json', import.meta.url)
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
  await judge.close()
  process.stdout.write(`${clear()}${mutants.length} mutants: ${JSON.stringify(counts, null, 2)}\n`)
  if (isWhole) {
    for (const e of explained)
      if (!used.has(e)) process.stdout.write(`no mutant survives that this explains: ${e.file}: ${e.is}\n`)
    const code = Object.fromEntries(CONTRACTS.map((name) => [name, storedBuild(name).hash])) as MutationRecord['code']
    writeFileSync(RECORD, `${JSON.stringify({ code, mutants: counts } satisfies MutationRecord, null, 2)}\n`)
  }
  return Object.values(counts).every((c) => c.survived === 0) ? 0 : 1
}

/** Compiles mutants, runs their tests in one process until one fails, and remembers what came of them. */
async function createJudge(fresh: boolean) {
  mkdirSync(CACHE, { recursive: true })
  const cache = join(CACHE, 'mutants.jsonl')
  if (fresh) rmSync(cache, { force: true })
  const known = new Set<string>(existsSync(cache) ? readFileSync(cache, 'utf8').split('\n') : [])
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-mutant-'))
  process.env['COCOON_MUTANT_FOLDER'] = folder
  const vitest = await createVitest('test', {
    watch: false,
    bail: 1,
    reporters: [{}],
    maxWorkers: 1,
    isolate: false,
    pool: 'threads',
    root: fileURLToPath(new URL('../', import.meta.url)),
    include: ['contracts/test/**/*.test.ts'],
  })
  return {
    close: async (): Promise<void> => {
      await vitest.close()
      rmSync(folder, { recursive: true })
    },
    verdictOf: async (mutant: Mutant): Promise<Verdict> => {
      const lines = readFileSync(join(FOLDER, mutant.file), 'utf8').split('\n')
      lines[mutant.line - 1] = mutant.is
      const changed: ContractBuild[] = []
      for (const name of USERS[mutant.file] ?? []) {
        rmSync(buildFile(name, pathToFileURL(`${folder}/`)), { force: true })
        const build = await compileContract(name, { [mutant.file]: lines.join('\n') }).catch(() => null)
        if (build === null) return 'unbuildable'
        if (build.hash !== storedBuild(name).hash) changed.push(build)
      }
      if (changed.length === 0) return 'same'
      const key = createHash('sha256')
        .update(changed.map((b) => `${b.contract} ${b.hash}`).join())
        .digest('hex')
      if (known.has(key)) return 'killed'
      for (const build of changed)
        writeFileSync(buildFile(build.contract, pathToFileURL(`${folder}/`)), JSON.stringify(build))
      for (const test of new Set(changed.flatMap((build) => TESTS[build.contract] ?? []))) {
        const specifications = await vitest.globTestSpecifications([`contracts/test/${test}.test.ts`])
        const result = await vitest.runTestSpecifications(specifications)
        if (result.unhandledErrors.length === 0 && result.testModules.every((m) => m.ok())) continue
        appendFileSync(cache, `${key}\n`)
        return 'killed'
      }
      return 'survived'
    },
  }
}

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
