/** The five things that a program does with the kernel's report interface. An argument, since no test machine has one. Node only. */
import { mkdir, open, rmdir } from 'node:fs/promises'

export interface TsmFiles {
  /** A folder; the kernel fills it with attributes at once. */
  create(path: string): Promise<void>
  /** Attributes go with it. */
  remove(path: string): Promise<void>
  write(path: string, bytes: Uint8Array): Promise<void>
  /** Rejects with EFBIG above `maxBytes`. */
  read(path: string, maxBytes: number): Promise<Uint8Array>
}

export const nodeTsmFiles: TsmFiles = {
  create: (path) => mkdir(path),
  remove: (path) => rmdir(path),
  async write(path, bytes) {
    const file = await open(path, 'w')
    try {
      // One call: the kernel takes what comes as the whole value.
      await file.write(bytes, 0, bytes.length)
    } finally {
      await file.close()
    }
  },
  async read(path, maxBytes) {
    // Sizes of attributes are not known before they are read, so the file is asked until it has no more.
    const file = await open(path, 'r')
    try {
      const bytes = new Uint8Array(maxBytes + 1)
      let at = 0
      for (;;) {
        const { bytesRead } = await file.read(bytes, at, bytes.length - at, null)
        if (bytesRead === 0) return bytes.slice(0, at)
        at += bytesRead
        if (at > maxBytes) throw Object.assign(new Error(`EFBIG: more than ${maxBytes} bytes`), { code: 'EFBIG' })
      }
    } finally {
      await file.close()
    }
  },
}
