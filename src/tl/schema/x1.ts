/**
 * Our own extension, for connections on which both ends chose the ALPN protocol `cocoon-x1`. A peer that did not choose it
 * never sees these. Ids by the same rule as the rest; none of them is in spec/tl-constructors.json.
 */
import { ctor, int256, union, type ValueOf } from '../lang.ts'

/** The asker of this request has gone: stop working on it. Sent as a packet; there is no answer. */
export const x1CancelQuery = ctor('x1.cancelQuery', { requestId: int256 }, 'x1.Packet')
export type X1CancelQuery = ValueOf<typeof x1CancelQuery>

export const x1Packets = union('x1.Packet', [x1CancelQuery])
