/** Files named on the command line, with an upper bound and an error that names them. */
import { readFileSync, statSync } from 'node:fs'
import { CocoonError, type ErrorCode } from '../../util/index.ts'

/** Throws `code`, a `config.*`. */
export function readInput(path: string, maxBytes: number, code: ErrorCode): Uint8Array {
  const unusable = (why: string, cause?: unknown): CocoonError =>
    new CocoonError(code, { message: `cannot read ${path}: ${why}` }, { cause })
  try {
    const { size } = statSync(path)
    if (size > maxBytes) throw unusable(`${size} bytes are more than the ${maxBytes} that are allowed`)
    return new Uint8Array(readFileSync(path))
  } catch (error) {
    if (error instanceof CocoonError) throw error
    const { code: why, message } = error as NodeJS.ErrnoException
    throw unusable(why === 'ENOENT' ? 'there is no such file' : message, error)
  }
}

export const readTextInput = (path: string, maxBytes: number, code: ErrorCode): string =>
  new TextDecoder().decode(readInput(path, maxBytes, code))
