import { defineConfig } from 'vitest/config'
import { plainReporter } from './test/support/plain-reporter.ts'

export default defineConfig({
  resolve: { conditions: ['cocoon-source'] },
  ssr: { resolve: { conditions: ['cocoon-source'] } },
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'contracts/test/**/*.test.ts', 'web/**/*.test.ts'],
    exclude: ['test/**/*.long.test.ts', 'contracts/test/**/*.long.test.ts', 'node_modules/**'],
    reporters: ['default', plainReporter((line) => process.stdout.write(line))],
    globalSetup: './test/support/temporary-files.ts',
    testTimeout: 60_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
  },
})
