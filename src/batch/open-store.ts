/** Opening the file of batches, and the reasons not to. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { CocoonError } from '../util/index.ts'
import { batchError } from './errors.ts'
import { type Kept, selectKept } from './select.ts'
import { createStore, SCHEMA, type Store } from './store.ts'

/** "CoBa", so that another program's database is never taken for this one. */
const APPLICATION_ID = 0x436f4261
const SCHEMA_VERSION = 1
/** A predecessor that is just dying still holds the file for a moment. */
const LOCK_WAIT_MS = 1_000

const SQLITE_BUSY = 5
const [SQLITE_NOTADB, SQLITE_CORRUPT] = [26, 11]
const UNWRITABLE: readonly (number | undefined)[] = [14, 8, 13] // CANTOPEN, READONLY, FULL
const UNWRITABLE_BY_SYSTEM = ['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'ENOTDIR', 'EEXIST']

export interface OpenedStore {
  readonly db: DatabaseSync
  readonly store: Store
  readonly kept: Kept
}

/** Throws `config.batch-…`. */
export function openStore(path: string): OpenedStore {
  let db: DatabaseSync | undefined
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    if (!existsSync(path)) writeFileSync(path, '', { mode: 0o600 })
    db = new DatabaseSync(path, { timeout: LOCK_WAIT_MS })
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    db.exec('PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON')
    // What is deleted is overwritten: answers shall not stay behind in free pages.
    db.exec('PRAGMA secure_delete = ON')
    if (pragma(db, 'SELECT count(*) FROM sqlite_schema') === 0)
      db.exec(
        `BEGIN IMMEDIATE; PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION}; ${SCHEMA} COMMIT`,
      )
    else expectSound(db, path)
    return { db, store: createStore(db), kept: selectKept(db) }
  } catch (error) {
    db?.close()
    throw refusal(error, path)
  }
}

function expectSound(db: DatabaseSync, path: string): void {
  if (pragma(db, 'PRAGMA application_id') !== APPLICATION_ID) throw corrupt(path, 'it is a database of another program')
  const version = pragma(db, 'PRAGMA user_version')
  if (version > SCHEMA_VERSION)
    throw batchError(
      'config.batch-newer',
      `${path} was written by a newer version of this program (format ${version}, this version knows ${SCHEMA_VERSION}): update the program`,
    )
  const found = db.prepare('PRAGMA quick_check(1)').get() as { quick_check?: string }
  if (found.quick_check !== 'ok') throw corrupt(path, String(found.quick_check))
}

const pragma = (db: DatabaseSync, sql: string): number => Number(Object.values(db.prepare(sql).get() ?? {})[0])

const corrupt = (path: string, why: string, cause?: unknown): CocoonError =>
  batchError(
    'config.batch-corrupt',
    `${path} is not a sound file of batches: ${why}. Restore a backup, or move it away to start without files and batches`,
    {},
    cause,
  )

/** What the system or SQLite says, in words that help. */
function refusal(error: unknown, path: string): unknown {
  if (error instanceof CocoonError) return error
  const { errcode, code } = error as { errcode?: number; code?: string }
  // Extended result codes carry the primary one in their lowest byte.
  const primary = errcode === undefined ? undefined : errcode & 0xff
  if (primary === SQLITE_BUSY)
    return batchError(
      'config.batch-in-use',
      `another client uses ${path}: stop it first, or give this one another home`,
      {},
      error,
    )
  if (primary === SQLITE_NOTADB || primary === SQLITE_CORRUPT) return corrupt(path, 'the file is damaged', error)
  if (!UNWRITABLE.includes(primary) && !UNWRITABLE_BY_SYSTEM.includes(code ?? '')) return error
  return batchError(
    'config.batch-unwritable',
    `the file of batches ${path} cannot be written (${(error as Error).message}): make its folder writable and see that the disk has room`,
    {},
    error,
  )
}
