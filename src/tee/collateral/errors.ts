/** Why a collateral bundle cannot be used, or lacks something. Browser-safe. */
import { CocoonError, type ErrorCode } from '../../util/index.ts'

export const COLLATERAL_ERRORS = {
  'config.collateral-bundle': 'The collateral bundle cannot be used.',
  'attestation.collateral-missing':
    'What the vendor publishes about this hardware is needed to verify it, and is not in the bundle.',
} as const satisfies Partial<Record<ErrorCode, string>>

export type CollateralErrorCode = keyof typeof COLLATERAL_ERRORS

/** `field` is where in the file: `items.3.body`. */
export function bundleError(name: string, field: string, why: string, cause?: unknown): CocoonError {
  return new CocoonError(
    'config.collateral-bundle',
    { bundle: name, field, message: `collateral bundle ${name}: ${field}: ${why}` },
    { cause },
  )
}
