/**
 * A database file that one process holds at a time and that loses nothing it was told to keep. What its tables mean, and what
 * people are told when it cannot be opened, is its owner's business.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Whose file it is, so that another program's database is never taken for it, and of which form. */
export interface SqliteForm {
  /** Four letters as a number, for `PRAGMA application_id`. */
  readonly applicationId: number
  readonly version: number
}

/** A predecessor that is just dying still holds the file for a moment. */
const LOCK_WAIT_MS = 1_000

const [SQLITE_BUSY, SQLITE_NOTADB, SQLITE_CORRUPT, SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_FULL] = [
  5, 26, 11, 14, 8, 13,
]
const UNWRITABLE_BY_SYSTEM = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'ENOTDIR', 'EEXIST'])

/** Opens the file, or makes it, with its folder. Throws what the system or SQLite says: `sqliteTrouble`. */
export function openSqliteFile(path: string): DatabaseSync {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  // Readable by nobody else. Only where it is new: closing a file that this process has open would free its lock.
  if (!existsSync(path)) writeFileSync(path, '', { mode: 0o600 })
  const db = new DatabaseSync(path, { timeout: LOCK_WAIT_MS })
  try {
    // Exclusive: the system's lock on the file goes with the process, however it ends. No second process, no stale lock.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    // Where a sync does not reach the medium by itself (macOS), ask for one that does.
    db.exec('PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON')
  } catch (error) {
    db.close()
    throw error
  }
  return db
}

/** Version of the form that an opened file has; null for one without content, a sentence for one that is not ours. */
export function sqliteVersion(db: DatabaseSync, { applicationId }: SqliteForm): number | null | string {
  if (numberIn(db, 'SELECT count(*) FROM sqlite_schema') === 0) return null
  if (numberIn(db, 'PRAGMA application_id') !== applicationId) return 'it is a database of another program'
  return numberIn(db, 'PRAGMA user_version')
}

/** Null for a sound file, else what SQLite found first. Reads all of it. */
export function sqliteDamage(db: DatabaseSync): string | null {
  const found = db.prepare('PRAGMA quick_check(1)').get() as { quick_check?: string }
  return found.quick_check === 'ok' ? null : String(found.quick_check)
}

/** What an error of the system or of SQLite means for whoever wants the file; null for any other. */
export function sqliteTrouble(error: unknown): 'in-use' | 'damaged' | 'unwritable' | null {
  const { errcode, code } = error as { errcode?: number; code?: string }
  // Extended result codes carry the primary one in their lowest byte.
  switch (errcode === undefined ? undefined : errcode & 0xff) {
    case SQLITE_BUSY:
      return 'in-use'
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return 'damaged'
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_FULL:
      return 'unwritable'
  }
  return UNWRITABLE_BY_SYSTEM.has(code ?? '') ? 'unwritable' : null
}

const numberIn = (db: DatabaseSync, sql: string): number => Number(Object.values(db.prepare(sql).get() ?? {})[0])
