/**
 * The files of the console. A package carries them built, in `dist/web/console`. A checkout has their sources in `web/`: there
 * they are built when somebody opens the page and the last build is missing or older, in a process of its own, so that requests
 * of others never wait for it.
 */
import { spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ConsolePage } from '../../api/index.ts'
import type { Log } from '../../util/index.ts'

export interface ConsolePageDeps {
  /** Of the checkout or of the installed package. */
  readonly root: string
  readonly log: Log
  /** Writes the built page into a folder that exists. Rejects with a sentence that says what to do. */
  readonly build: (root: string, folder: string) => Promise<void>
}

/** From `src/cli/gateway` and from `dist/cli/gateway` alike. */
export const PACKAGE_ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..')

type Files = ReadonlyMap<string, Uint8Array>

export function createConsolePage({ root, log, build }: ConsolePageDeps): ConsolePage {
  const built = join(root, 'dist', 'web', 'console')
  let held: { readonly files: Files; readonly builtMs: number } | null = null
  let building: Promise<Files | { readonly missing: string }> | null = null

  async function buildAnew(sourceMs: number): Promise<Files | { readonly missing: string }> {
    log.info('building the console')
    let folder: string | null = null
    try {
      mkdirSync(dirname(built), { recursive: true })
      folder = mkdtempSync(`${built}-`)
      await build(root, folder)
      // As old as its sources were: an edit during the build is newer. Rounded up, since files keep finer times than numbers.
      const seconds = Math.ceil(sourceMs) / 1000
      utimesSync(join(folder, INDEX), seconds, seconds)
      // Others who run a client from this checkout read it too.
      chmodSync(folder, 0o755)
      putInPlace(folder, built)
      log.info('the console is built')
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      const older = readBuilt(built)
      log.warn(older === null ? 'the console cannot be built' : 'the console is an older build', { why })
      return older?.files ?? { missing: `The console cannot be built: ${why}` }
    } finally {
      if (folder !== null) rmSync(folder, { recursive: true, force: true })
    }
    held = readBuilt(built)
    return held?.files ?? { missing: `The console was built, but ${built} cannot be read: check its rights.` }
  }

  return async () => {
    const sourceMs = newestSourceMs(root)
    if (held !== null && held.builtMs >= sourceMs) return held.files
    // At the first request, and when another process may have built it in the meantime.
    held = readBuilt(built)
    if (held !== null && held.builtMs >= sourceMs) return held.files
    if (sourceMs === NO_SOURCES)
      return { missing: 'The console is missing from this installation: install the package again.' }
    building ??= buildAnew(sourceMs).finally(() => (building = null))
    return building
  }
}

const INDEX = 'index.html'

/** Null when there is no complete build. */
function readBuilt(folder: string): { readonly files: Files; readonly builtMs: number } | null {
  try {
    const builtMs = statSync(join(folder, INDEX)).mtimeMs
    return { files: new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))])), builtMs }
  } catch {
    return null
  }
}

/** The moment between the two renames is the only one without a page; who reads then builds it once more. */
function putInPlace(folder: string, place: string): void {
  const old = `${folder}-old`
  if (existsSync(place)) renameSync(place, old)
  try {
    renameSync(folder, place)
  } catch (error) {
    // Another process was first with the same page.
    if (!existsSync(join(place, INDEX))) throw error
  } finally {
    rmSync(old, { recursive: true, force: true })
  }
}

const NO_SOURCES = 0

/** What the page is made of: sources, styles, and the versions of packages. */
const SOURCES = ['web/console', 'web/style', 'package.json']

/** Folders count as well: their time changes when a file is removed. */
function newestSourceMs(root: string): number {
  if (!existsSync(join(root, 'web', 'console', 'vite.config.ts'))) return NO_SOURCES
  return Math.max(...SOURCES.map((path) => newestMs(join(root, path))))
}

function newestMs(path: string): number {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined) return NO_SOURCES
  if (!stats.isDirectory()) return stats.mtimeMs
  return Math.max(stats.mtimeMs, ...readdirSync(path).map((name) => newestMs(join(path, name))))
}

/** Many times what it takes on a slow machine. */
const BUILD_TIMEOUT_MS = 120_000
const MAX_WORDS = 2_000

export async function buildWithVite(root: string, folder: string): Promise<void> {
  const vite = join(viteFolder(root), 'bin', 'vite.js')
  const child = spawn(
    process.execPath,
    [vite, 'build', join(root, 'web', 'console'), '--outDir', folder, '--emptyOutDir', '--logLevel', 'warn'],
    {
      cwd: root,
      env: { ...process.env, NODE_ENV: 'production' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: BUILD_TIMEOUT_MS,
      killSignal: 'SIGKILL',
    },
  )
  let words = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (words = (words + text).slice(-MAX_WORDS)))
  const status = await new Promise<number | string | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve(code ?? signal))
  })
  if (status !== 0) throw new Error(`${basename(vite)} ended with ${status}: ${words.trim()}`)
}

function viteFolder(root: string): string {
  try {
    return dirname(createRequire(join(root, 'package.json')).resolve('vite/package.json'))
  } catch {
    throw new Error(`its builder is not installed. Run npm ci in ${root} with development packages, or npm run web.`)
  }
}
