/** Ends every run with one line that needs no reading skills: `12 passed, 0 failed`. */
import type { Reporter, TestModule } from 'vitest/node'

/** A file that does not load and an error outside any test each count as one failure: neither may pass unseen. */
export function plainReporter(write: (line: string) => void): Reporter {
  return {
    onTestRunEnd(modules, unhandledErrors) {
      const tests = modules.flatMap((module) => [...module.children.allTests()])
      const passed = tests.filter((test) => test.result().state === 'passed').length
      const failedTests = tests.filter((test) => test.result().state === 'failed').length
      const broken = modules.filter(failedOutsideTests).length
      write(`${passed} passed, ${failedTests + broken + unhandledErrors.length} failed\n`)
    },
  }
}

/** Did not load, or a hook around its tests failed. */
function failedOutsideTests(module: TestModule): boolean {
  return module.errors().length > 0 || [...module.children.allSuites()].some((suite) => suite.errors().length > 0)
}
