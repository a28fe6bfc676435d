/** Asking the running client's `/admin` and prices over HTTP. */
import { CocoonError, type ErrorCode, reveal } from '../../util/index.ts'
import type { Config } from '../schema.ts'
import { actingKeyOf, ownerKeyOf } from './admin-key.ts'

const TIMEOUT_MS = 30_000

export interface AdminClient {
  /** Parsed JSON. Throws the client's own refusal, and `config.client-down`. */
  ask(method: string, path: string, body?: unknown, timeoutMs?: number): Promise<Record<string, unknown>>
  /** The body as it came. */
  text(path: string): Promise<string>
  /** Sends a form; takes as long as it takes. */
  form(path: string, form: FormData): Promise<Record<string, unknown>>
  /** The body while it comes. */
  bytes(path: string): Promise<ReadableStream<Uint8Array>>
}

export function adminClient(config: Config): AdminClient {
  const { host, port } = config.client.http
  const base = `http://${host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host}:${port}`

  /** @param timeoutMs for the whole answer; null where that depends on its size */
  async function send(
    method: string,
    path: string,
    body?: unknown,
    timeoutMs: number | null = TIMEOUT_MS,
  ): Promise<Response> {
    const key = path.startsWith('/admin') ? actingKeyOf(config) : ownerKeyOf(config)
    const isForm = body instanceof FormData
    const headers: Record<string, string> = body === undefined || isForm ? {} : { 'content-type': 'application/json' }
    if (key !== undefined) headers['authorization'] = `Bearer ${reveal(key)}`
    let reply: Response
    try {
      reply = await fetch(base + path, {
        method,
        headers,
        body: body === undefined ? null : isForm ? body : JSON.stringify(body),
        ...(timeoutMs === null ? {} : { signal: AbortSignal.timeout(timeoutMs) }),
      })
    } catch (error) {
      throw new CocoonError(
        'config.client-down',
        {
          message: `no client answers at ${base}: start it (cocoon client, or cocoon up), or say where it is (--client-http-port, --config)`,
        },
        { cause: error },
      )
    }
    if (reply.ok) return reply
    throw await refusalOf(reply, base, config.client.gateway.memberKey !== undefined)
  }

  return {
    async ask(method, path, body, timeoutMs) {
      const reply = await send(method, path, body, timeoutMs)
      return reply.status === 204 ? {} : ((await reply.json()) as Record<string, unknown>)
    },
    text: async (path) => (await send('GET', path)).text(),
    form: async (path, form) => (await send('POST', path, form, null)).json() as Promise<Record<string, unknown>>,
    async bytes(path) {
      const { body } = await send('GET', path, undefined, null)
      return body as ReadableStream<Uint8Array>
    },
  }
}

async function refusalOf(reply: Response, base: string, isMember: boolean): Promise<CocoonError> {
  const { error } = ((await reply.json().catch(() => ({}))) ?? {}) as { error?: { message?: string; code?: string } }
  if (reply.status === 401)
    return new CocoonError('config.admin-key', {
      message: isMember
        ? `the client at ${base} does not take the member’s credential (client.gateway.memberKey): ${error?.message ?? 'ask for a new one'}`
        : `the client at ${base} does not take this key: it runs with another home. Give its --home or --config`,
    })
  const code = (error?.code ?? '').includes('.') ? (error?.code as ErrorCode) : 'request.refused'
  return new CocoonError(code, { message: error?.message ?? `the client answered with status ${reply.status}` })
}
