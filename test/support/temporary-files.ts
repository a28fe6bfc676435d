/** What a whole run of tests leaves in the system's folder for temporary files is one folder, gone when the run is over. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Called once by the test runner, before it starts the processes that take over the environment. */
export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-tests-'))
  process.env['TMPDIR'] = folder
  // Programs with a home of their own would compile themselves anew for each.
  process.env['NODE_COMPILE_CACHE'] ??= join(folder, 'compiled')
  // A process that is on its way out may still be writing.
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
}
