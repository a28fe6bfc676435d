/** Writes contracts/gas.json: `node bin/run.mjs contracts/gas.ts`. The test compares; a change stands in the diff. */
import { writeFileSync } from 'node:fs'
import { measureGas } from './test/support/gas-run.ts'

const report = await measureGas()
const orders = Object.entries(report.orders).map(
  ([name, cost]) => `    ${JSON.stringify(name)}: ${JSON.stringify(cost)}`,
)
const code = Object.entries(report.code).map(([name, size]) => `    ${JSON.stringify(name)}: ${JSON.stringify(size)}`)
const lines = `{\n  "orders": {\n${orders.join(',\n')}\n  },\n  "code": {\n${code.join(',\n')}\n  }\n}\n`
writeFileSync(new URL('gas.json', import.meta.url), lines)
