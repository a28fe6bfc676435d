/** Opening the file of batches, and the reasons not to. */
import type { DatabaseSync } from 'node:sqlite'
import { openSqliteFile, sqliteDamage, sqliteTrouble, sqliteVersion } from '../disk/index.ts'
import { CocoonError } from '../util/index.ts'
import { batchError } from './errors.ts'
import { type Kept, selectKept } from './select.ts'
import { createStore, SCHEMA, type Store } from './store.ts'

/** "CoBa". */
const FORM = { applicationId: 0x436f4261, version: 1 }

export interface OpenedStore {
  readonly db: DatabaseSync
  readonly store: Store
  readonly kept: Kept
}

/** Throws `config.batch-…`. */
export function openStore(path: string): OpenedStore {
  let db: DatabaseSync | undefined
  try {
    db = openSqliteFile(path)
    // What is deleted is overwritten: answers shall not stay behind in free pages.
    db.exec('PRAGMA secure_delete = ON')
    expectOurs(db, path)
    return { db, store: createStore(db), kept: selectKept(db) }
  } catch (error) {
    db?.close()
    throw refusal(error, path)
  }
}

function expectOurs(db: DatabaseSync, path: string): void {
  const version = sqliteVersion(db, FORM)
  if (typeof version === 'string') throw corrupt(path, version)
  if (version === null)
    return db.exec(
      `BEGIN IMMEDIATE; PRAGMA application_id = ${FORM.applicationId}; PRAGMA user_version = ${FORM.version}; ${SCHEMA} COMMIT`,
    )
  if (version > FORM.version)
    throw batchError(
      'config.batch-newer',
      `${path} was written by a newer version of this program (format ${version}, this version knows ${FORM.version}): update the program`,
    )
  const damage = sqliteDamage(db)
  if (damage !== null) throw corrupt(path, damage)
}

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
  const trouble = sqliteTrouble(error)
  if (trouble === null) return error
  if (trouble === 'damaged') return corrupt(path, 'the file is damaged', error)
  if (trouble === 'in-use')
    return batchError(
      'config.batch-in-use',
      `another client uses ${path}: stop it first, or give this one another home`,
      {},
      error,
    )
  return batchError(
    'config.batch-unwritable',
    `the file of batches ${path} cannot be written (${(error as Error).message}): make its folder writable and see that the disk has room`,
    {},
    error,
  )
}
