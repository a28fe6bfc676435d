/** Opening a gateway's file, and the reasons not to: budgets that start from a guess do not bind. */
import { openSqliteStore, type StoreForm, type StoreTrouble } from '../sqlite/index.ts'
import { gatewayError } from './errors.ts'
import { type Kept, selectKept } from './select.ts'
import { MIGRATIONS, SCHEMA, SCHEMA_VERSION } from './schema.ts'
import { createStore, type Store } from './store.ts'
import { dayOf } from './windows.ts'

export interface StoreOptions {
  readonly path: string
  readonly keepReceipts: number
  readonly keepFreeReceipts: number
  readonly nowMs: number
}

const FORM: StoreForm = {
  /** "CoGw" */
  applicationId: 0x436f4777,
  version: SCHEMA_VERSION,
  settings: 'PRAGMA foreign_keys = ON',
  schema: SCHEMA,
  migrations: MIGRATIONS,
}

/** Throws `config.gateway-…`. */
export function openStore({ path, keepReceipts, keepFreeReceipts, nowMs }: StoreOptions): {
  readonly store: Store
  readonly kept: Kept
} {
  const say: Readonly<Record<StoreTrouble, (why: string) => string>> = {
    'in-use': () => `another client uses ${path}: stop it first, or give this one another home`,
    corrupt: (why) =>
      `${path} is not a sound file of keys and receipts: ${why}. Restore a backup, or move it away to start without keys`,
    newer: (why) => why,
    unwritable: (why) =>
      `the gateway’s file ${path} cannot be written (${why}): make its folder writable and see that the disk has room`,
  }
  const keep = { receipts: keepReceipts, freeReceipts: keepFreeReceipts }
  return openSqliteStore(
    path,
    FORM,
    (trouble, why, cause) => gatewayError(`config.gateway-${trouble}`, say[trouble](why), {}, cause),
    (db) => ({ store: createStore(db, keep), kept: selectKept(db, dayOf(nowMs)) }),
  )
}
