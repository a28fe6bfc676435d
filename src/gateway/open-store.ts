/** Opening a gateway's file, and the reasons not to: budgets that start from a guess do not bind. */
import type { DatabaseSync } from 'node:sqlite'
import { openSqliteFile, sqliteDamage, sqliteTrouble, sqliteVersion } from '../disk/index.ts'
import { CocoonError } from '../util/index.ts'
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

/** "CoGw". */
const FORM = { applicationId: 0x436f4777, version: SCHEMA_VERSION }

/** Throws `config.gateway-…`. */
export function openStore({ path, keepReceipts, keepFreeReceipts, nowMs }: StoreOptions): {
  readonly store: Store
  readonly kept: Kept
} {
  let db: DatabaseSync | undefined
  try {
    db = openSqliteFile(path)
    db.exec('PRAGMA foreign_keys = ON')
    expectOurs(db, path)
    const keep = { receipts: keepReceipts, freeReceipts: keepFreeReceipts }
    return { store: createStore(db, keep), kept: selectKept(db, dayOf(nowMs)) }
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
    throw gatewayError(
      'config.gateway-newer',
      `${path} was written by a newer version of this program (format ${version}, this version knows ${FORM.version}): update the program`,
    )
  const damage = sqliteDamage(db)
  if (damage !== null) throw corrupt(path, damage)
  bringUp(db, version)
}

/** An older file is of this version afterwards, or is left as it was. */
function bringUp(db: DatabaseSync, version: number): void {
  const steps = MIGRATIONS.slice(version - 1)
  if (steps.length > 0) db.exec(`BEGIN IMMEDIATE; ${steps.join('')} PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`)
}

const corrupt = (path: string, why: string, cause?: unknown): CocoonError =>
  gatewayError(
    'config.gateway-corrupt',
    `${path} is not a sound file of keys and receipts: ${why}. Restore a backup, or move it away to start without keys`,
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
    return gatewayError(
      'config.gateway-in-use',
      `another client uses ${path}: stop it first, or give this one another home`,
      {},
      error,
    )
  return gatewayError(
    'config.gateway-unwritable',
    `the gateway’s file ${path} cannot be written (${(error as Error).message}): make its folder writable and see that the disk has room`,
    {},
    error,
  )
}
