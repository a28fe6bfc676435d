/** The long run: a new seed every time, printed with what was measured. COCOON_FUZZ_SEED repeats one. */
import { expect, test } from 'vitest'
import { FUZZED, fuzzEvidenceParser } from './evidence-parsers.ts'

const COUNT = 1_000_000
const seed = Number(process.env.COCOON_FUZZ_SEED ?? Date.now() % 0x7fffffff)

test.each(Object.keys(FUZZED))(
  `from seed ${seed}: a million damaged inputs of %s are read or refused in time`,
  (name) => {
    const { inputs, read, maxMs, maxRatio } = fuzzEvidenceParser(seed, name, COUNT)
    process.stdout.write(
      `fuzz: ${name}: seed ${seed}, ${inputs} inputs, ${read} read, ${maxMs.toFixed(1)} ms at most, ${maxRatio.toFixed(1)} bytes per byte at most\n`,
    )
    expect(inputs).toBe(COUNT)
  },
)
