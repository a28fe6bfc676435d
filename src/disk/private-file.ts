/** Files with secrets: made whole or not at all, readable by their owner only, refused when others may read them. */
import {
  closeSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { CocoonError } from '../util/index.ts'
import { syncFolderNow } from './sync-folder.ts'

/** A key or a wallet is a few hundred bytes. */
const MAX_BYTES = 64 * 1024
const isPosix = process.platform !== 'win32'

/** Null when there is no such file. Throws `config.key-file` when others may read it, or it is no file of that kind. */
export function readPrivateFile(path: string): string | null {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw unusable(path, (error as Error).message, error)
  }
  try {
    // Of the opened file, so that nobody can exchange it between the look and the reading.
    const { mode, size, uid } = fstatSync(file)
    if (isPosix && (mode & 0o077) !== 0) throw unusable(path, `others may read it; run: chmod 600 ${path}`)
    const own = process.getuid?.()
    if (isPosix && own !== undefined && own !== 0 && uid !== own)
      throw unusable(path, 'it belongs to another user; run this as that user, or copy it')
    if (size > MAX_BYTES) throw unusable(path, `it is larger than ${MAX_BYTES} bytes`)
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof CocoonError) throw error
    throw unusable(path, (error as Error).message, error)
  } finally {
    closeSync(file)
  }
}

/**
 * Writes the file and waits until it is on the disk: money may be sent to what it holds a moment later. False when there is
 * one already, which is left as it is, unless `replace` says otherwise. Throws `config.key-file`.
 */
export function writePrivateFile(path: string, text: string, { replace = false } = {}): boolean {
  const beside = `${path}.${process.pid}.new`
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    rmSync(beside, { force: true })
    const file = openSync(beside, 'wx', 0o600)
    try {
      writeFileSync(file, text)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    if (replace) renameSync(beside, path)
    // A link, unlike a rename, never takes the place of another file.
    else linkSync(beside, path)
    syncFolderNow(dirname(path))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw unusable(path, (error as Error).message, error)
  } finally {
    rmSync(beside, { force: true })
  }
}

const unusable = (path: string, why: string, cause?: unknown): CocoonError =>
  new CocoonError('config.key-file', { message: `the key file ${path} cannot be used: ${why}` }, { cause })
