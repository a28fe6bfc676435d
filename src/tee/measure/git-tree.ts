/**
 * The name that git gives a folder with SHA-256, without git: what a guest says of its configuration. Browser-safe.
 * Source: spec/measurement.md, "Guest messages".
 */
import { concatBytes, fromHex, toHex, utf8 } from '../../util/index.ts'
import { measureError } from './errors.ts'
import type { Hashes } from './mrtd.ts'

export type TreeEntry =
  | { readonly kind: 'file'; readonly name: string; readonly isExecutable: boolean; readonly bytes: Uint8Array }
  | { readonly kind: 'folder'; readonly name: string; readonly entries: readonly TreeEntry[] }

/** Left out at the top: written at run time, or names of what is computed here. */
const LEFT_OUT: readonly string[] = ['runtime', 'spec.tree', 'spec.meta']
/** Of one file; larger ones are refused where the guest computes this too. */
export const MAX_TREE_FILE_BYTES = 10_000_000

/** 64 hex digits. Throws `config.image-tree` where the guest's own tool would leave something out or refuse. */
export function configurationTree(hashes: Hashes, entries: readonly TreeEntry[]): Promise<string> {
  return treeOf(
    hashes,
    entries.filter(({ name }) => !LEFT_OUT.includes(name)),
    '',
  )
}

async function treeOf(hashes: Hashes, entries: readonly TreeEntry[], path: string): Promise<string> {
  const lines: { readonly key: string; readonly line: Uint8Array }[] = []
  for (const entry of entries) {
    const at = `${path}${entry.name}`
    // Rules for what to leave out are git's own language; a folder without them needs no interpreter.
    if (entry.name === '.gitignore')
      throw measureError('config.image-tree', at, 'remove it, and what it ignores: ignore files are not read here')
    if (entry.name === '.git') throw measureError('config.image-tree', at, 'a repository inside is not possible')
    // Git leaves empty folders out.
    if (entry.kind === 'folder' && !holdsFile(entry)) continue
    const [mode, id] =
      entry.kind === 'folder'
        ? ['40000', await treeOf(hashes, entry.entries, `${at}/`)]
        : [entry.isExecutable ? '100755' : '100644', await blobOf(hashes, entry.bytes, at)]
    // A folder is sorted as if its name ended in a slash.
    lines.push({
      key: entry.kind === 'folder' ? `${entry.name}/` : entry.name,
      line: concatBytes(utf8(`${mode} ${entry.name}\0`), fromHex(id)),
    })
  }
  const body = concatBytes(...lines.toSorted((a, b) => compareBytes(utf8(a.key), utf8(b.key))).map(({ line }) => line))
  return objectId(hashes, 'tree', body)
}

function blobOf(hashes: Hashes, bytes: Uint8Array, at: string): Promise<string> {
  if (bytes.length > MAX_TREE_FILE_BYTES)
    throw measureError('config.image-tree', at, `${bytes.length} bytes are more than ${MAX_TREE_FILE_BYTES}`)
  return objectId(hashes, 'blob', bytes)
}

const objectId = async (hashes: Hashes, kind: string, body: Uint8Array): Promise<string> =>
  toHex(await hashes.sha256(concatBytes(utf8(`${kind} ${body.length}\0`), body)))

const holdsFile = (entry: TreeEntry): boolean => entry.kind === 'file' || entry.entries.some(holdsFile)

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return (a[i] as number) - (b[i] as number)
  return a.length - b.length
}

/** What the guest extends RTMR3 with, in order: its configuration, whether it can be debugged, and that it is ready. */
export const guestMessages = (tree: string, isDebug: boolean): readonly string[] => [
  `cocoon:spec.tree=${tree}`,
  ...(isDebug ? ['cocoon:cocoon_debug'] : []),
  'cocoon:tdx_inited',
]
