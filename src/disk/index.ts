/** What nodes keep on this machine's disk for themselves: files with secrets, locks and threads that go with the process that holds them. */
export { type DurableFile, openDurableFile } from './durable-file.ts'
export { createFullDisk } from './full-disk.ts'
export { readPrivateFile, writePrivateFile } from './private-file.ts'
export { takeProcessLock } from './process-lock.ts'
export { serveStoreThread, startStoreThread, type StoreThread } from './store-thread.ts'
export { syncFolder, syncFolderNow } from './sync-folder.ts'
export { writeWhole } from './write-whole.ts'
