/** What an attempt means for its line: answered, failed for good, or worth another one later. */
import type { ErrorCode, ErrorInfo } from '../util/index.ts'
import type { LineAnswer } from './desk.ts'
import type { WaitReason } from './lanes.ts'

export type Verdict =
  | { readonly is: 'answered' }
  /** Asking again would bring the same. */
  | { readonly is: 'failed' }
  /** No room, no worker at this price, a limit per minute: no failure of the line, however often it happens. */
  | { readonly is: 'no-room'; readonly reason: WaitReason; readonly retryAfterMs: number | null }
  /** Perhaps nobody offers the model, perhaps its workers are about to come back. */
  | { readonly is: 'unknown-model' }
  /** A peer or an engine failed: worth a few attempts. */
  | { readonly is: 'fault' }
  /** It does not fit into what is left of a budget. */
  | { readonly is: 'over-budget' }
  /** The key may not ask any more: nor will the lines that follow. */
  | { readonly is: 'key-ended' }

/** Statuses of engines that another time may change. */
const PASSING_STATUSES: ReadonlySet<number> = new Set([408, 500, 502, 503, 504])
const KEY_CODES: ReadonlySet<ErrorCode> = new Set(['request.invalid-key', 'request.key-expired', 'request.key-revoked'])
/** The time of the request was too short, or a peer's: more of the same costs again. */
const TIME_CODES: ReadonlySet<ErrorCode> = new Set(['capacity.timeout', 'capacity.slow-reader'])

export function judge({ status, error, retryAfterMs }: LineAnswer): Verdict {
  if (error === null) {
    if (status < 300) return { is: 'answered' }
    if (status === 429) return { is: 'no-room', reason: 'busy', retryAfterMs }
    return { is: PASSING_STATUSES.has(status) ? 'fault' : 'failed' }
  }
  if (KEY_CODES.has(error.code)) return { is: 'key-ended' }
  if (error.code === 'request.unknown-model') return { is: 'unknown-model' }
  if (error.code === 'payment.budget-exceeded') return { is: 'over-budget' }
  if (TIME_CODES.has(error.code)) return { is: 'fault' }
  switch (error.family) {
    case 'capacity':
    case 'chain':
      return { is: 'no-room', reason: REASONS[error.code] ?? 'busy', retryAfterMs: retryAfterOf(error.info) }
    case 'payment':
      // Of the node's deposit, which may be topped up; a cap of the line's own stays what it is.
      return error.code === 'payment.max-cost'
        ? { is: 'failed' }
        : { is: 'no-room', reason: 'deposit', retryAfterMs: DEPOSIT_RETRY_MS }
    case 'protocol':
    case 'tl':
    case 'attestation':
    case 'engine':
    case 'bug':
      return { is: 'fault' }
    case 'request':
    case 'config':
    case 'model':
      return { is: 'failed' }
    default:
      return error.family satisfies never
  }
}

const REASONS: Readonly<Partial<Record<ErrorCode, WaitReason>>> = {
  'capacity.price': 'price',
  'capacity.no-workers': 'no-workers',
  'capacity.no-proxy': 'no-proxy',
}
/** Deposits take a block or two at least. */
const DEPOSIT_RETRY_MS = 30_000

const retryAfterOf = ({ retryAfterMs }: ErrorInfo): number | null =>
  typeof retryAfterMs === 'number' && Number.isFinite(retryAfterMs) ? retryAfterMs : null
