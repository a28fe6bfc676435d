/** One process at a time: a file that names who holds it, and is taken over when that one has ended. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { CocoonError } from '../util/index.ts'

/**
 * Returns what gives it back. Throws `config.locked` with what `inUse` says of the process that holds it; a process that was
 * killed holds nothing.
 */
export function takeProcessLock(path: string, inUse: (pid: number) => string): () => void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const mine = `${process.pid} ${startOf(process.pid) ?? performance.timeOrigin}\n`
  // Between a look and a removal another process may take it; then it is that one's, and the second round says so.
  for (let round = 0; ; round++) {
    try {
      writeFileSync(path, mine, { flag: 'wx', mode: 0o600 })
      return () => rmSync(path, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || round > 1) throw refuse(path, error)
    }
    const [pid, start] = readHolder(path)
    if (isAlive(pid, start)) throw new CocoonError('config.locked', { pid, message: inUse(pid) })
    rmSync(path, { force: true })
  }
}

function readHolder(path: string): readonly [pid: number, start: string] {
  try {
    const [pid, start] = readFileSync(path, 'utf8').trim().split(' ')
    return [Number(pid), start ?? '']
  } catch {
    // Given back a moment ago.
    return [0, '']
  }
}

/** Numbers are given out again: a process that began at another time is another one. */
function isAlive(pid: number, start: string): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  const now = startOf(pid) ?? (pid === process.pid ? String(performance.timeOrigin) : null)
  return now === null || now === start
}

/** When a process began, in the system's own count; null where the system does not tell. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name of the program, in parentheses, may hold anything.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null
  } catch {
    return null
  }
}

const refuse = (path: string, cause: unknown): CocoonError =>
  new CocoonError('config.locked', { message: `cannot write ${path}: ${(cause as Error).message}` }, { cause })
