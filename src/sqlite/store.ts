/** A store in a database file: made where there is none, brought up where it is older, refused where it is not sound. */
import type { DatabaseSync } from 'node:sqlite'
import type { CocoonError } from '../util/index.ts'
import { openSqliteFile, type SqliteForm, sqliteDamage, sqliteTrouble, sqliteVersion } from './file.ts'

export interface StoreForm extends SqliteForm {
  /** Settings of the connection, `PRAGMA …` each. */
  readonly settings: string
  /** What makes an empty file one of this version. */
  readonly schema: string
  /** From each version to the next, from 1 on. */
  readonly migrations: readonly string[]
}

/** Ends the code of a refusal: `config.…-in-use`. */
export type StoreTrouble = 'in-use' | 'corrupt' | 'newer' | 'unwritable'

/**
 * Throws what `refuse` makes of trouble; `why` is what was found, for `newer` a whole sentence.
 * @param use makes the store of the open database, which is closed again where that throws
 */
export function openSqliteStore<T>(
  path: string,
  form: StoreForm,
  refuse: (trouble: StoreTrouble, why: string, cause?: unknown) => CocoonError,
  use: (db: DatabaseSync) => T,
): T {
  let db: DatabaseSync | undefined
  try {
    db = openSqliteFile(path)
    db.exec(form.settings)
    const refusal = claim(db, path, form)
    if (refusal !== null) throw refuse(...refusal)
    return use(db)
  } catch (error) {
    db?.close()
    const trouble = sqliteTrouble(error)
    if (trouble === null) throw error
    if (trouble === 'damaged') throw refuse('corrupt', 'the file is damaged', error)
    throw refuse(trouble, (error as Error).message, error)
  }
}

/** Null when the database is of this form now; then an older one was brought up, or else left as it was. */
function claim(db: DatabaseSync, path: string, form: StoreForm): readonly [StoreTrouble, string] | null {
  const found = sqliteVersion(db, form)
  if (typeof found === 'string') return ['corrupt', found]
  const setVersion = `PRAGMA user_version = ${form.version};`
  if (found === null) {
    db.exec(`BEGIN IMMEDIATE; PRAGMA application_id = ${form.applicationId}; ${setVersion} ${form.schema} COMMIT`)
    return null
  }
  if (found > form.version)
    return [
      'newer',
      `${path} was written by a newer version of this program (format ${found}, this version knows ${form.version}): update the program`,
    ]
  const damage = sqliteDamage(db)
  if (damage !== null) return ['corrupt', damage]
  const steps = form.migrations.slice(found - 1)
  if (steps.length > 0) db.exec(`BEGIN IMMEDIATE; ${steps.join('')} ${setVersion} COMMIT`)
  return null
}
