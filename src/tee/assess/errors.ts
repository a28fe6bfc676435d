/** Why something cannot be assessed at all. Browser-safe. */
import type { ErrorCode } from '../../util/index.ts'

export const ASSESS_ERRORS = {
  'attestation.event-log-alone':
    'An event log proves nothing by itself: assess the quote that was made beside it, and the log with it.',
  'attestation.session-format': 'The file is not a recorded session: format, certificate and claims, or null.',
  'attestation.sev-certificate': 'The SEV extensions of the certificate contradict the report.',
} as const satisfies Partial<Record<ErrorCode, string>>

export type AssessErrorCode = keyof typeof ASSESS_ERRORS
