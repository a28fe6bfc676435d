/** What the batch commands do: each asks the running client over its API, as any other program would. */
import { openAsBlob } from 'node:fs'
import { open } from 'node:fs/promises'
import { basename } from 'node:path'
import { CocoonError } from '../../util/index.ts'
import { type AdminClient, adminClient } from '../gateway/admin-client.ts'
import { amount, type Column, type Row, rowsOf, showRows } from '../gateway/show.ts'
import type { Config } from '../schema.ts'
import type { Terminal } from '../terminal.ts'
import { createProgressLine, progressText } from './progress.ts'

export interface CreateFlags {
  readonly endpoint?: string
  readonly maxCost?: string
  readonly maxCoefficient?: string
  readonly repeatLost?: boolean
  readonly window: string
  readonly wait?: boolean
  readonly json?: boolean
}

/** The first line tells the endpoint; a longer one does not. */
const FIRST_LINE_BYTES = 1 << 20
const POLL_MS = 1_000
const OVER = new Set(['completed', 'failed', 'expired', 'cancelled'])

export async function createBatch(
  config: Config,
  path: string,
  o: CreateFlags,
  out: Terminal,
  progress: Terminal,
): Promise<number> {
  if (o.maxCoefficient !== undefined && !/^\d{1,10}$/.test(o.maxCoefficient))
    throw new CocoonError('config.flags', { message: '--max-coefficient must be a whole number, per mille' })
  const endpoint = o.endpoint ?? (await endpointOf(path))
  const client = adminClient(config)
  const form = new FormData()
  form.set('purpose', 'batch')
  form.set('file', await openAsBlob(path), basename(path))
  const file = await client.form('/v1/files', form)
  const batch = await client.ask('POST', '/v1/batches', {
    input_file_id: file['id'],
    endpoint,
    completion_window: o.window,
    ...(o.maxCost === undefined ? {} : { max_cost: /TON$/i.test(o.maxCost) ? o.maxCost : `${o.maxCost} TON` }),
    ...(o.maxCoefficient === undefined ? {} : { max_coefficient: Number(o.maxCoefficient) }),
    ...(o.repeatLost === true ? { repeat_lost: true } : {}),
  })
  if (o.json === true) out.line(JSON.stringify(batch, null, 2))
  else {
    out.line(String(batch['id']))
    progress.line(progress.style('dim', `Follow it with: cocoon batch wait ${String(batch['id'])}`))
  }
  return o.wait === true ? waitForBatch(config, String(batch['id']), out, progress) : 0
}

/** Throws `config.batch-file`. */
async function endpointOf(path: string): Promise<string> {
  try {
    const file = await open(path)
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(FIRST_LINE_BYTES), 0, FIRST_LINE_BYTES, 0)
      const [first = ''] = buffer
        .toString('utf8', 0, bytesRead)
        .replace(/^\ufeff/, '')
        .trimStart()
        .split('\n')
      const { url } = JSON.parse(first) as { url?: unknown }
      if (typeof url === 'string') return url
    } finally {
      await file.close()
    }
  } catch (error) {
    if (!(error instanceof SyntaxError))
      throw new CocoonError(
        'config.batch-file',
        { message: `${path} cannot be read: ${(error as Error).message}` },
        { cause: error },
      )
  }
  throw new CocoonError('config.batch-file', {
    message: `the first line of ${path} is no request: write {"custom_id", "method", "url", "body"} as JSON on each line, or give --endpoint`,
  })
}

const COLUMNS: readonly Column[] = [
  ['id', (b) => b['id']],
  ['status', (b) => b['status']],
  ['lines', (b) => countsOf(b).total],
  ['answered', (b) => countsOf(b).completed],
  ['failed', (b) => countsOf(b).failed],
  ['cost', (b) => amount(b, 'cost')],
  ['waits for', (b) => b['waiting_for']],
  ['created', (b) => time(b['created_at'])],
]

export async function listBatches(config: Config, asJson: boolean, out: Terminal): Promise<number> {
  const answer = await adminClient(config).ask('GET', '/v1/batches?limit=100')
  if (asJson) out.line(JSON.stringify(answer, null, 2))
  else showRows(out, rowsOf(answer), COLUMNS, 'No batches: cocoon batch create FILE')
  return 0
}

