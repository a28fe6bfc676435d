/** A new name lasts when its folder is synced. Windows cannot sync folders, and needs not. */
import { closeSync, fsyncSync, openSync } from 'node:fs'
import { open } from 'node:fs/promises'

const CAN_SYNC = process.platform !== 'win32'

export async function syncFolder(path: string): Promise<void> {
  if (!CAN_SYNC) return
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** For start-up, and for threads of their own: nothing else happens meanwhile. */
export function syncFolderNow(path: string): void {
  if (!CAN_SYNC) return
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
