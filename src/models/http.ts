/** Where bytes come from: a fetch that respects proxies, and time limits for servers that fall silent. */
import { EnvHttpProxyAgent, fetch as undiciFetch } from 'undici'

/** The part of `fetch` we use; tests and other runtimes provide their own. */
export interface HttpAnswer {
  readonly status: number
  readonly headers: { get(name: string): string | null }
  readonly body: AsyncIterable<Uint8Array> | null
}
export type HttpGet = (
  url: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
) => Promise<HttpAnswer>

export type Environment = Readonly<Record<string, string | undefined>>

/** A server that sends nothing for this long has lost us. */
const SILENCE_MS = 30_000

/** `env` is where `https_proxy`, `http_proxy` and `no_proxy` are looked up, in either case. */
export function httpGet(env: Environment): HttpGet & { close(): Promise<void> } {
  const read = (name: string) => env[name] ?? env[name.toUpperCase()]
  const httpsProxy = read('https_proxy')
  const httpProxy = read('http_proxy')
  const agent = new EnvHttpProxyAgent({
    headersTimeout: SILENCE_MS,
    bodyTimeout: SILENCE_MS,
    noProxy: read('no_proxy') ?? '',
    ...(httpProxy === undefined ? {} : { httpProxy }),
    ...(httpsProxy === undefined ? {} : { httpsProxy }),
  })
  const get = (url: string, headers: Readonly<Record<string, string>>, signal: AbortSignal) =>
    // `identity`: a compressed transfer would make ranges and lengths mean something else.
    undiciFetch(url, { headers: { ...headers, 'accept-encoding': 'identity' }, signal, dispatcher: agent })
  return Object.assign(get, { close: () => agent.destroy() })
}
