import { expect, test } from 'vitest'
import type { TestModule } from 'vitest/node'
import { plainReporter } from './plain-reporter.ts'

type State = 'passed' | 'failed' | 'skipped'

/** As much of a finished test file as the reporter looks at. */
function fileWith(states: readonly State[], errors = 0, suiteErrors = 0): TestModule {
  const failures = (count: number): Error[] => Array.from({ length: count }, () => new Error('outside a test'))
  return {
    errors: () => failures(errors),
    children: {
      allTests: () => states.map((state) => ({ result: () => ({ state }) })),
      allSuites: () => [{ errors: () => failures(suiteErrors) }],
    },
  } as unknown as TestModule
}

function lineFor(files: readonly TestModule[], unhandled = 0): string {
  const lines: string[] = []
  const errors = Array.from({ length: unhandled }, () => ({ message: 'late' }))
  void plainReporter((line) => lines.push(line)).onTestRunEnd?.(files, errors, 'failed')
  return lines.join('')
}

test.each([
  [[fileWith(['passed', 'passed', 'skipped']), fileWith(['passed'])], 0, '3 passed, 0 failed\n'],
  [[fileWith(['passed', 'failed'])], 0, '1 passed, 1 failed\n'],
  [[fileWith([], 1)], 0, '0 passed, 1 failed\n'],
  [[fileWith(['passed'], 0, 1)], 0, '1 passed, 1 failed\n'],
  [[fileWith(['passed'])], 2, '1 passed, 2 failed\n'],
  [[], 0, '0 passed, 0 failed\n'],
] as const)(
  'run %#: failed tests, files that do not load, hooks and late errors all count',
  (files, unhandled, line) => {
    expect(lineFor(files, unhandled)).toBe(line)
  },
)
