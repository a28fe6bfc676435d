/** Which headers of an engine's answer, which a stranger wrote, reach the caller. */

/**
 * Everything else is dropped: framing and hop-by-hop headers because they are this server's business; cookies, redirects,
 * CORS and the commands to browsers and reverse proxies (`x-accel-redirect`) because a worker has no say in them.
 */
const PASSED = new Set([
  'content-type',
  'content-encoding',
  'content-language',
  'cache-control',
  'retry-after',
  'retry-after-ms',
  'server-timing',
])
const PASSED_PREFIXES = ['x-cocoon-worker-', 'x-cocoon-proxy-', 'x-ratelimit-', 'openai-']

/** As many as any engine sends. */
const MAX_PASSED = 64
const MAX_VALUE_CHARS = 4096

/** A flat list as `writeHead` takes it: name, value, name, value. */
export function passHeaders(headers: readonly (readonly [name: string, value: string])[]): string[] {
  const flat: string[] = []
  for (const [name, value] of headers) {
    const lower = name.toLowerCase()
    if (!PASSED.has(lower) && !PASSED_PREFIXES.some((prefix) => lower.startsWith(prefix))) continue
    if (isHeaderName(lower) && isHeaderValue(value) && flat.length < 2 * MAX_PASSED) flat.push(lower, value)
  }
  return flat
}

export const isHeaderValue = (value: string): boolean =>
  value.length <= MAX_VALUE_CHARS && /^[\t\x20-\x7e\x80-\xff]*$/.test(value)

const isHeaderName = (name: string): boolean => /^[a-z0-9!#$%&'*+.^_`|~-]{1,128}$/.test(name)

/** What an answer cost, adjusted tokens by class: at the head where it is known by then, in the trailers of a stream. */
export const COST_HEADERS = [
  'x-cocoon-cost-nano',
  'x-cocoon-tokens',
  'x-cocoon-prompt-tokens',
  'x-cocoon-cached-tokens',
  'x-cocoon-completion-tokens',
  'x-cocoon-reasoning-tokens',
] as const
