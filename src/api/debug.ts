/** The `debug` member that a caller asks for with `enable_debug`. */
import type { FinalInfo } from '../roles/client/index.ts'

/**
 * The body with a member `debug` at its end, times as the hops report them in Unix seconds. A body that is not a JSON
 * object, or that has the member already, stays as it is; so does everything else in it, byte for byte.
 */
export function addDebug(body: Uint8Array, info: FinalInfo, startMs: number, endMs: number): Uint8Array {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const answer = parseJson(bytes.toString())
  if (!isObject(answer) || 'debug' in answer) return body
  const debug = {
    client: { type: 'client_stats', start_time: startMs / 1000, answer_receive_end_at: endMs / 1000 },
    proxy: parseJson(info.proxyDebug),
    worker: parseJson(info.workerDebug),
  }
  const close = bytes.lastIndexOf('}')
  const comma = Object.keys(answer).length === 0 ? '' : ','
  return Buffer.concat([bytes.subarray(0, close), Buffer.from(`${comma}"debug":${JSON.stringify(debug)}}`)])
}

/** `undefined` for what is no JSON: a peer wrote it, and a bad note must not cost the answer. */
function parseJson(text: string | undefined): unknown {
  if (text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
