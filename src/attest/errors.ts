/** Why collateral cannot be had. */
import { CocoonError, type ErrorCode } from '../util/index.ts'

export const ATTEST_ERRORS = {
  'attestation.collateral-unavailable':
    'What the vendor publishes could not be fetched; what is held stays in force until it expires.',
  'config.collateral': 'The collateral cannot be used.',
} as const satisfies Partial<Record<ErrorCode, string>>

export type AttestErrorCode = keyof typeof ATTEST_ERRORS

/** `what` is the item, `why` what the server did. */
export function unavailable(what: string, why: string, cause?: unknown): CocoonError {
  const message = `${what} could not be fetched: ${why}`
  return new CocoonError('attestation.collateral-unavailable', { what, why, message }, { cause })
}
