/**
 * Contracts in which every place that throws has an exit code of its own, so that a test run can say which of them it has
 * reached. Tests see the code that the place throws in the real contract.
 */
import { readFileSync } from 'node:fs'
import { runTolkCompiler } from '@ton/tolk-js'
import { type ContractBuild, CONTRACTS, type ContractName } from '../../build.ts'

export interface ExitSite {
  readonly contract: ContractName
  readonly file: string
  /** Counted from one. */
  readonly line: number
  /** As in errors.tolk, or `assertEnd`. */
  readonly error: string
  /** What the real contract throws here. */
  readonly exit: number
}

/** Each contract has this many codes, from FIRST on: numbers that errors.tolk leaves free and a short THROW can carry. */
const PER_CONTRACT = 150
const FIRST = 1200
/** TVM's own code for a slice that goes on where it should end. */
const NOT_AT_END = 9

const FOLDER = new URL('../../', import.meta.url)
const read = (file: string): string => readFileSync(new URL(file, FOLDER), 'utf8')

/** Every error that errors.tolk names. Throws where a number stands twice. */
export function errorCodes(): ReadonlyMap<string, number> {
  const codes = new Map<string, number>()
  for (const [, name, number] of read('errors.tolk').matchAll(/^const (ERR_\w+) = (\d+)/gm)) {
    if (name === undefined) continue
    if ([...codes.values()].includes(Number(number))) throw new RangeError(`${number} stands twice in errors.tolk`)
    codes.set(name, Number(number))
  }
  return codes
}

/** All contracts with a code of its own at each place, and the places that their compiled code contains. */
export async function buildWithExitSites(): Promise<{
  readonly builds: readonly ContractBuild[]
  readonly sites: ReadonlyMap<number, ExitSite>
}> {
  const errors = errorCodes()
  const builds: ContractBuild[] = []
  const sites = new Map<number, ExitSite>()
  for (const [index, contract] of CONTRACTS.entries()) {
    const first = FIRST + index * PER_CONTRACT
    const marked: ExitSite[] = []
    const mark = (site: Omit<ExitSite, 'contract'>): number => first + marked.push({ ...site, contract }) - 1
    const result = await runTolkCompiler({
      entrypointFileName: `${contract}.tolk`,
      fsReadCallback: (file) => (file === 'errors.tolk' ? read(file) : markedSource(file, errors, mark)),
    })
    if (result.status === 'error') throw new SyntaxError(result.message)
    if (marked.length > PER_CONTRACT) throw new RangeError(`${contract}: more than ${PER_CONTRACT} places throw`)
    // What an import brings and this contract does not call is not in its code.
    for (const [offset, site] of marked.entries())
      if (new RegExp(`\\b${first + offset} (?:THROW|PUSHINT)`).test(result.fiftCode)) sites.set(first + offset, site)
    const code = Buffer.from(result.codeBoc64, 'base64').toString('hex')
    builds.push({ contract, compiler: `tolk ${result.tolkVersion}`, hash: '', code })
  }
  return { builds, sites }
}

function markedSource(
  file: string,
  errors: ReadonlyMap<string, number>,
  mark: (site: Omit<ExitSite, 'contract'>) => number,
): string {
  const lines = read(file).split('\n')
  return lines
    .map((whole, index) => {
      const [code = '', ...comment] = whole.split('//')
      const line = index + 1
      const ended = code.replace(/(\S+)\.assertEnd\(\);/g, (_, slice: string) => {
        const number = mark({ file, line, error: 'assertEnd', exit: NOT_AT_END })
        return `assert (${slice}.isEmpty()) throw ${number};`
      })
      const named = ended.replace(/\bERR_\w+/g, (error) => {
        const exit = errors.get(error)
        if (exit === undefined) throw new RangeError(`${file}:${line}: ${error} is not in errors.tolk`)
        return String(mark({ file, line, error, exit }))
      })
      return [named, ...comment].join('//')
    })
    .join('\n')
}

/** The places of the contracts under test, and those that were reached. Empty unless a test fills it. */
export const EXIT_TRACE = { sites: new Map<number, ExitSite>(), reached: new Set<number>() }

/** The exit code as the real contract has it. */
export function exitOf(code: number): number {
  const site = EXIT_TRACE.sites.get(code)
  if (site === undefined) return code
  EXIT_TRACE.reached.add(code)
  return site.exit
}
