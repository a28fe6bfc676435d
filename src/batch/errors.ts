import { CocoonError, type ErrorCode, type ErrorInfo } from '../util/index.ts'

/** What files and batches refuse or fail with. */
export type BatchErrorCode = Extract<
  ErrorCode,
  `config.${string}` | `request.${string}` | `payment.${string}` | `capacity.${string}`
> &
  (
    | 'config.batch-corrupt' // the file is no node's, or is damaged
    | 'config.batch-in-use' // another process holds the file
    | 'config.batch-newer' // a newer version of this program wrote the file
    | 'config.batch-unwritable' // the folder or file cannot be written
    | 'request.no-file' // no such file, or another project's
    | 'request.no-batch' // no such batch, or another project's
    | 'request.file-too-large' // above the limit for one file
    | 'request.files-full' // files together are above the limit
    | 'request.file-in-use' // a batch still reads it
    | 'request.file-gone' // the input was lost from the disk
    | 'request.bad-line' // a line of an input file is not what it must be
    | 'request.duplicate-custom-id' // two lines with one name
    | 'request.empty-file' // no lines
    | 'request.too-many-lines' // more than a batch may have
    | 'request.batch-over' // it has ended; nothing is left to cancel
    | 'request.idempotency-key' // used for another batch
    | 'payment.batch-max-cost' // a line could cost more than the batch has left
    | 'capacity.answer-lost' // the process died with the answer of a line that is, or may be, paid for
    | 'capacity.batch-full' // no room on the disk
    | 'capacity.batch-failed' // the disk or the thread failed; only a restart can tell what was written
  )

/** An error of this folder: one sentence for what is, one for the mend. */
export const batchError = (code: BatchErrorCode, message: string, info: ErrorInfo = {}, cause?: unknown): CocoonError =>
  new CocoonError(code, { ...info, message }, cause === undefined ? undefined : { cause })
