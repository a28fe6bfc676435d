/** Why an event log is refused. Browser-safe. */
import type { ErrorCode } from '../../util/index.ts'

export const EVENT_LOG_ERRORS = {
  'attestation.event-log-malformed': 'The event log is not well formed.',
  'attestation.event-log-algorithm': 'The event log carries no SHA-384 digests, which is what TDX extends.',
  'attestation.event-log-mismatch': 'The event log does not replay to the registers of the quote.',
} as const satisfies Partial<Record<ErrorCode, string>>

export type EventLogErrorCode = keyof typeof EVENT_LOG_ERRORS
