// The start-up guard: Cocoon needs Node ≥ 24 (type stripping, node:sqlite). Where the shell's Node is older, the Node
// that came with `npm ci` as an optional dependency takes over. Plain JavaScript, so that any Node can read it.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const NEEDED_MAJOR = 24
const root = join(dirname(fileURLToPath(import.meta.url)), '..')

/** Path of a Node that can run Cocoon; ends the process with a way out when there is none. */
export function nodeCommand() {
  if (Number(process.versions.node.split('.')[0]) >= NEEDED_MAJOR) return process.execPath
  const platform = process.platform === 'win32' ? 'win' : process.platform
  const name = join(`node-${platform}-${process.arch}`, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  for (const base of [join(root, 'node_modules'), join(root, '..')])
    if (existsSync(join(base, name))) return join(base, name)
  process.stderr.write(
    `Cocoon needs Node ${NEEDED_MAJOR} or newer; this is ${process.versions.node} and no newer one is installed here.\n` +
      `Either install Node ${NEEDED_MAJOR}, or run "npm ci" in ${root} without --omit=optional.\n`,
  )
  process.exit(1)
}

const NODES = new Set(['up', 'client', 'proxy', 'worker'])
const YOUNG_FLAG = '--max-semi-space-size'
/**
 * MiB. A node's garbage is short-lived and half of it lies outside the heap. With V8's own 32 MiB the young generation is
 * collected so rarely that what lies outside starts a collection of everything, several a second under load.
 */
const YOUNG_MIB = 16

/** What Node shall be started with for this command; nothing where the operator has decided already. */
export function nodeFlags(/** @type {readonly string[]} */ args) {
  const decided = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].some((flag) => flag.includes(YOUNG_FLAG))
  return decided || !NODES.has(args[0]) ? [] : [`${YOUNG_FLAG}=${YOUNG_MIB}`]
}

/**
 * Runs `command` in the place of this process: same terminal, signals passed on, exit status kept.
 * @param {string} command @param {readonly string[]} args
 */
export function replaceProcess(command, args) {
  const child = spawn(command, args, { stdio: 'inherit' })
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']))
    process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    process.stderr.write(`cannot start ${command}: ${error.message}\n`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}
