/** Why the sources of an image cannot be measured. The operator's files are at fault, so all are `config.*`. Browser-safe. */
import { CocoonError, type ErrorCode } from '../../util/index.ts'

export const MEASURE_ERRORS = {
  'config.image-manifest': 'The description of the image is not right.',
  'config.image-firmware': 'The firmware cannot be measured.',
  'config.image-kernel': 'The kernel cannot be measured.',
  'config.image-input': 'An input of the image cannot be used.',
  'config.image-tree': 'The configuration folder cannot be identified.',
} as const satisfies Partial<Record<ErrorCode, string>>

export type MeasureErrorCode = keyof typeof MEASURE_ERRORS

/** @param field what is wrong, `firmware.tdx.sections[2].type`; @param why the fact, and what to do where that is not plain */
export function measureError(code: MeasureErrorCode, field: string, why: string): CocoonError {
  return new CocoonError(code, { field, message: `${MEASURE_ERRORS[code]} ${field}: ${why}` })
}
