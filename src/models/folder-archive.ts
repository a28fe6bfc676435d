/**
 * The archive that a model's folder becomes, byte by byte as GNU tar would write it with the agreed options, so that the same
 * files have the same hash everywhere. Nothing is stored. Source: spec/model-identity.md, "Archive"; POSIX pax format.
 */
import { lstatSync, readdirSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { concatBytes, utf8 } from '../util/index.ts'
import { modelError } from './errors.ts'

interface Entry {
  /** `./sub/file`; folders end in a slash. */
  readonly name: string
  readonly path: string
  readonly isFolder: boolean
  readonly bytes: number
  readonly mode: number
}

export interface FolderArchive {
  /** Of the tar, its own padding included; not that for dm-verity. */
  readonly bytes: number
  /** In order. A chunk is good until the next one is asked for. Throws `model.archive` when a file changed meanwhile. */
  chunks(): AsyncGenerator<Uint8Array>
}

const RECORD_BYTES = 512
/** tar writes whole groups of 20 records. */
const GROUP_BYTES = 20 * RECORD_BYTES
const END_BYTES = 2 * RECORD_BYTES
const NAME_BYTES = 100
/** Eleven octal digits. */
const MAX_HEADER_SIZE = 0o77777777777
const READ_BYTES = 4 * 1024 * 1024
/** What downloaders leave beside the files. */
const LEFT_OUT = '.cache'

/** Looks at every file. Throws `model.archive` on what has no place in an archive. */
export function planFolderArchive(folder: string): FolderArchive {
  const entries = entriesBelow(folder, './', true)
  const links = new Set<string>()
  for (const { path } of entries.filter((entry) => !entry.isFolder)) {
    const { dev, ino, nlink } = lstatSync(path)
    if (nlink < 2) continue
    if (links.has(`${dev}:${ino}`)) throw refuse(path, 'is the same file as another one (a hard link)', 'Copy it.')
    links.add(`${dev}:${ino}`)
  }
  const content = entries.reduce((sum, entry) => sum + headersOf(entry).length + padded(entry.bytes), END_BYTES)
  const bytes = Math.ceil(content / GROUP_BYTES) * GROUP_BYTES
  return {
    bytes,
    async *chunks() {
      for (const entry of entries) {
        yield headersOf(entry)
        if (entry.bytes > 0) yield* contentOf(entry)
      }
      yield new Uint8Array(bytes - content + END_BYTES)
    },
  }
}

function entriesBelow(folder: string, name: string, isTop = false): Entry[] {
  const { mode } = lstatSync(folder)
  const own: Entry = { name, path: folder, isFolder: true, bytes: 0, mode: shownMode(mode) }
  const names = readdirSync(folder)
    .filter((child) => !(isTop && child === LEFT_OUT))
    .toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  return [
    own,
    ...names.flatMap((child): Entry[] => {
      const path = join(folder, child)
      // Others are written in a way that depends on the machine's language.
      if (!/^[\x20-\x7e]+$/.test(child)) throw refuse(path, 'has a name that is not plain ASCII', 'Rename it.')
      const stats = lstatSync(path)
      if (stats.isDirectory()) return entriesBelow(path, `${name}${child}/`)
      if (!stats.isFile()) throw refuse(path, 'is neither file nor folder', 'Put the file itself there.')
      return [{ name: name + child, path, isFolder: false, bytes: stats.size, mode: shownMode(stats.mode) }]
    }),
  ]
}

/** Everybody may do what the owner may, but write. */
function shownMode(mode: number): number {
  const owner = (mode >> 6) & 7
  const others = owner & ~2
  return (owner << 6) | (others << 3) | others
}

const padded = (bytes: number): number => Math.ceil(bytes / RECORD_BYTES) * RECORD_BYTES

/** One record, or three: what does not fit the old fields stands in front. */
function headersOf(entry: Entry): Uint8Array {
  const isLong = entry.name.length > NAME_BYTES
  const isLarge = entry.bytes > MAX_HEADER_SIZE
  const own = header(entry.name, entry.isFolder ? '5' : '0', entry.mode, isLarge ? 0 : entry.bytes, true)
  if (!isLong && !isLarge) return own
  const extended = utf8(
    `${isLong ? paxRecord('path', entry.name) : ''}${isLarge ? paxRecord('size', String(entry.bytes)) : ''}`,
  )
  const body = new Uint8Array(padded(extended.length))
  body.set(extended)
  const trimmed = entry.name.replace(/\/$/, '')
  const cut = trimmed.lastIndexOf('/')
  const name = `${trimmed.slice(0, cut)}/PaxHeaders/${trimmed.slice(cut + 1)}`
  return concatBytes(header(name, 'x', 0o644, extended.length, false), body, own)
}

/** `LENGTH key=value\n`, where the length counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  let length = rest.length
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return `${length}${rest}`
}

function header(name: string, type: string, mode: number, bytes: number, hasDevice: boolean): Uint8Array {
  const record = new Uint8Array(RECORD_BYTES)
  const put = (at: number, text: string): void => record.set(utf8(text), at)
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`
  put(0, name.slice(0, NAME_BYTES))
  put(100, octal(mode, 7))
  put(108, octal(0, 7)) // owner
  put(116, octal(0, 7)) // group
  put(124, octal(bytes, 11))
  put(136, octal(0, 11)) // time
  put(148, ' '.repeat(8)) // the sum is taken over spaces
  put(156, type)
  put(257, 'ustar\x0000')
  if (hasDevice) {
    put(329, octal(0, 7))
    put(337, octal(0, 7))
  }
  put(
    148,
    `${octal(
      record.reduce((sum, byte) => sum + byte, 0),
      6,
    )} `,
  )
  return record
}

async function* contentOf({ path, bytes }: Entry): AsyncGenerator<Uint8Array> {
  const file = await open(path, 'r')
  try {
    const buffer = new Uint8Array(Math.min(READ_BYTES, padded(bytes)))
    let at = 0
    while (at < bytes) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, bytes - at), at)
      if (bytesRead === 0) throw refuse(path, 'became shorter', 'Let nobody write to it.')
      at += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
    if ((await file.stat()).size !== bytes) throw refuse(path, 'became longer', 'Let nobody write to it.')
    if (padded(bytes) > bytes) yield new Uint8Array(padded(bytes) - bytes)
  } finally {
    await file.close()
  }
}

const refuse = (path: string, what: string, mend: string): Error =>
  modelError('model.archive', `${path} ${what}.`, mend, { path })