export async function showBatch(config: Config, id: string, asJson: boolean, out: Terminal): Promise<number> {
  const batch = await getBatch(adminClient(config), id)
  if (asJson) out.line(JSON.stringify(batch, null, 2))
  else {
    out.line(`${String(batch['id'])}  ${String(batch['endpoint'])}`)
    out.line(progressText(batch))
    showProblems(batch, out)
    if (batch['unsettled_nano'] !== '0')
      out.line(`may have cost besides, where nobody told: ${amount(batch, 'unsettled')}`)
    if (!OVER.has(String(batch['status']))) out.line(`expires ${time(batch['expires_at'])}`)
    for (const [name, flag] of [
      ['output_file_id', ''],
      ['error_file_id', ' --errors'],
    ] as const)
      if (batch[name] !== null) out.line(`cocoon batch output ${id}${flag}`)
  }
  return 0
}

/** Exit status 1 for a batch that did not complete, or in which a line failed. @param pause between two looks */
export async function waitForBatch(
  config: Config,
  id: string,
  out: Terminal,
  progress: Terminal,
  pause: (ms: number) => Promise<void> = (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
): Promise<number> {
  const client = adminClient(config)
  const line = createProgressLine(progress)
  for (;;) {
    const batch = await getBatch(client, id)
    line.show(batch)
    if (!OVER.has(String(batch['status']))) {
      await pause(POLL_MS)
      continue
    }
    line.end()
    showProblems(batch, out)
    out.line(
      `${String(batch['status'])}: ${countsOf(batch).completed} of ${countsOf(batch).total}, ${amount(batch, 'cost')}`,
    )
    return batch['status'] === 'completed' && countsOf(batch).failed === 0 ? 0 : 1
  }
}

export async function cancelBatch(config: Config, id: string, out: Terminal): Promise<number> {
  await adminClient(config).ask('POST', `/v1/batches/${encodeURIComponent(id)}/cancel`)
  out.line(`The batch ${id} is being cancelled. Lines under way end by themselves; what was answered is kept.`)
  return 0
}

/** Throws `config.batch-output` when there is no such file yet, or the one to write exists. */
export async function printOutput(
  config: Config,
  id: string,
  o: { readonly errors?: boolean; readonly to?: string },
  out: Terminal,
): Promise<number> {
  const client = adminClient(config)
  const batch = await getBatch(client, id)
  const file = batch[o.errors === true ? 'error_file_id' : 'output_file_id']
  if (typeof file !== 'string') {
    const none = o.errors === true ? 'no line failed' : 'no line was answered'
    const why = OVER.has(String(batch['status'])) ? none : `it is ${String(batch['status'])}: cocoon batch wait ${id}`
    throw new CocoonError('config.batch-output', { message: `there is nothing to print: ${why}` })
  }
  const bytes = await client.bytes(`/v1/files/${file}/content`)
  if (o.to === undefined) {
    const text = new TextDecoder()
    for await (const chunk of bytes) out.write(text.decode(chunk, { stream: true }))
    return 0
  }
  const to = await open(o.to, 'wx', 0o600).catch((cause: unknown) => {
    throw new CocoonError(
      'config.batch-output',
      { message: `${o.to} cannot be written: ${(cause as Error).message}` },
      { cause },
    )
  })
  try {
    for await (const chunk of bytes) await to.writeFile(chunk)
  } finally {
    await to.close()
  }
  return 0
}

const getBatch = (client: AdminClient, id: string): Promise<Row> =>
  client.ask('GET', `/v1/batches/${encodeURIComponent(id)}`)

interface Counts {
  readonly total: number
  readonly completed: number
  readonly failed: number
}

const countsOf = (batch: Row): Counts => batch['request_counts'] as Counts

function showProblems(batch: Row, out: Terminal): void {
  const { data } = (batch['errors'] ?? { data: [] }) as { data: { line: number | null; message: string }[] }
  for (const { line, message } of data) out.line(`${line === null ? '' : `line ${line}: `}${message}`)
}

const time = (seconds: unknown): string =>
  typeof seconds === 'number' ? new Date(seconds * 1000).toISOString().slice(0, 16).replace('T', ' ') : ''
