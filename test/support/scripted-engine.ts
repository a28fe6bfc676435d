/** An OpenAI-compatible engine that does what the test says: for behaviour no real engine shows on demand. */
import http from 'node:http'
import type { AddressInfo } from 'node:net'

export type Script = (
  request: {
    readonly path: string
    readonly body: Record<string, unknown>
    readonly headers: http.IncomingHttpHeaders
  },
  reply: http.ServerResponse,
) => void | Promise<void>

export interface SeenRequest {
  readonly path: string
  /** Empty when it is not JSON. */
  readonly body: Record<string, unknown>
  readonly raw: Uint8Array
  readonly headers: http.IncomingHttpHeaders
}

export interface ScriptedEngine {
  readonly url: string
  /** Bodies of the requests that came in. */
  readonly seen: SeenRequest[]
  /** How many requests were hung up on by the worker. */
  hungUp: number
  script: Script
  isUp: boolean
  close(): Promise<void>
}

export async function startScriptedEngine(
  script: Script = answerChat(),
  models: readonly string[] = ['test-model'],
  /** What its list of models says of each besides. */
  described: object = {},
): Promise<ScriptedEngine> {
  const engine = { script, isUp: true, hungUp: 0, seen: [] as ScriptedEngine['seen'] }
  const server = http.createServer((request, reply) => {
    if (!engine.isUp) return void reply.writeHead(503).end()
    if (request.method === 'GET') {
      const data = models.map((id) => ({ id, object: 'model', ...described }))
      return void reply
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ object: 'list', data }))
    }
    const chunks: Buffer[] = []
    request.on('data', (c: Buffer) => chunks.push(c))
    request.on('end', () => {
      reply.on('close', () => void (reply.writableFinished || engine.hungUp++))
      const raw = Buffer.concat(chunks)
      const isJson = request.headers['content-type'] === 'application/json'
      const entry = {
        path: request.url ?? '',
        body: isJson ? (JSON.parse(raw.toString()) as Record<string, unknown>) : {},
        raw,
        headers: request.headers,
      }
      engine.seen.push(entry)
      void engine.script(entry, reply)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return Object.assign(engine, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  })
}

export interface Usage {
  readonly prompt_tokens: number
  readonly completion_tokens: number
}

/** One chat answer of these words, streamed or whole as asked. */
export function answerChat(
  words: readonly string[] = ['Hello', ' there', '!'],
  usage: Usage = { prompt_tokens: 5, completion_tokens: words.length },
): Script {
  return ({ body }, reply) => {
    const base = { id: 'chatcmpl-1', created: 1, model: body['model'] }
    if (body['stream'] !== true) {
      const message = { role: 'assistant', content: words.join('') }
      reply.writeHead(200, { 'content-type': 'application/json' })
      reply.end(
        JSON.stringify({
          ...base,
          object: 'chat.completion',
          choices: [{ index: 0, message, finish_reason: 'stop' }],
          usage: { ...usage, total_tokens: usage.prompt_tokens + usage.completion_tokens },
        }),
      )
      return
    }
    reply.writeHead(200, { 'content-type': 'text/event-stream' })
    const send = (data: unknown): void => void reply.write(`data: ${JSON.stringify(data)}\n\n`)
    for (const content of words)
      send({
        ...base,
        object: 'chat.completion.chunk',
        choices: [{ index: 0, delta: { content }, finish_reason: null }],
      })
    send({ ...base, object: 'chat.completion.chunk', choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })
    send({
      ...base,
      object: 'chat.completion.chunk',
      choices: [],
      usage: { ...usage, total_tokens: usage.prompt_tokens + usage.completion_tokens },
    })
    reply.end('data: [DONE]\n\n')
  }
}
