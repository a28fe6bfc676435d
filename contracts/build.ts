/**
 * Compiles the contracts: `node bin/run.mjs contracts/build.ts`. The code, as a bag of cells, and its hash stand in
 * contracts/build/, so that nodes and tests need no compiler; a test holds them against the sources.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { Cell } from '@ton/core'
import { runTolkCompiler } from '@ton/tolk-js'

export const CONTRACTS = ['client', 'proxy', 'root', 'wallet', 'worker'] as const
export type ContractName = (typeof CONTRACTS)[number]

/** What contracts/build/NAME.json holds. */
export interface ContractBuild {
  readonly contract: ContractName
  readonly compiler: string
  /** Representation hash of the code cell. */
  readonly hash: string
  /** The code as a bag of cells, hexadecimal. */
  readonly code: string
}

const FOLDER = new URL('./', import.meta.url)

/** @param edited sources that stand in for those in the folder, by file name (for the mutation run) */
export async function compileContract(
  contract: ContractName,
  edited: Readonly<Record<string, string>> = {},
): Promise<ContractBuild> {
  const result = await runTolkCompiler({
    entrypointFileName: `${contract}.tolk`,
    fsReadCallback: (path) => edited[path] ?? readFileSync(new URL(path, FOLDER), 'utf8'),
  })
  if (result.status === 'error') throw new SyntaxError(result.message)
  const code = Cell.fromBase64(result.codeBoc64)
  return {
    contract,
    compiler: `tolk ${result.tolkVersion}`,
    hash: code.hash().toString('hex'),
    code: code.toBoc({ idx: false, crc32: false }).toString('hex'),
  }
}

export const buildFile = (contract: ContractName, folder: URL = new URL('build/', FOLDER)): URL =>
  new URL(`${contract}.json`, folder)

if (import.meta.main) {
  for (const contract of CONTRACTS) {
    const build = await compileContract(contract)
    writeFileSync(buildFile(contract), `${JSON.stringify(build, null, 2)}\n`)
    process.stdout.write(`${contract} ${build.hash}\n`)
  }
}
