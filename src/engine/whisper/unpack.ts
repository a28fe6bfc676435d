/** The files of a package that are wanted, in memory. */
import { Parser } from 'tar'

/** Far above any model that a processor computes in acceptable time. */
const MAX_UNPACKED_BYTES = 4 * 1024 * 1024 * 1024

/**
 * @param archive a tar, compressed or not
 * @param isWanted asked with names as in the package: without the folder that npm puts around it
 */
export async function unpack(
  archive: Uint8Array,
  isWanted: (name: string) => boolean,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>()
  let unpackedBytes = 0
  await new Promise<void>((resolve, reject) => {
    const parser = new Parser({
      strict: true,
      filter: (path) => isWanted(inside(path)),
      onReadEntry(entry) {
        unpackedBytes += entry.size
        if (unpackedBytes > MAX_UNPACKED_BYTES) {
          parser.abort(new Error('the archive is too large'))
          return
        }
        const chunks: Uint8Array[] = []
        entry.on('data', (chunk) => chunks.push(chunk))
        entry.on('end', () => files.set(inside(entry.path), Buffer.concat(chunks)))
      },
    })
    parser.on('error', reject)
    parser.on('end', resolve)
    parser.end(archive as Buffer)
  })
  return files
}

const inside = (path: string): string => path.slice(path.indexOf('/') + 1)
