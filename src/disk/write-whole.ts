/** A file that is there whole or as it was before, also after a crash. Secrets have `writePrivateFile`. */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** @param mode of a new file */
export function writeWhole(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  // Nodes of one folder write the same file: each has its own beside it.
  const beside = `${path}.${process.pid}.new`
  const file = openSync(beside, 'w', mode)
  try {
    writeFileSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(beside, path)
}
