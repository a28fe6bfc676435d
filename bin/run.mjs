#!/usr/bin/env node
// Runs a program of this repository on Node ≥ 24, whatever Node the shell has: `node bin/run.mjs vitest run`,
// `node bin/run.mjs scripts/docs.ts --check`. The first word is a package command or a path to a file.
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { nodeCommand, replaceProcess } from './node-guard.mjs'

const [program, ...args] = process.argv.slice(2)
if (program === undefined) {
  process.stderr.write('usage: node bin/run.mjs PROGRAM|FILE [ARGUMENTS…]\n')
  process.exit(2)
}
replaceProcess(nodeCommand(), ['--conditions=cocoon-source', fileOf(program), ...args])

/** @param {string} name */
function fileOf(name) {
  if (/\.(ts|mjs|js)$/.test(name) && existsSync(name)) return resolve(name)
  const manifest = createRequire(import.meta.url)
    .resolve.paths(name)
    ?.map((folder) => join(folder, name, 'package.json'))
    .find((file) => existsSync(file))
  if (manifest === undefined) {
    process.stderr.write(`${name}: not installed; run npm ci first\n`)
    process.exit(2)
  }
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8'))
  return join(dirname(manifest), typeof bin === 'string' ? bin : bin[name])
}
