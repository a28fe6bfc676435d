/** `cocoon ask "…"`: one question to the running client, answered on the terminal as it is written, with what it cost. */
import http from 'node:http'
import { CocoonError, formatTon } from '../util/index.ts'
import { printable, type Terminal } from './terminal.ts'

export interface Question {
  /** Base URL of a client's API, without `/v1`. */
  readonly url: string
  readonly apiKey?: string | undefined
  readonly text: string
  /** Without one, the first model that the network offers. */
  readonly model?: string | undefined
  readonly maxTokens: number
  readonly signal?: AbortSignal
}

/** What one answer was and cost. */
export interface Asked {
  readonly model: string
  readonly text: string
  readonly promptTokens: number
  readonly completionTokens: number
  readonly costNano: bigint
  readonly firstTokenMs: number
  readonly totalMs: number
  readonly evidence: string
  readonly proxy: string
}

/** Writes the answer while it comes; throws `request.*`, `capacity.*` and so on with the network's own sentence. */
export async function ask(question: Question, onText: (text: string) => void): Promise<Asked> {
  const model = question.model ?? (await firstModel(question))
  const body = JSON.stringify({
    model,
    messages: [{ role: 'user', content: question.text }],
    stream: true,
    stream_options: { include_usage: true },
    max_tokens: question.maxTokens,
  })
  const startMs = performance.now()
  const reply = await send(question, 'POST', '/v1/chat/completions', body)
  if (reply.statusCode !== 200) throw refusalOf(reply.statusCode ?? 0, await textOf(reply))
  let firstTokenMs = 0
  let text = ''
  let usage: Usage = {}
  for await (const event of eventsOf(reply)) {
    if (event.error !== undefined)
      throw new CocoonError('protocol.stream', { message: event.error.message ?? 'the stream ended with an error' })
    const piece = event.choices?.[0]?.delta?.content ?? ''
    if (piece !== '') {
      firstTokenMs ||= performance.now() - startMs
      text += piece
      onText(printable(piece))
    }
    if (event.usage) usage = event.usage
  }
  const header = (name: string): string => String(reply.headers[name] ?? reply.trailers[name] ?? '')
  return {
    model,
    text,
    promptTokens: usage.prompt_tokens ?? 0,
    completionTokens: usage.completion_tokens ?? 0,
    costNano: BigInt(header('x-cocoon-cost-nano') || (usage.total_cost ?? 0)),
    firstTokenMs,
    totalMs: performance.now() - startMs,
    evidence: header('x-cocoon-evidence'),
    proxy: header('x-cocoon-proxy'),
  }
}

/** The lines under an answer. */
export function showCost(t: Terminal, a: Asked): void {
  const writingS = (a.totalMs - a.firstTokenMs) / 1000
  const speed =
    a.completionTokens > 1 && writingS > 0 ? ` · ${((a.completionTokens - 1) / writingS).toFixed(1)} tokens/s` : ''
  t.line(t.style('dim', `  tokens    ${a.promptTokens} in, ${a.completionTokens} out${speed}`))
  t.line(t.style('dim', `  price     ${a.costNano} nanoTON (${formatTon(a.costNano)} TON)`))
  t.line(t.style('dim', `  time      first token after ${seconds(a.firstTokenMs)}, all after ${seconds(a.totalMs)}`))
  t.line(
    `${t.style('dim', '  evidence  ')}${describeEvidence(t, a.evidence)}${t.style('dim', ` · model ${a.model} · proxy ${a.proxy || 'unknown'}`)}`,
  )
}

export function describeEvidence(t: Terminal, label: string): string {
  if (label === 'verified') return t.style('green', 'verified')
  if (label === 'simulated') return t.style('yellow', 'simulated (proves nothing; test network)')
  return t.style('yellow', `${label || 'none'} (whoever runs the proxy can read this)`)
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`

interface Usage {
  readonly prompt_tokens?: number
  readonly completion_tokens?: number
  readonly total_cost?: number
}

interface Event {
  readonly choices?: readonly { readonly delta?: { readonly content?: string } }[]
  readonly usage?: Usage | null
  readonly error?: { readonly message?: string }
}

async function firstModel(question: Question): Promise<string> {
  const reply = await send(question, 'GET', '/v1/models')
  const text = await textOf(reply)
  if (reply.statusCode !== 200) throw refusalOf(reply.statusCode ?? 0, text)
  const { data } = JSON.parse(text) as { data: readonly { id: string; workers?: readonly unknown[] }[] }
  const offered = data.find((m) => (m.workers?.length ?? 0) > 0) ?? data[0]
  if (offered === undefined)
    throw new CocoonError('capacity.no-workers', { message: 'no worker offers a model now; see `cocoon status`' })
  return offered.id
}

function send(question: Question, method: string, path: string, body?: string): Promise<http.IncomingMessage> {
  const headers = {
    ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
    ...(question.apiKey === undefined ? {} : { authorization: `Bearer ${question.apiKey}` }),
  }
  const { signal } = question
  return new Promise((resolve, reject) => {
    const request = http.request(
      new URL(path, question.url),
      { method, headers, ...(signal === undefined ? {} : { signal }) },
      resolve,
    )
    request.on('error', (cause: NodeJS.ErrnoException) => {
      const message =
        cause.code === 'ECONNREFUSED'
          ? `no client listens at ${question.url}; start one with \`cocoon up\` or \`cocoon client\``
          : `${question.url}: ${cause.message}`
      reject(new CocoonError('config.unreachable', { message }, { cause }))
    })
    request.end(body)
  })
}

async function textOf(reply: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of reply) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

/** Data of server-sent events, until `[DONE]`. */
async function* eventsOf(reply: http.IncomingMessage): AsyncGenerator<Event> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of reply) {
    const lines = (rest + decoder.decode(chunk as Buffer, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (!line.startsWith('data:')) continue
      const data = line.slice(5).trim()
      if (data !== '[DONE]') yield JSON.parse(data) as Event
    }
  }
}

function refusalOf(status: number, text: string): CocoonError {
  let message = text.slice(0, 500)
  try {
    message = (JSON.parse(text) as { error?: { message?: string } }).error?.message ?? message
  } catch {
    // Not ours then; its own text has to do.
  }
  return new CocoonError('request.refused', { message: printable(`${message} (HTTP ${status})`) })
}
