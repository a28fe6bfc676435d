/** What a whole run of tests leaves in the system's folder for temporary files is one folder, gone when the run is over. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Called once by the test runner, before it starts the processes that take over the environment. */
export function setup(): void {
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-tests-'))
  process.env['TMPDIR'] = folder
  // Programs with a home of their own would compile themselves anew for each. The runner's own processes write theirs when they end,
  // after the folder has gone, so they are not told.
  process.env['TEST_COMPILE_CACHE'] = join(folder, 'compiled')
}

export function teardown(): void {
  const folder = process.env['TMPDIR']
  // A process that is on its way out may still be writing.
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
}
