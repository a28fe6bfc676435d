/**
 * Our own extension, for connections on which both ends chose the ALPN protocol `cocoon-x1`. A peer that did not choose it
 * never sees these. Ids by the same rule as the rest; none of them is in spec/tl-constructors.json.
 */
import {
  bare,
  bytes,
  ctor,
  flags,
  int,
  int256,
  string,
  union,
  vector,
  when,
  type FieldsOf,
  type ValueOf,
} from '../lang.ts'
import { clientQueryFinalInfo } from './client.ts'
import { MAX_ADDRESS_BYTES, MAX_ATTEMPT_COUNT, MAX_BODY_BYTES, MAX_REASON_BYTES } from './limits.ts'
import { proxyQueryFinalInfo } from './proxy.ts'

const body = bytes({ max: MAX_BODY_BYTES })

/** The asker of this request has gone: stop working on it. Sent as a packet; there is no answer. */
export const x1CancelQuery = ctor('x1.cancelQuery', { requestId: int256 }, 'x1.Packet')
export type X1CancelQuery = ValueOf<typeof x1CancelQuery>

/**
 * A whole answer that was there at once, in one packet in the place of three. `head` is a boxed `http.response` without
 * payload and without the headers that tell times: those are in `finalInfo`. Worker to proxy.
 */
export const x1WorkerAnswer = ctor(
  'x1.workerAnswer',
  { requestId: int256, head: body, body, finalInfo: bare(proxyQueryFinalInfo) },
  'x1.Packet',
)
export type X1WorkerAnswer = ValueOf<typeof x1WorkerAnswer>

/** The same on its way on. Proxy to client. */
export const x1ClientAnswer = ctor(
  'x1.clientAnswer',
  { requestId: int256, head: body, body, finalInfo: bare(clientQueryFinalInfo) },
  'x1.Packet',
)
export type X1ClientAnswer = ValueOf<typeof x1ClientAnswer>

/**
 * One worker's try at a request. Times are milliseconds after the proxy got it. Flags: 0 the worker has begun to answer, 1 the
 * try is over without an answer for the client.
 */
export const x1Attempt = ctor(
  'x1.attempt',
  {
    flags,
    /** The wallet that owns the worker. */
    worker: string({ max: MAX_ADDRESS_BYTES }),
    sentMs: int,
    firstAnswerMs: when(0, int),
    endedMs: when(1, int),
    /** One word: `worker-lost`, `engine-status`, … */
    ended: when(1, string({ max: MAX_REASON_BYTES })),
  },
  'x1.Attempt',
)
export type X1Attempt = FieldsOf<typeof x1Attempt>

/**
 * Who had a request and how long it waited for a worker. Sent once for each request that waited or reached a worker, before
 * the first answer or the error. Proxy to client.
 */
export const x1RequestStory = ctor(
  'x1.requestStory',
  { requestId: int256, queuedMs: int, attempts: vector(bare(x1Attempt), { max: MAX_ATTEMPT_COUNT }) },
  'x1.Packet',
)
export type X1RequestStory = ValueOf<typeof x1RequestStory>

export const x1Packets = union('x1.Packet', [x1CancelQuery, x1WorkerAnswer, x1ClientAnswer, x1RequestStory])
