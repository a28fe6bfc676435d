/**
 * A behaviour that the contracts must not have, with the edit of their sources that brings it back. The scenario passes on the
 * contracts as they are and fails on the edited ones: so it would notice.
 */
import { readFileSync } from 'node:fs'
import { Cell } from '@ton/core'
import { compileContract, CONTRACTS, type ContractName } from '../../build.ts'
import { codeOf, type Codes } from '../support/world.ts'

export interface Regression {
  /** What holds: a sentence that the edit makes false. */
  readonly holds: string
  readonly edits: readonly Edit[]
  /** Plays the attack or accident, and expects the safe end. */
  readonly scenario: (codes: Codes) => Promise<void>
}

/** `from` stands once in the file, or the edit has lost its place and must be looked after. */
export interface Edit {
  readonly file: `${string}.tolk`
  readonly from: string
  readonly to: string
}

const FOLDER = new URL('../../', import.meta.url)

/** The sources with the edits, by file name. Throws where one does not apply. */
export function editedSources(edits: readonly Edit[]): Record<string, string> {
  const sources: Record<string, string> = {}
  for (const { file, from, to } of edits) {
    const source = sources[file] ?? readFileSync(new URL(file, FOLDER), 'utf8')
    const places = source.split(from).length - 1
    if (places !== 1) throw new RangeError(`${file}: an edit applies at ${places} places instead of one:\n${from}`)
    sources[file] = source.replace(from, () => to)
  }
  return sources
}

/** The contracts that the edits change, compiled; the others as they are. */
export async function codesWith(edits: readonly Edit[]): Promise<Codes> {
  const sources = editedSources(edits)
  const changed = new Map<ContractName, Cell>()
  for (const name of CONTRACTS)
    if (`${name}.tolk` in sources) changed.set(name, Cell.fromHex((await compileContract(name, sources)).code))
  if (changed.size !== Object.keys(sources).length) throw new RangeError('edit contracts, not what they share')
  return (name) => changed.get(name) ?? codeOf(name)
}
