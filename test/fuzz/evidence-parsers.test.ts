/** A slice of the fuzzing of every parser on every run. The long one is in evidence-parsers.long.test.ts. */
import { expect, test } from 'vitest'
import {
  callWith,
  FREE_BYTES,
  FUZZED,
  type FuzzedParser,
  fuzzEvidenceParser,
  heldBytes,
  judgeParse,
  MAX_BYTES_PER_BYTE,
} from './evidence-parsers.ts'

const NAMES = Object.keys(FUZZED)
const COUNT = 1000

test.each(NAMES)(
  '1,000 damaged inputs of %s are read or refused by its own codes, in 50 ms and within its memory',
  (name) => {
    const { inputs, read } = fuzzEvidenceParser(20_261_121, name, COUNT)
    expect(inputs).toBe(COUNT)
    // A mutator that is too gentle would test little.
    expect(read).toBeLessThan(COUNT)
  },
)

test.each(NAMES)('what is read of a whole %s holds no more than four times its bytes', (name) => {
  const parser = FUZZED[name] as FuzzedParser
  for (const bytes of parser.examples())
    expect(heldBytes(callWith(parser, bytes))).toBeLessThan(MAX_BYTES_PER_BYTE * bytes.length + FREE_BYTES)
})

test('a parser that is slow, takes too much or throws something else is found', () => {
  expect(() => judgeParse(() => new Uint8Array(FREE_BYTES + 5000), 1000)).toThrow(/for each byte/)
  expect(() => judgeParse(() => spin(60), 1000)).toThrow(/ms/)
  expect(() => judgeParse(() => JSON.parse('{'), 1000)).toThrow(SyntaxError)
  expect(judgeParse(() => null, 1000)).toMatchObject({ isRead: true, ratio: 0 })
})

function spin(ms: number): void {
  const start = process.threadCpuUsage()
  while (process.threadCpuUsage(start).user < ms * 1000);
}

test('the same seed gives the same inputs', () => {
  expect(fuzzEvidenceParser(7, 'OCSP answer', 300).read).toBe(fuzzEvidenceParser(7, 'OCSP answer', 300).read)
})
