/** Writes contracts/gas.json and docs/contract-costs.md: `node bin/run.mjs contracts/gas.ts`. Tests compare; a change stands in the diff. */
import { readFileSync, writeFileSync } from 'node:fs'
import { costReport } from './test/support/cost-report.ts'
import { measureGas } from './test/support/gas-run.ts'

const report = await measureGas()
/** One line an entry, so that a diff shows what changed. */
const block = (name: string, of: Readonly<Record<string, unknown>>): string => {
  const entries = Object.entries(of).map(([key, value]) => `    ${JSON.stringify(key)}: ${JSON.stringify(value)}`)
  return `  ${JSON.stringify(name)}: {\n${entries.join(',\n')}\n  }`
}
const blocks = Object.entries(report).map(([name, of]) => block(name, of))
writeFileSync(new URL('gas.json', import.meta.url), `{\n${blocks.join(',\n')}\n}\n`)
const vectors = JSON.parse(readFileSync(new URL('../spec/vectors/contracts/vectors.json', import.meta.url), 'utf8'))
writeFileSync(new URL('../docs/contract-costs.md', import.meta.url), costReport(report, vectors))
