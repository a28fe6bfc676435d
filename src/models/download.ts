/**
 * One file over HTTP into a `.part` file: goes on where an earlier attempt stopped, hashes while writing, retries what is
 * worth retrying. The caller renames the part when it is content with the hash.
 */
import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { CocoonError } from '../util/index.ts'
import { modelError } from './errors.ts'
import type { HttpAnswer, HttpGet } from './http.ts'

export interface DownloadOptions {
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly partPath: string
  readonly algorithm: 'sha256' | 'sha512'
  readonly get: HttpGet
  readonly signal: AbortSignal
  /** The bytes are checked against a known hash afterwards, so that a part without ETag may be continued too. */
  readonly pinned: boolean
  /** Called with the size as soon as it is known, before anything is written. May throw. */
  readonly onSize?: (totalBytes: number, presentBytes: number) => Promise<void>
  readonly onBytes?: (receivedBytes: number, totalBytes: number | undefined) => void
  readonly retryDelaysMs?: readonly number[]
}

export interface Downloaded {
  readonly bytes: number
  readonly digest: Buffer
}

/** Three more attempts, each after the longer wait; one that brought new bytes starts the count again. */
const RETRY_DELAYS_MS: readonly number[] = [500, 2000, 8000]

/** Throws `model.not-found`, `model.network`, or the signal's reason. */
export async function download(options: DownloadOptions): Promise<Downloaded> {
  const delays = options.retryDelaysMs ?? RETRY_DELAYS_MS
  for (let failures = 0; ; failures++) {
    const before = await sizeOf(options.partPath)
    try {
      return await attempt(options, before)
    } catch (error) {
      options.signal.throwIfAborted()
      if (error instanceof CocoonError) throw error
      if ((await sizeOf(options.partPath)) > before) failures = 0
      const delayMs = delays[failures]
      if (delayMs === undefined) throw unreachableSource(options.url, error)
      await sleep(delayMs, undefined, { signal: options.signal })
    }
  }
}

async function attempt(options: DownloadOptions, present: number): Promise<Downloaded> {
  const { partPath, url } = options
  const tag = await readTag(partPath)
  const canContinue = present > 0 && (tag !== undefined || options.pinned)
  const answer = await options.get(
    url,
    {
      ...options.headers,
      ...(canContinue ? { range: `bytes=${present}-`, ...(tag === undefined ? {} : { 'if-range': tag }) } : {}),
    },
    options.signal,
  )
  const start = startOf(answer, canContinue ? present : 0)
  if (start === 'complete') {
    await discard(answer)
    return { bytes: present, digest: (await hashOf(partPath, options.algorithm, present, options.signal)).digest() }
  }
  if (start === 'restart') {
    await discard(answer)
    await removePart(partPath)
    throw new Error('the part on disk does not fit the file any more')
  }
  if (answer.status !== 200 && answer.status !== 206) {
    await discard(answer)
    throw refused(url, answer.status)
  }
  const length = answer.headers.get('content-length')
  const total = length === null ? undefined : start + Number(length)
  if (total !== undefined) {
    await options.onSize?.(total, start).catch(async (error: unknown) => {
      await discard(answer)
      throw error
    })
  }
  await writeTag(partPath, answer.headers.get('etag'))
  const hash =
    start === 0 ? createHash(options.algorithm) : await hashOf(partPath, options.algorithm, start, options.signal)
  const bytes = await append(options, answer, start, total, hash)
  if (total !== undefined && bytes !== total) throw new Error('the connection ended early')
  return { bytes, digest: hash.digest() }
}

/** Where the body of this answer belongs in the file. */
function startOf(answer: HttpAnswer, asked: number): number | 'complete' | 'restart' {
  if (answer.status === 206) {
    const from = /^bytes (?<from>\d+)-/.exec(answer.headers.get('content-range') ?? '')?.groups?.from
    return Number(from) === asked ? asked : 'restart'
  }
  if (answer.status === 416) {
    const total = /\/(?<total>\d+)$/.exec(answer.headers.get('content-range') ?? '')?.groups?.total
    return Number(total) === asked ? 'complete' : 'restart'
  }
  return 0
}

async function append(
  options: DownloadOptions,
  answer: HttpAnswer,
  start: number,
  total: number | undefined,
  hash: Hash,
): Promise<number> {
  const file: FileHandle = await open(options.partPath, start === 0 ? 'w' : 'r+')
  let at = start
  try {
    for await (const chunk of answer.body ?? []) {
      await file.write(chunk, 0, chunk.length, at)
      hash.update(chunk)
      at += chunk.length
      options.onBytes?.(at, total)
    }
    await file.sync()
  } finally {
    await file.close()
  }
  return at
}

/** A hash that has seen the first `bytes` of a file. */
export async function hashOf(path: string, algorithm: string, bytes: number, signal?: AbortSignal): Promise<Hash> {
  const hash = createHash(algorithm)
  if (bytes === 0) return hash
  for await (const chunk of createReadStream(path, {
    end: bytes - 1,
    highWaterMark: 1 << 20,
    ...(signal === undefined ? {} : { signal }),
  }))
    hash.update(chunk as Buffer)
  return hash
}

/** The part and what is remembered about it. */
export async function removePart(partPath: string): Promise<void> {
  await rm(partPath, { force: true })
  await rm(tagPath(partPath), { force: true })
}

const tagPath = (partPath: string): string => `${partPath}.etag`

const readTag = (partPath: string): Promise<string | undefined> =>
  readFile(tagPath(partPath), 'utf8').catch(() => undefined)

/** Only strong tags: a weak one does not promise equal bytes. */
async function writeTag(partPath: string, tag: string | null): Promise<void> {
  if (tag?.startsWith('"')) await writeFile(tagPath(partPath), tag)
  else await rm(tagPath(partPath), { force: true })
}

const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    (s) => s.size,
    () => 0,
  )

/** Reads nothing more of an answer nobody wants. */
async function discard(answer: HttpAnswer): Promise<void> {
  const body = answer.body as { cancel?: () => Promise<void> } | null
  await body?.cancel?.().catch(() => undefined)
}

function refused(url: string, status: number): Error {
  if (status === 404 || status === 410) {
    return modelError(
      'model.not-found',
      `Nothing stands at ${shown(url)} (HTTP ${status}).`,
      'Check the spelling of the model reference.',
      { url: shown(url), status },
    )
  }
  if (status === 401 || status === 403) {
    return modelError(
      'model.network',
      `${shown(url)} refuses us (HTTP ${status}).`,
      'Sign in to the source first (for npm: npm login), or choose another model.',
      { url: shown(url), status },
    )
  }
  return new Error(`HTTP ${status}`)
}

function unreachableSource(url: string, cause: unknown): CocoonError {
  const why =
    cause instanceof Error ? (cause.cause instanceof Error ? cause.cause.message : cause.message) : String(cause)
  return modelError(
    'model.network',
    `Downloading from ${new URL(url).host} failed several times (${why}).`,
    'Check the connection and proxy settings, then run the same command again: it goes on where it stopped.',
    { url: shown(url) },
    cause,
  )
}

/** Without the query, which may carry a signature. */
const shown = (url: string): string => url.split('?')[0] ?? url
