/**
 * What nodes keep on this machine's disk for themselves: files with secrets, databases, and locks that go with the process that holds
 * them.
 */
export { readPrivateFile, writePrivateFile } from './private-file.ts'
export { takeProcessLock } from './process-lock.ts'
export { openSqliteFile, type SqliteForm, sqliteDamage, sqliteTrouble, sqliteVersion } from './sqlite-file.ts'
