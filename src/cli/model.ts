/** `cocoon model list|pull|rm`, and what `cocoon engine` and `up` need of it. */
import { join } from 'node:path'
import {
  CATALOGUE,
  drawProgress,
  listModels,
  type LocalModel,
  parseModelReference,
  pullModel,
  removeModel,
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
  t.line('\nAlso: npm:NAME@VERSION/FILE, hf:OWNER/REPO/FILE, https://…, a file. See docs/models.md.')
}

export async function dropModel(config: Config, t: Terminal, reference: string): Promise<void> {
  const removed = await removeModel(modelCache(config), reference)
  t.line(`removed ${removed.name} (${megabytes(removed.bytes)})`)
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`
