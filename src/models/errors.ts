import { CocoonError, type ErrorInfo } from '../util/index.ts'

/** What can go wrong between a model's name and a checked file on disk. */
export type ModelErrorCode =
  /** The reference does not follow the grammar, or has no pin where one is needed. */
  | 'model.reference'
  /** Nothing stands at the address, or nothing was pulled under this name. */
  | 'model.not-found'
  /** The source could not be reached, or kept breaking off. */
  | 'model.network'
  /** The bytes are not the ones that were promised. The file is deleted. */
  | 'model.hash-mismatch'
  /** Not enough room for the download. */
  | 'model.disk-full'
  /** Another process is pulling the same model. */
  | 'model.locked'
  /** Not `model@commit:hash`. */
  | 'model.identity'
  /** The archive has no whole blocks, is empty, or changed while it was read. */
  | 'model.archive'
  /** Somebody pressed Ctrl-C. */
  | 'model.stopped'

/** An error of this folder: what happened in one sentence, and the mend in another. */
export function modelError(
  code: ModelErrorCode,
  what: string,
  mend: string,
  info: ErrorInfo = {},
  cause?: unknown,
): CocoonError {
  return new CocoonError(
    code,
    { message: `${what} ${mend}`, mend, ...info },
    cause === undefined ? undefined : { cause },
  )
}
