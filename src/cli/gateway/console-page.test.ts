import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Log, silentLog } from '../../util/index.ts'
import { createConsolePage } from './console-page.ts'

let root: string
let builds: number
let warned: string[]
const log: Log = { ...silentLog, warn: (message) => void warned.push(message) }

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cocoon-console-page-'))
  builds = 0
  warned = []
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

/** A build that numbers its pages. */
const build = async (_root: string, folder: string): Promise<void> => {
  builds++
  writeFileSync(join(folder, 'index.html'), `page ${builds}`)
}
const failing = async (): Promise<void> => {
  throw new Error('no builder')
}
const createPage = (how = build) => createConsolePage({ root, log, build: how })

const SECOND = 1_000_000_000
/** @param second of the file's time */
function writeSource(name: string, second: number): void {
  const path = join(root, 'web', 'console', name)
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, '')
  utimesSync(path, SECOND + second, SECOND + second)
  // Only the files' own times count in these tests.
  utimesSync(join(path, '..'), SECOND, SECOND)
}
function writeBuilt(text: string, second: number): void {
  const folder = join(root, 'dist', 'web', 'console')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'index.html'), text)
  utimesSync(join(folder, 'index.html'), SECOND + second, SECOND + second)
}
async function shown(page: ReturnType<typeof createPage>): Promise<string> {
  const files = await page()
  return 'missing' in files ? files.missing : Buffer.from(files.get('index.html') ?? []).toString()
}

describe('an installed package', () => {
  test('serves what it carries and never builds', async () => {
    writeBuilt('carried', 0)
    expect(await shown(createPage())).toBe('carried')
    expect(builds).toBe(0)
  })

  test('without its page says to install it again', async () => {
    expect(await shown(createPage())).toContain('install the package again')
    expect(builds).toBe(0)
  })
})

describe('a checkout', () => {
  beforeEach(() => writeSource('vite.config.ts', 0))

  test('builds its page once, however many ask for it at once', async () => {
    const page = createPage()
    expect(await Promise.all([shown(page), shown(page), shown(page)])).toEqual(['page 1', 'page 1', 'page 1'])
    expect(await shown(page)).toBe('page 1')
    expect(builds).toBe(1)
  })

  test('does not build what another process has built from the same sources', async () => {
    await shown(createPage())
    expect(await shown(createPage())).toBe('page 1')
    expect(builds).toBe(1)
  })

  test('builds anew when a source is newer, without a restart', async () => {
    const page = createPage()
    await shown(page)
    writeSource('app.tsx', 5)
    expect(await shown(page)).toBe('page 2')
    writeSource('views/usage.tsx', 9)
    expect(await shown(page)).toBe('page 3')
  })

  test('builds anew after an edit that came while it was building', async () => {
    const page = createPage(async (at, folder) => {
      await build(at, folder)
      if (builds === 1) writeSource('app.tsx', 5)
    })
    await shown(page)
    expect(await shown(page)).toBe('page 2')
  })

  test('whose builder fails serves the older page, and says so in the log', async () => {
    writeBuilt('older', -5)
    expect(await shown(createPage(failing))).toBe('older')
    expect(warned).toEqual(['the console is an older build'])
  })

  test('whose builder fails, without an older page, tells why, and tries again', async () => {
    expect(await shown(createPage(failing))).toBe('The console cannot be built: no builder')
    expect(await shown(createPage())).toBe('page 1')
  })

  test('that nothing can be written into tells why', async () => {
    writeFileSync(join(root, 'dist'), 'a file where a folder should be')
    expect(await shown(createPage())).toMatch(/^The console cannot be built: E[A-Z]+: /)
    expect(builds).toBe(0)
  })

  test('leaves nothing but the page behind', async () => {
    writeBuilt('older', -5)
    await shown(createPage())
    await shown(createPage(failing))
    expect(readdirSync(join(root, 'dist', 'web'))).toEqual(['console'])
    expect(existsSync(join(root, 'dist', 'web', 'console', 'index.html'))).toBe(true)
  })
})
