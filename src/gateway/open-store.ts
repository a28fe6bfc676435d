/** Opening a gateway's file, and the reasons not to: budgets that start from a guess do not bind. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
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

/** "CoGw", so that another program's database is never taken for this one. */
const APPLICATION_ID = 0x436f4777
/** A predecessor that is just dying still holds the file for a moment. */
const LOCK_WAIT_MS = 1_000

const [SQLITE_BUSY, SQLITE_NOTADB, SQLITE_CORRUPT, SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_FULL] = [
  5, 26, 11, 14, 8, 13,
]

/** Throws `config.gateway-…`. */
export function openStore({ path, keepReceipts, keepFreeReceipts, nowMs }: StoreOptions): {
  readonly store: Store
  readonly kept: Kept
} {
  let db: DatabaseSync | undefined
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    // Readable by nobody else. Only where it is new: closing a file that this process has open would free its lock.
    if (!existsSync(path)) writeFileSync(path, '', { mode: 0o600 })
    db = new DatabaseSync(path, { timeout: LOCK_WAIT_MS })
    // Exclusive: the system's lock on the file goes with the process, however it ends.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    db.exec('PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON; PRAGMA foreign_keys = ON')
    if (pragma(db, 'SELECT count(*) FROM sqlite_schema') === 0)
      db.exec(
        `BEGIN IMMEDIATE; PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION}; ${SCHEMA} COMMIT`,
      )
    else bringUp(db, expectSound(db, path))
    const keep = { receipts: keepReceipts, freeReceipts: keepFreeReceipts }
    return { store: createStore(db, keep), kept: selectKept(db, dayOf(nowMs)) }
  } catch (error) {
    db?.close()
    throw refusal(error, path)
  }
}

/** @returns the version of its schema */
function expectSound(db: DatabaseSync, path: string): number {
  if (pragma(db, 'PRAGMA application_id') !== APPLICATION_ID) throw corrupt(path, 'it is a database of another program')
  const version = pragma(db, 'PRAGMA user_version')
  if (version > SCHEMA_VERSION)
    throw gatewayError(
      'config.gateway-newer',
      `${path} was written by a newer version of this program (format ${version}, this version knows ${SCHEMA_VERSION}): update the program`,
    )
  const found = db.prepare('PRAGMA quick_check(1)').get() as { quick_check?: string }
  if (found.quick_check !== 'ok') throw corrupt(path, String(found.quick_check))
  return version
}

/** An older file is of this version afterwards, or is left as it was. */
function bringUp(db: DatabaseSync, version: number): void {
  const steps = MIGRATIONS.slice(version - 1)
  if (steps.length > 0) db.exec(`BEGIN IMMEDIATE; ${steps.join('')} PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`)
}

const pragma = (db: DatabaseSync, sql: string): number => Number(Object.values(db.prepare(sql).get() ?? {})[0])

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
  const { errcode, code } = error as { errcode?: number; code?: string }
  // Extended result codes carry the primary one in their lowest byte.
  const primary = errcode === undefined ? undefined : errcode & 0xff
  if (primary === SQLITE_BUSY)
    return gatewayError(
      'config.gateway-in-use',
      `another client uses ${path}: stop it first, or give this one another home`,
      {},
      error,
    )
  if (primary === SQLITE_NOTADB || primary === SQLITE_CORRUPT) return corrupt(path, 'the file is damaged', error)
  const isUnwritable =
    [SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_FULL].some((one) => one === primary) ||
    ['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'ENOTDIR', 'EEXIST'].includes(code ?? '')
  if (!isUnwritable) return error
  return gatewayError(
    'config.gateway-unwritable',
    `the gateway’s file ${path} cannot be written (${(error as Error).message}): make its folder writable and see that the disk has room`,
    {},
    error,
  )
}
