/** Which headers travel between caller and engine. Only what describes the body and the answer does. */
import { USAGE_HEADER, usageInHeader } from './usage.ts'
import type { RawUsage } from './types.ts'

type Header = readonly [name: string, value: string]

/** Of one connection, not of the message (RFC 9110, 7.6.1), plus framing, which the other side writes anew. */
const HOP_BY_HOP = [
  'connection',
  'content-length',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

/** `authorization` and `cookie` are the caller's secrets and mean nothing here; `expect` would delay the body. */
const NOT_TO_ENGINE = new Set([...HOP_BY_HOP, 'accept-encoding', 'authorization', 'cookie', 'expect', 'host'])

/** A cookie of the engine would be set for the client's origin. */
const NOT_TO_CALLER = new Set([...HOP_BY_HOP, 'content-encoding', 'set-cookie', USAGE_HEADER])

/** Flat, as undici takes them. The operator's headers win; the body must come uncompressed to be metered. */
export function requestHeaders(headers: readonly Header[], own: readonly Header[]): string[] {
  const replaced = new Set(own.map(([name]) => name.toLowerCase()))
  const named = connectionOptions(headers)
  const out: string[] = []
  for (const [name, value] of headers) {
    const lower = name.toLowerCase()
    if (!NOT_TO_ENGINE.has(lower) && !named.has(lower) && !replaced.has(lower)) out.push(name, value)
  }
  out.push('accept-encoding', 'identity')
  for (const [name, value] of own) out.push(name, value)
  return out
}

export interface ResponseHead {
  /** For the caller, in the engine's order and spelling. */
  readonly headers: readonly Header[]
  readonly contentType: string | undefined
  readonly compressed: boolean
  /** What the engine says beside its body. */
  readonly usage: RawUsage | undefined
}

export function responseHead(all: readonly Header[]): ResponseHead {
  const named = connectionOptions(all)
  const headers: Header[] = []
  let contentType: string | undefined
  let compressed = false
  let usage: RawUsage | undefined
  for (const header of all) {
    const lower = header[0].toLowerCase()
    if (lower === 'content-type') contentType = header[1]
    if (lower === 'content-encoding' && !/^\s*(identity)?\s*$/i.test(header[1])) compressed = true
    if (lower === USAGE_HEADER) usage = usageInHeader(header[1])
    if (!NOT_TO_CALLER.has(lower) && !named.has(lower)) headers.push(header)
  }
  return { headers, contentType, compressed, usage }
}

/** Headers that a `Connection` header declares to be of one connection. */
function connectionOptions(headers: readonly Header[]): ReadonlySet<string> {
  const named = new Set<string>()
  for (const [name, value] of headers)
    if (name.toLowerCase() === 'connection') for (const one of value.split(',')) named.add(one.trim().toLowerCase())
  return named
}
