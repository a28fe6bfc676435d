/**
 * The tests of the contracts once more, over code in which every place that throws is told apart: each of them must have been
 * reached by a test that saw it fail.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { buildFile } from '../build.ts'
import { buildWithExitSites, errorCodes, EXIT_TRACE } from './support/exit-sites.ts'

const folder = mkdtempSync(join(tmpdir(), 'cocoon-exits-'))
const before = process.env['COCOON_MUTANT_FOLDER']
const { builds, sites } = await buildWithExitSites()
for (const build of builds) writeFileSync(buildFile(build.contract, pathToFileURL(`${folder}/`)), JSON.stringify(build))
for (const [code, site] of sites) EXIT_TRACE.sites.set(code, site)
process.env['COCOON_MUTANT_FOLDER'] = folder

afterAll(() => {
  if (before === undefined) delete process.env['COCOON_MUTANT_FOLDER']
  else process.env['COCOON_MUTANT_FOLDER'] = before
  rmSync(folder, { recursive: true })
})

describe('client', () => import('./client.test.ts').then(() => undefined))
describe('worker', () => import('./worker.test.ts').then(() => undefined))
describe('proxy', () => import('./proxy.test.ts').then(() => undefined))
describe('root', () => import('./root.test.ts').then(() => undefined))
describe('wallet', () => import('./wallet.test.ts').then(() => undefined))

test('every place in the contracts that throws was reached', () => {
  expect(sites.size).toBeGreaterThan(100)
  const missed = [...sites].filter(([code]) => !EXIT_TRACE.reached.has(code))
  expect(missed.map(([, s]) => `${s.contract}: ${s.error} at ${s.file}:${s.line}`)).toEqual([])
})

test('every error of errors.tolk is thrown somewhere, and no number stands without a name', () => {
  const thrown = new Set([...sites.values()].map((s) => s.error))
  expect([...errorCodes().keys()].filter((name) => !thrown.has(name))).toEqual([])
  const contracts = new URL('../', import.meta.url)
  for (const file of readdirSync(contracts).filter((name) => name.endsWith('.tolk')))
    expect(readFileSync(new URL(file, contracts), 'utf8').match(/throw \(?\d+/g)).toBeNull()
})
