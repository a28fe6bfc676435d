/** Making an engine report usage: `stream_options.include_usage` in the body of a request, edited in place. */
import { addMembers, applyEdits, cutMember, type Edit, findMember, findMembers } from './json-scan.ts'

export interface Asked {
  /** The body to send; the very same bytes when nothing had to change. */
  readonly body: Uint8Array
  /** Whether the caller had `include_usage: true` itself. */
  readonly callerWantsUsage: boolean
  /** Whether the body has `stream: true`. */
  readonly streamed: boolean
}

/**
 * With `stream: true`, sets `stream_options.include_usage` to true and leaves the caller's other options; without, takes
 * `stream_options` out, which engines refuse then. A body that is no JSON object (a form, say) stays as it is. Shapes are
 * validated elsewhere: a `stream_options` that is no object is simply replaced.
 */
export function askForUsage(body: Uint8Array): Asked {
  const scan = findMembers(body, ['stream', 'stream_options'])
  if (scan === undefined) return { body, callerWantsUsage: false, streamed: false }
  const [stream, options] = scan.members
  const streamed = stream !== undefined && isTrue(body, stream.valueStart, stream.valueEnd)
  if (!streamed) return { body: withoutOptions(body), callerWantsUsage: false, streamed }
  if (options === undefined) {
    const edit = addMembers(body, scan.open, scan.close, '"stream_options":{"include_usage":true}')
    return { body: applyEdits(body, [edit]), callerWantsUsage: false, streamed }
  }
  const value = body.subarray(options.valueStart, options.valueEnd)
  const inner = findMembers(value, ['include_usage'])
  const asked = inner?.members[0]
  if (asked !== undefined && isTrue(value, asked.valueStart, asked.valueEnd))
    return { body, callerWantsUsage: true, streamed }
  let edit: Edit
  if (inner === undefined) edit = { from: 0, to: value.length, text: '{"include_usage":true}' }
  else if (asked === undefined) edit = addMembers(value, inner.open, inner.close, '"include_usage":true')
  else edit = { from: asked.valueStart, to: asked.valueEnd, text: 'true' }
  const shifted = { from: options.valueStart + edit.from, to: options.valueStart + edit.to, text: edit.text }
  return { body: applyEdits(body, [shifted]), callerWantsUsage: false, streamed }
}

/** Of a repeated name the engine would see the one left over, so such a body is written anew: cutting one at a time is quadratic. */
function withoutOptions(body: Uint8Array): Uint8Array {
  const member = findMember(body, 'stream_options')
  if (member === undefined) return body
  const rest = applyEdits(body, [cutMember(body, member)])
  if (findMember(rest, 'stream_options') === undefined) return rest
  try {
    const { stream_options: _, ...kept } = JSON.parse(Buffer.from(rest).toString()) as Record<string, unknown>
    return Buffer.from(JSON.stringify(kept))
  } catch {
    return rest
  }
}

function isTrue(bytes: Uint8Array, from: number, to: number): boolean {
  return to - from === 4 && bytes[from] === 0x74 && bytes[from + 1] === 0x72 && bytes[from + 2] === 0x75
}
