/** A slice of the fuzzing of every parser on every run. The long one is in evidence-parsers.long.test.ts. */
import { expect, test } from 'vitest'
import { seededDraw } from '../support/mutations.ts'
import {
  FREE_BYTES,
  FUZZED,
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
  const { parse, examples } = FUZZED[name] ?? { parse: () => null, examples: () => [] }
  for (const bytes of examples())
    expect(heldBytes(parse, bytes)).toBeLessThan(MAX_BYTES_PER_BYTE * bytes.length + FREE_BYTES)
})

test('a parser that is slow, takes too much or throws something else is found', () => {
  const draw = seededDraw(1)
  const bytes = Uint8Array.from({ length: 1000 }, () => draw(256))
  expect(() => judgeParse(() => new Uint8Array(FREE_BYTES + 5 * bytes.length), bytes)).toThrow(/for each byte/)
  expect(() => judgeParse(() => spin(60), bytes)).toThrow(/ms/)
  expect(() => judgeParse(() => JSON.parse('{'), bytes)).toThrow(SyntaxError)
  expect(judgeParse(() => null, bytes)).toMatchObject({ isRead: true, ratio: 0 })
})

function spin(ms: number): void {
  const start = process.threadCpuUsage()
  while (process.threadCpuUsage(start).user < ms * 1000);
}

test('the same seed gives the same inputs', () => {
  expect(fuzzEvidenceParser(7, 'OCSP answer', 300).read).toBe(fuzzEvidenceParser(7, 'OCSP answer', 300).read)
})
