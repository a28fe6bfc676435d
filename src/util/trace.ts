/**
 * Tracing as an argument. A trace is found by the request's id: its first 16 bytes are the trace, the next 8 the client's span,
 * so every node that sees the id knows both without a word more on the wire. Nothing of a prompt or answer is an attribute.
 */
import { fromHex, toHex } from './bytes.ts'

export type TraceAttributes = Readonly<Record<string, string | number | bigint | boolean>>

/** Ids of a span, as bytes. */
export interface SpanIds {
  /** 16 bytes. */
  readonly trace: Uint8Array
  /** 8 bytes. */
  readonly span: Uint8Array
  /** 8 bytes; null for the first span of a trace. */
  readonly parent: Uint8Array | null
}

export type SpanKind = 'server' | 'client'

export interface Span {
  /** Something that happened on the way: a name, and the time now. */
  event(name: string): void
  /** Once. */
  end(isGood: boolean, attributes: TraceAttributes): void
}

export interface Trace {
  /** Null when this request is not traced; every node decides alike, by the trace's id. */
  begin(name: string, kind: SpanKind, ids: SpanIds): Span | null
}

export const noTrace: Trace = { begin: () => null }

/** The ids that follow from a client's request id of 32 bytes. */
export const clientSpan = (requestId: Uint8Array): SpanIds => ({
  trace: requestId.subarray(0, 16),
  span: requestId.subarray(16, 24),
  parent: null,
})

/** Of a proxy, between the client's request and its own to the worker. */
export const proxySpan = (clientRequestId: Uint8Array, workerRequestId: Uint8Array): SpanIds => ({
  trace: clientRequestId.subarray(0, 16),
  span: workerRequestId.subarray(16, 24),
  parent: clientRequestId.subarray(16, 24),
})

/** Of a worker. The trace is told by the request's `traceparent`; without one the worker's span begins a trace of its own. */
export const workerSpan = (requestId: Uint8Array, trace: Uint8Array | null): SpanIds => ({
  trace: trace ?? requestId.subarray(0, 16),
  span: requestId.subarray(24, 32),
  parent: trace === null ? null : requestId.subarray(16, 24),
})

/** The W3C header that tells a worker, and its engine, the trace. Source: W3C Trace Context, 3.2. */
export const traceparentOf = ({ trace, span }: SpanIds): string => `00-${toHex(trace)}-${toHex(span)}-01`

/** The trace's 16 bytes; null for what is no `traceparent`. */
export function traceOf(traceparent: string): Uint8Array | null {
  const found = /^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(traceparent)
  return found === null || /^0+$/.test(found[1] as string) ? null : fromHex(found[1] as string)
}
