/** The client node that served this page: `/admin` for its owner, `/v1` for whoever may ask. */
import { Refusal, UNREACHABLE } from './refusal.ts'

export interface Call {
  readonly method?: string
  /** Sent as JSON, unless it is a form. */
  readonly body?: object | FormData
  readonly signal?: AbortSignal | undefined
}

export interface NodeApi {
  /** Below `/admin`. Throws `Refusal`. */
  admin<T>(path: string, call?: Call): Promise<T>
  /** A report as CSV. */
  adminText(path: string): Promise<string>
  /**
   * The OpenAI side of the node, as the owner or with an API key.
   * @param key empty: the owner's
   */
  ask(path: string, key: string, call?: Call): Promise<Response>
  askJson<T>(path: string, key: string, call?: Call): Promise<T>
  /** Why the node cannot do its work; none: it can. */
  readiness(signal?: AbortSignal): Promise<readonly string[]>
}

/** @param keyRefused called when the node does not take the admin key any more */
export function createNodeApi(adminKey: string, keyRefused: () => void): NodeApi {
  async function send(path: string, key: string, { method, body, signal }: Call): Promise<Response> {
    const headers: Record<string, string> = { authorization: `Bearer ${key}` }
    const init: RequestInit = { method: method ?? (body === undefined ? 'GET' : 'POST'), headers }
    if (body instanceof FormData) init.body = body
    else if (body !== undefined) {
      headers['content-type'] = 'application/json'
      init.body = JSON.stringify(body)
    }
    if (signal !== undefined) init.signal = signal
    return fetch(path, init).catch((error: unknown) => {
      if (signal?.aborted) throw error
      throw new Refusal('The node does not answer.', { code: UNREACHABLE })
    })
  }
  async function askAdmin(path: string, call: Call): Promise<Response> {
    const reply = await send(`/admin${path}`, adminKey, call)
    if (reply.status === 401) keyRefused()
    return takeAnswer(reply)
  }
  const ask = async (path: string, key: string, call: Call = {}): Promise<Response> =>
    takeAnswer(await send(path, key === '' ? adminKey : key, call))
  return {
    async admin<T>(path: string, call: Call = {}) {
      const reply = await askAdmin(path, call)
      return (reply.status === 204 ? null : await reply.json()) as T
    },
    adminText: async (path) => (await askAdmin(path, {})).text(),
    ask,
    askJson: async <T>(path: string, key: string, call?: Call) => (await ask(path, key, call)).json() as Promise<T>,
    async readiness(signal) {
      const reply = await send('/readyz', adminKey, { signal })
      return ((await reply.json()) as { reasons: string[] }).reasons
    },
  }
}

async function takeAnswer(reply: Response): Promise<Response> {
  if (reply.ok) return reply
  const answer = (await reply.json().catch(() => ({}))) as {
    error?: { message?: string; code?: string | null; param?: string | null }
  }
  const { message = `The node answered with status ${reply.status}.`, code, param } = answer.error ?? {}
  const retryAfter = reply.headers.get('retry-after')
  throw new Refusal(message, {
    code: code ?? '',
    field: param ?? null,
    status: reply.status,
    retryAfterS: retryAfter === null ? null : Number(retryAfter),
  })
}

/** `?a=1&b=2` of what is given; empty without any. */
export function queryOf(values: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== '')
  return given.length === 0 ? '' : `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`
}
