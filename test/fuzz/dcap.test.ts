/** A slice of the fuzzing of quotes and collateral on every run. The long one is in dcap.long.test.ts. */
import { expect, test } from 'vitest'
import { fromHex, utf8 } from '../../src/util/index.ts'
import { dcapParsers, fuzzDcapMutations, fuzzDcapParsers, judgeParser } from './dcap.ts'

const MUTATIONS = 3000
const PARSES = 20_000

test('3,000 damaged quotes and collateral sets are refused with the code of their region, or say the same', async () => {
  const { refused, unchanged } = await fuzzDcapMutations(20261121, MUTATIONS)
  const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((a, b) => a + b, 0)
  expect(sum(refused) + sum(unchanged)).toBe(MUTATIONS)
  // Bytes behind the quote, letters of hex, ends of lines in PEM: nothing else may be changed unnoticed.
  expect(Object.keys(unchanged).filter((name) => !MAY_STAY.has(name))).toEqual([])
  expect(sum(unchanged)).toBeLessThan(MUTATIONS / 5)
  expect(Object.keys(refused).length).toBeGreaterThanOrEqual(17)
})

const MAY_STAY: ReadonlySet<string> = new Set([
  'behind the quote',
  'PCK chain',
  'tcbInfo',
  'qeIdentity',
  'tcbInfoIssuerChain',
  'qeIdentityIssuerChain',
])

test('20,000 damaged inputs are read or refused by each parser’s own codes, in time and without growing', () => {
  const { read, refused } = fuzzDcapParsers(20261121, PARSES)
  expect(read + refused).toBe(PARSES)
  // A mutator that is too gentle, or too rough, would test little.
  expect(read).toBeGreaterThan(PARSES / 100)
  expect(refused).toBeGreaterThan(PARSES / 2)
})

test('the same seed gives the same run', async () => {
  expect(await fuzzDcapMutations(7, 60)).toEqual(await fuzzDcapMutations(7, 60))
  expect(fuzzDcapParsers(7, 300)).toEqual(fuzzDcapParsers(7, 300))
})

const HEX_SIGNATURE = 'ab'.repeat(64)
const CRUEL: readonly (readonly [string, Uint8Array])[] = [
  ['nothing', new Uint8Array()],
  ['32 KiB of zeros', new Uint8Array(32_768)],
  ['a megabyte of FF', new Uint8Array(1024 * 1024).fill(0xff)],
  ['brackets without end', utf8('['.repeat(250_000))],
  ['objects without end', utf8('{"a":'.repeat(50_000))],
  [
    'deep JSON that closes',
    utf8(`{"tcbInfo":${'['.repeat(100_000)}${']'.repeat(100_000)},"signature":"${HEX_SIGNATURE}"}`),
  ],
  ['quotes and backslashes', utf8(`{"tcbInfo":"${'\\"'.repeat(100_000)}`)],
  ['a string of 250 kB', utf8(`{"tcbInfo":{"a":"${'x'.repeat(250_000)}"},"signature":"${HEX_SIGNATURE}"}`)],
  ['commas', utf8(`{"tcbInfo":{},${',"a":1'.repeat(40_000)}}`)],
  ['white space', utf8(' '.repeat(250_000))],
  ['dashes', utf8('-'.repeat(96_000))],
  ['beginnings', utf8('-----BEGIN CERTIFICATE-----\n'.repeat(3000))],
  ['Base64 without end', utf8(`-----BEGIN CERTIFICATE-----\n${'QUJD'.repeat(20_000)}`)],
  ['nested sequences', Uint8Array.from({ length: 60_000 }, (_, i) => (i % 2 === 0 ? 0x30 : 0x7e))],
  ['a sequence of 4 GiB', fromHex('3084ffffffff3084ffffffff3084ffffffff')],
  ['a list of a million empty entries', new Uint8Array(1024 * 1024).fill(0x30)],
  ['a CRL whose time has a megabyte', concat('30830ffff0', '30830fffe0', 1_048_000)],
]

function concat(outer: string, inner: string, length: number): Uint8Array {
  const bytes = new Uint8Array(length).fill(0x17)
  bytes.set(fromHex(outer))
  bytes.set(fromHex(inner), 5)
  return bytes
}

test.each(CRUEL)('%s is refused by every parser at once', (_, bytes) => {
  for (const [name, parse] of dcapParsers()) expect([name, judgeParser(parse, bytes)]).toEqual([name, false])
})
