import { defineConfig } from 'vitest/config'
import { plainReporter } from './test/support/plain-reporter.ts'

/** Runs too long for every commit: hours of fuzzing, hundreds of kills. Seeded, so a find repeats. */
export default defineConfig({
  resolve: { conditions: ['cocoon-source'] },
  ssr: { resolve: { conditions: ['cocoon-source'] } },
  test: {
    include: ['test/**/*.long.test.ts', 'contracts/test/**/*.long.test.ts'],
    reporters: ['default', plainReporter((line) => process.stdout.write(line))],
    globalSetup: './test/support/temporary-files.ts',
    testTimeout: 6 * 3_600_000,
    hookTimeout: 120_000,
    maxWorkers: 1,
  },
})
