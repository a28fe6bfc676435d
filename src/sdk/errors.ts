/** The codes of this folder. */
import { CocoonError } from '../util/index.ts'

export const SDK_ERRORS = {
  'config.sdk-option': 'An option of createClient is wrong.',
} as const

export type SdkErrorCode = keyof typeof SDK_ERRORS

/** @param option its name; @param says starts with a verb: "must be …" */
export const badOption = (option: string, says: string): CocoonError =>
  new CocoonError('config.sdk-option', { message: `createClient: '${option}' ${says}`, field: option })
