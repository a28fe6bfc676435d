#!/usr/bin/env node
// The `cocoon` command. Hands over to Node ≥ 24 where needed, then to src/cli/main.ts (dist/ in the published package).
import { existsSync } from 'node:fs'
import module from 'node:module'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { nodeCommand, nodeFlags, replaceProcess } from './node-guard.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const source = join(here, '..', 'src', 'cli', 'main.ts')
const main = existsSync(source) ? source : join(here, '..', 'dist', 'cli', 'main.js')

keepCompiledCode()
const args = process.argv.slice(2)
const node = nodeCommand()
const flags = nodeFlags(args)
if (node !== process.execPath) replaceProcess(node, [...flags, main, ...args])
else if (flags.length > 0 && process.execve !== undefined && process.send === undefined)
  process.execve(node, [node, ...process.execArgv, ...flags, main, ...args], process.env)
else await import(pathToFileURL(main).href)

/** Between runs: half the time of a short command. In the user's own folder: in a shared one others could leave code for us. */
function keepCompiledCode() {
  try {
    // Child processes, and the Node that may take over, find it in the environment.
    process.env.NODE_COMPILE_CACHE ??= join(
      process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'),
      'cocoon',
      'compiled',
    )
    module.enableCompileCache?.(process.env.NODE_COMPILE_CACHE)
  } catch {
    // A user without a home has no cache.
  }
}
