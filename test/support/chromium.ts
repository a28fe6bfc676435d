/**
 * A browser for tests: the Chromium that comes inside a package, unpacked once a machine; on other platforms one that COCOON_CHROMIUM
 * names. Never skipped: without a browser the tests fail and say what to do.
 */
import {
  chmodSync,
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createBrotliDecompress } from 'node:zlib'
import { type Browser, chromium } from 'playwright-core'
import { extract } from 'tar'
import { ROOT } from './source-files.ts'

const PACKAGE = join(ROOT, 'node_modules/@sparticuz/chromium')

export async function openBrowser(): Promise<Browser> {
  const named = process.env['COCOON_CHROMIUM']
  const { executablePath, libraries } =
    named === undefined ? await packaged() : { executablePath: named, libraries: null }
  return chromium.launch({
    executablePath,
    // Tests run as root in containers, where Chromium has no sandbox to use; it sees our own page only.
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
    env: { ...process.env, ...(libraries === null ? {} : { LD_LIBRARY_PATH: libraries }) } as Record<string, string>,
  })
}

async function packaged(): Promise<{ readonly executablePath: string; readonly libraries: string }> {
  if (process.platform !== 'linux' || process.arch !== 'x64' || !existsSync(PACKAGE))
    throw new Error(
      'the packaged Chromium is for Linux on x64: run npm ci there, or set COCOON_CHROMIUM to the path of a Chromium',
    )
  const { version } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8')) as { version: string }
  const folder = join(tmpdir(), `cocoon-chromium-${version}-${process.getuid?.() ?? 0}`)
  if (!existsSync(folder)) {
    const making = `${folder}.${process.pid}`
    mkdirSync(making, { recursive: true, mode: 0o700 })
    await unpack('chromium.br', join(making, 'chromium'))
    chmodSync(join(making, 'chromium'), 0o700)
    // Libraries that a bare machine lacks.
    await unpack('al2023.tar.br', join(making, 'libraries.tar'))
    await extract({ file: join(making, 'libraries.tar'), cwd: making })
    try {
      renameSync(making, folder)
    } catch (error) {
      // Another test was first.
      if (!existsSync(folder)) throw error
    }
  }
  return { executablePath: join(folder, 'chromium'), libraries: join(folder, 'lib') }
}

const unpack = (name: string, to: string): Promise<void> =>
  pipeline(createReadStream(join(PACKAGE, 'bin', name)), createBrotliDecompress(), createWriteStream(to))
