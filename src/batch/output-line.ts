/** One line of an output or error file, in OpenAI's shape. */

export interface LineResponse {
  readonly status: number
  /** The id under which the log and the receipts know the attempt. */
  readonly request: string
  /** JSON. */
  readonly body: Uint8Array
}

export type LineResult =
  | { readonly response: LineResponse }
  /** It never got a response. */
  | { readonly error: { readonly code: string; readonly message: string } }

const [LINE_FEED, CARRIAGE_RETURN, BLANK] = [0x0a, 0x0d, 0x20]

/** Without a line feed. The body keeps its bytes, so that no number in it is rounded. */
export function outputLine(batch: string, seq: number, customId: string, result: LineResult): Uint8Array {
  const head = `{"id":"batch_req_${batch.replace(/^batch_/, '')}_${seq}","custom_id":${JSON.stringify(customId)},`
  if ('error' in result) return Buffer.from(`${head}"response":null,"error":${JSON.stringify(result.error)}}`)
  const { status, request, body } = result.response
  return Buffer.concat([
    Buffer.from(`${head}"response":{"status_code":${status},"request_id":${JSON.stringify(request)},"body":`),
    onOneLine(body),
    Buffer.from('},"error":null}'),
  ])
}

/** Inside a JSON text, line ends can only stand between its tokens. */
function onOneLine(json: Uint8Array): Uint8Array {
  if (!json.includes(LINE_FEED) && !json.includes(CARRIAGE_RETURN)) return json
  return json.map((byte) => (byte === LINE_FEED || byte === CARRIAGE_RETURN ? BLANK : byte))
}
