/** Databases that one process holds. Loads SQLite: for threads of stores, and nobody whose start-up matters. */
export { openSqliteFile, type SqliteForm, sqliteDamage, sqliteTrouble, sqliteVersion } from './file.ts'
export { openSqliteStore, type StoreForm, type StoreTrouble } from './store.ts'
