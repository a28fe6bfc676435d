import { expect, test } from 'vitest'
import { parseSource } from './source-files.ts'

const SOURCE = `/** import { no } from './comment.ts' */
import type { Peer } from '../tee/index.ts'
import {
  a,
  type B as C,
} from './two.ts'
import * as everything from './three.ts'
import './four.ts'
export { d as e } from './five.ts'
export * from './six.ts'
const text = "import { f } from './string.ts'" // from './seven.ts'
const odd = /['"]/.test(text) ? import('./eight.ts') : new URL('./nine.ts', import.meta.url)
console.log('console.warn', \`process.env\`)
export async function run(): Promise<void> {}
export type Name = string
export { text, odd as stranger }
`

const source = parseSource('src/here/one.ts', SOURCE)

test('every form of import is seen with its line and names, and none that is only mentioned', () => {
  expect(source.imports.map(({ line, file, names }) => `${line} ${file} ${names.join()}`).toSorted()).toEqual([
    '10 src/here/six.ts *',
    '12 src/here/eight.ts *',
    '12 src/here/nine.ts *',
    '2 src/tee/index.ts Peer',
    '3 src/here/two.ts a,B',
    '7 src/here/three.ts *',
    '8 src/here/four.ts ',
    '9 src/here/five.ts d',
  ])
  expect(source.imports.filter((i) => i.isReExport).map((i) => i.line)).toEqual([9, 10])
  expect(source.imports.filter((i) => i.isSideEffect).map((i) => i.line)).toEqual([8])
})

test('exports are those declared or listed here, without those of other files', () => {
  expect(source.exports.map((e) => e.name)).toEqual(['run', 'Name', 'text', 'odd'])
})

test('code has neither comments nor the contents of strings, and keeps its lines', () => {
  expect(source.code).toContain('console.log')
  expect(source.code).not.toMatch(/console\.warn|process\.env|comment|seven/)
  expect(source.code.split('\n').length).toBe(SOURCE.split('\n').length)
})
