/**
 * Our own extension, for connections on which both ends chose the ALPN protocol `cocoon-x1`. A peer that did not choose it
 * never sees these. Ids by the same rule as the rest; none of them is in spec/tl-constructors.json.
 */
import { bare, bytes, ctor, int256, union, type ValueOf } from '../lang.ts'
import { clientQueryFinalInfo } from './client.ts'
import { MAX_BODY_BYTES } from './limits.ts'
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

export const x1Packets = union('x1.Packet', [x1CancelQuery, x1WorkerAnswer, x1ClientAnswer])
