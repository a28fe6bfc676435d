/** Opening the file of batches, and the reasons not to. */
import type { DatabaseSync } from 'node:sqlite'
import { openSqliteStore, type StoreForm, type StoreTrouble } from '../sqlite/index.ts'
import { batchError } from './errors.ts'
import { type Kept, selectKept } from './select.ts'
import { createStore, SCHEMA, type Store } from './store.ts'

const FORM: StoreForm = {
  /** "CoBa" */
  applicationId: 0x436f4261,
  version: 2,
  // What is deleted is overwritten: answers shall not stay behind in free pages.
  settings: 'PRAGMA secure_delete = ON',
  schema: SCHEMA,
  migrations: ['ALTER TABLE line ADD COLUMN sent_ms INTEGER; ALTER TABLE line ADD COLUMN sent_to TEXT;'],
}

export interface OpenedStore {
  readonly db: DatabaseSync
  readonly store: Store
  readonly kept: Kept
}

/** Throws `config.batch-…`. */
export function openStore(path: string): OpenedStore {
  const say: Readonly<Record<StoreTrouble, (why: string) => string>> = {
    'in-use': () => `another client uses ${path}: stop it first, or give this one another home`,
    corrupt: (why) =>
      `${path} is not a sound file of batches: ${why}. Restore a backup, or move it away to start without files and batches`,
    newer: (why) => why,
    unwritable: (why) =>
      `the file of batches ${path} cannot be written (${why}): make its folder writable and see that the disk has room`,
  }
  return openSqliteStore(
    path,
    FORM,
    (trouble, why, cause) => batchError(`config.batch-${trouble}`, say[trouble](why), {}, cause),
    (db) => ({ db, store: createStore(db), kept: selectKept(db) }),
  )
}
