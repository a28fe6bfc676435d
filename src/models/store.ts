/**
 * The model files on this machine: `<cacheDir>/models/NAME-HASH.gguf` (`.tgz` for whole packages), each with a `.json` beside it that
 * says where it came from. A file without its description is a download that never finished its checks, and is not a model.
 */
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { isAbsolute, join, resolve } from 'node:path'
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { modelError } from './errors.ts'
import { hashOf } from './download.ts'
import { type ModelReference, type ModelSource, parseModelReference } from './reference.ts'

const Description = z.strictObject({
  name: z.string(),
  /** Canonical reference, without the pin. */
  source: z.string(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: z.number().int().nonnegative(),
  /** `pinned`: the hash was known before. `recorded`: it is what the first download happened to bring. */
  trust: z.enum(['pinned', 'recorded']),
  /** ISO 8601. */
  pulledAt: z.string(),
})
export type ModelDescription = z.infer<typeof Description>

/** A file that can be loaded. Files of the operator's own have no recorded hash unless their reference pins one. */
export interface LocalModel extends Omit<ModelDescription, 'sha256' | 'trust'> {
  readonly path: string
  readonly sha256?: string
  readonly trust: ModelDescription['trust'] | 'unchecked'
}

export const modelsDir = (cacheDir: string): string => join(cacheDir, 'models')

/** Where the file of a reference is or will be. The same reference always has the same place. */
export function modelPath(cacheDir: string, reference: ModelReference): string {
  const id = createHash('sha256').update(reference.canonical).digest('hex').slice(0, 8)
  return join(modelsDir(cacheDir), `${reference.name}-${id}.${endingOf(reference.source)}`)
}

const endingOf = (source: ModelSource): string =>
  source.kind === 'package' || (source.kind === 'https' && source.url.endsWith('.tgz')) ? 'tgz' : 'gguf'

const ENDING = /\.(?:gguf|tgz)$/

/** Everything pulled, by name. */
export async function listModels(cacheDir: string): Promise<readonly LocalModel[]> {
  const names = await readdir(modelsDir(cacheDir)).catch(() => [])
  const models = await Promise.all(
    names.filter((name) => ENDING.test(name)).map((name) => readModel(join(modelsDir(cacheDir), name))),
  )
  return models.filter((m) => m !== undefined).sort((a, b) => a.name.localeCompare(b.name))
}

/**
 * The file a reference stands for, without any network: a pulled model, or the path itself. A pin that disagrees with the
 * recorded hash throws `model.hash-mismatch`; a model that is not here throws `model.not-found`.
 */
export async function resolveModel(cacheDir: string, text: string): Promise<string> {
  const reference = parseModelReference(text)
  if (reference.source.kind === 'file') return (await localFile(reference, reference.source.path)).path
  const found = await readModel(modelPath(cacheDir, reference))
  if (found === undefined) {
    throw modelError('model.not-found', `The model ${text} has not been pulled.`, `Run: cocoon model pull ${text}`, {
      reference: text,
    })
  }
  checkPin(reference, found)
  return found.path
}

/** A file of the operator's own: exists, and matches the pin if there is one. */
export async function localFile(reference: ModelReference, path: string): Promise<LocalModel> {
  const full = isAbsolute(path) ? path : resolve(path)
  const found = await stat(full).catch(() => undefined)
  if (found?.isFile() !== true)
    throw modelError('model.not-found', `There is no file ${full}.`, 'Check the path.', { path: full })
  const pin = reference.sha256 === undefined ? undefined : await fileSha256(full)
  const model: LocalModel = {
    name: reference.name,
    path: full,
    source: reference.canonical,
    bytes: found.size,
    pulledAt: found.mtime.toISOString(),
    ...(pin === undefined ? { trust: 'unchecked' } : { trust: 'pinned', sha256: pin }),
  }
  checkPin(reference, model)
  return model
}

/** Removes by name, reference or path of a pulled file. Says what was removed; throws `model.not-found`. */
export async function removeModel(cacheDir: string, text: string): Promise<LocalModel> {
  const canonical = tryParse(text)?.canonical
  const model = (await listModels(cacheDir)).find((m) => m.name === text || m.path === text || m.source === canonical)
  if (model === undefined) {
    throw modelError('model.not-found', `There is no pulled model ${text}.`, 'See: cocoon model list', {
      reference: text,
    })
  }
  await rm(descriptionPath(model.path), { force: true })
  // With whatever an interrupted pull of it has left behind.
  for (const name of await readdir(modelsDir(cacheDir))) {
    const path = join(modelsDir(cacheDir), name)
    if (path === model.path || path.startsWith(`${model.path}.`)) await rm(path, { force: true })
  }
  return model
}

/** The model at this path, or undefined when it is absent, unfinished or of another size than described. */
export async function readModel(path: string): Promise<LocalModel | undefined> {
  const text = await readFile(descriptionPath(path), 'utf8').catch(() => undefined)
  const size = await stat(path).then(
    (s) => s.size,
    () => undefined,
  )
  if (text === undefined || size === undefined) return undefined
  try {
    const description = Description.parse(JSON.parse(text))
    return description.bytes === size ? { ...description, path } : undefined
  } catch {
    return undefined
  }
}

/** Puts a checked part into its place: the file first, then the description that makes it a model. */
export async function storeModel(partPath: string, path: string, description: ModelDescription): Promise<LocalModel> {
  await rename(partPath, path)
  const draft = `${descriptionPath(path)}.part`
  const file = await open(draft, 'w')
  await file.writeFile(`${JSON.stringify(description, null, 2)}\n`)
  await file.sync()
  await file.close()
  await rename(draft, descriptionPath(path))
  return { ...description, path }
}

export async function makeModelsDir(cacheDir: string): Promise<string> {
  await mkdir(modelsDir(cacheDir), { recursive: true })
  return modelsDir(cacheDir)
}

/** Hex SHA-256 of a whole file. */
export async function fileSha256(path: string, signal?: AbortSignal): Promise<string> {
  return (await hashOf(path, 'sha256', (await stat(path)).size, signal)).digest('hex')
}

/** Throws `model.hash-mismatch` naming both. */
export function checkPin(reference: ModelReference, found: { readonly sha256?: string; readonly path: string }): void {
  if (reference.sha256 === undefined || reference.sha256 === found.sha256) return
  throw modelError(
    'model.hash-mismatch',
    `${reference.name} has SHA-256 ${found.sha256 ?? 'unknown'}, expected ${reference.sha256}.`,
    'Compare the hash with the one its publisher gives; pull again if the publisher is right, correct #sha256= otherwise.',
    { expected: reference.sha256, actual: found.sha256, path: found.path },
  )
}

const descriptionPath = (path: string): string => path.replace(ENDING, '.json')

function tryParse(text: string): ModelReference | undefined {
  try {
    return parseModelReference(text)
  } catch {
    return undefined
  }
}
