/** A lock file that says who holds it, so that the lock of a process that died is taken over. */
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { modelError } from './errors.ts'

export interface Lock {
  release(): Promise<void>
}

/** Throws `model.locked` while a living process holds it. */
export async function takeLock(path: string, isAlive: (pid: number) => boolean = processIsAlive): Promise<Lock> {
  await mkdir(dirname(path), { recursive: true })
  // Linked into place with its content, so that nobody ever reads a lock without a holder.
  const draft = `${path}.${process.pid}`
  await writeFile(draft, String(process.pid))
  try {
    // Twice: once as found, once after removing a dead holder's file.
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        await link(draft, path)
        return { release: () => rm(path, { force: true }) }
      } catch (error) {
        if (!isCode(error, 'EEXIST')) throw error
      }
      const pid = await holderOf(path)
      if (pid !== undefined && isAlive(pid)) throw locked(path, pid)
      await rm(path, { force: true })
    }
    throw locked(path, undefined)
  } finally {
    await rm(draft, { force: true })
  }
}

function processIsAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return isCode(error, 'EPERM')
  }
}

async function holderOf(path: string): Promise<number | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '')
  return /^\d+$/.test(text) ? Number(text) : undefined
}

const isCode = (error: unknown, code: string): boolean => (error as NodeJS.ErrnoException).code === code

function locked(path: string, pid: number | undefined) {
  return modelError(
    'model.locked',
    `Another process${pid === undefined ? '' : ` (pid ${pid})`} is pulling this model.`,
    `Wait for it, or, if there is none, delete ${path}.`,
    { path, pid },
  )
}
