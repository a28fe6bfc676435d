/** The kernel's report interface as its documentation describes it, in memory: for what no test machine has. */
import { concatBytes } from '../../src/util/index.ts'
import type { TsmFiles } from '../../src/tee/source/tsm-files.ts'

export interface FakeTsm extends TsmFiles {
  /** Entries that are there now. */
  readonly entries: ReadonlyMap<string, Entry>
  /** Names of attributes in the order in which they were read and written. */
  readonly calls: readonly string[]
}

interface Entry {
  generation: number
  inblob: Uint8Array | null
  privlevel: number | null
}

export interface FakeTsmOptions {
  readonly root: string
  readonly provider: string
  /** What the hardware answers. */
  readonly answer: (reportData: Uint8Array, privilegeLevel: number | null) => Uint8Array
  readonly aux?: Uint8Array
  /** Error codes for the next readings of `outblob`, first to last; then it works. */
  readonly failures?: string[]
  /** How many times another program writes to our entry while we wait. */
  readonly meddling?: number
  /** Error code of every `create`. */
  readonly refusesEntries?: string
}

const failure = (code: string): Error => Object.assign(new Error(`${code}: from the test`), { code })
const text = (value: string | number): Uint8Array => new TextEncoder().encode(`${value}\n`)

export function fakeTsm(options: FakeTsmOptions): FakeTsm {
  const entries = new Map<string, Entry>()
  const calls: string[] = []
  const failures = [...(options.failures ?? [])]
  let meddling = options.meddling ?? 0
  const at = (path: string): readonly [Entry, string] => {
    const cut = path.lastIndexOf('/')
    const entry = entries.get(path.slice(0, cut))
    if (entry === undefined) throw failure('ENOENT')
    return [entry, path.slice(cut + 1)]
  }
  return {
    entries,
    calls,
    async create(path) {
      if (options.refusesEntries !== undefined) throw failure(options.refusesEntries)
      if (!path.startsWith(`${options.root}/`) || entries.has(path)) throw failure('EEXIST')
      entries.set(path, { generation: 0, inblob: null, privlevel: null })
    },
    async remove(path) {
      if (!entries.delete(path)) throw failure('ENOENT')
    },
    async write(path, bytes) {
      const [entry, name] = at(path)
      calls.push(`write ${name}`)
      if (name === 'inblob') entry.inblob = bytes.slice()
      else if (name === 'privlevel') entry.privlevel = Number(new TextDecoder().decode(bytes))
      else throw failure('EACCES')
      entry.generation += 1
    },
    async read(path, maxBytes) {
      const [entry, name] = at(path)
      calls.push(`read ${name}`)
      switch (name) {
        case 'provider':
          return text(options.provider)
        case 'generation':
          return text(entry.generation)
        case 'auxblob':
          if (options.aux === undefined) throw failure('ENOENT')
          return options.aux
        case 'outblob': {
          const code = failures.shift()
          if (code !== undefined) throw failure(code)
          if (entry.inblob === null) throw failure('EINVAL')
          const answer = options.answer(entry.inblob, entry.privlevel)
          if (answer.length > maxBytes) throw failure('EFBIG')
          if (meddling > 0) {
            meddling -= 1
            entry.generation += 1
          }
          return answer
        }
        default:
          throw failure('ENOENT')
      }
    },
  }
}

/** A table of certificates as an SEV-SNP host gives it. GUIDs as they lie in memory, hex. */
export function certificateTable(entries: readonly (readonly [guid: string, der: Uint8Array])[]): Uint8Array {
  const headBytes = 24 * (entries.length + 1)
  const head = new Uint8Array(headBytes)
  const view = new DataView(head.buffer)
  let offset = headBytes
  for (const [i, [guid, der]] of entries.entries()) {
    head.set(Buffer.from(guid, 'hex'), 24 * i)
    view.setUint32(24 * i + 16, offset, true)
    view.setUint32(24 * i + 20, der.length, true)
    offset += der.length
  }
  return concatBytes(head, ...entries.map(([, der]) => der))
}
