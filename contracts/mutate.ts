/**
 * Breaks the contracts on purpose and asks the tests whether they notice: `node bin/run.mjs contracts/mutate.ts
 * [--file client.tolk] [--seed N] [--sample N] [--line N]`. A mutant that survives is printed; it is either explained in
 * contracts/survivors.json, by its line and change, or it is a missing test. Exit code 1 while an unexplained one remains.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { createVitest } from 'vitest/node'
import { buildFile, compileContract, type ContractName } from './build.ts'

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

async function run(): Promise<number> {
  const { values } = parseArgs({
    options: {
      file: { type: 'string' },
      seed: { type: 'string' },
      sample: { type: 'string' },
      line: { type: 'string' },
    },
  })
  const files = values.file === undefined ? Object.keys(USERS) : [values.file]
  const explained = JSON.parse(readFileSync(join(FOLDER, 'survivors.json'), 'utf8')) as readonly Explained[]
  let mutants = files.flatMap((file) => mutantsOf(file, readFileSync(join(FOLDER, file), 'utf8')))
  if (values.line !== undefined) mutants = mutants.filter((m) => m.line === Number(values.line))
  if (values.sample !== undefined) mutants = shuffled(mutants, Number(values.seed ?? 1)).slice(0, Number(values.sample))

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
  const counts = { killed: 0, unbuildable: 0, same: 0, explained: 0, survived: 0 }
  for (const [index, mutant] of mutants.entries()) {
    const verdict = await judge(mutant)
    const known = explained.some(
      (e) => e.file === mutant.file && e.was === mutant.was.trim() && e.is === mutant.is.trim(),
    )
    const key = verdict === 'survived' && known ? 'explained' : verdict
    counts[key]++
    if (key === 'survived')
      process.stdout.write(
        `SURVIVED ${mutant.file}:${mutant.line}\n  - ${mutant.was.trim()}\n  + ${mutant.is.trim()}\n`,
      )
    if (index % 10 === 9) process.stdout.write(`${index + 1}/${mutants.length} ${JSON.stringify(counts)}\n`)
  }
  await vitest.close()
  rmSync(folder, { recursive: true })
  process.stdout.write(`${mutants.length} mutants: ${JSON.stringify(counts)}\n`)
  return counts.survived === 0 ? 0 : 1

  async function judge(mutant: Mutant): Promise<Exclude<keyof typeof counts, 'explained'>> {
    const lines = readFileSync(join(FOLDER, mutant.file), 'utf8').split('\n')
    lines[mutant.line - 1] = mutant.is
    const edited = { [mutant.file]: lines.join('\n') }
    const names: ContractName[] = []
    for (const name of USERS[mutant.file] ?? []) {
      const target = buildFile(name, pathToFileURL(`${folder}/`))
      rmSync(target, { force: true })
      try {
        const build = await compileContract(name, edited)
        const stored = JSON.parse(readFileSync(buildFile(name), 'utf8')) as { readonly hash: string }
        if (build.hash === stored.hash) continue
        writeFileSync(target, JSON.stringify(build))
        names.push(name)
      } catch {
        return 'unbuildable'
      }
    }
    if (names.length === 0) return 'same'
    const tests = new Set(names.flatMap((name) => TESTS[name] ?? []))
    for (const test of tests) {
      const specifications = await vitest.globTestSpecifications([`contracts/test/${test}.test.ts`])
      const result = await vitest.runTestSpecifications(specifications)
      const failed = result.unhandledErrors.length > 0 || result.testModules.some((m) => !m.ok())
      if (failed) return 'killed'
    }
    return 'survived'
  }
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
