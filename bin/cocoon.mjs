#!/usr/bin/env node
// The `cocoon` command. Hands over to Node ≥ 24 where needed, then to src/cli/main.ts (dist/ in the published package).
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { nodeCommand, replaceProcess } from './node-guard.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const source = join(here, '..', 'src', 'cli', 'main.ts')
const main = existsSync(source) ? source : join(here, '..', 'dist', 'cli', 'main.js')

const node = nodeCommand()
if (node === process.execPath) await import(pathToFileURL(main).href)
else replaceProcess(node, [main, ...process.argv.slice(2)])
