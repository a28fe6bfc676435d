import { CocoonError, type ErrorCode } from '../util/index.ts'

/** What a ledger refuses or fails with, besides broken invariants of its callers (`bug.*`). */
export type LedgerErrorCode = Extract<ErrorCode, `config.${string}` | `capacity.${string}`> &
  (
    | 'config.ledger-corrupt' // the file is no ledger, is damaged, or its totals are not the sum of its entries
    | 'config.ledger-in-use' // another process holds the file
    | 'config.ledger-newer' // a newer version of this program wrote the file
    | 'config.ledger-other-contract' // the file belongs to another proxy contract
    | 'config.ledger-rolled-back' // the file is older than what this proxy wrote last
    | 'config.ledger-snapshot' // the file of an older version, which is to be taken over, does not parse
    | 'config.ledger-unwritable' // the file or its folder cannot be written
    | 'capacity.ledger-closed' // the process is stopping
    | 'capacity.ledger-failed' // the disk or the thread failed; only a restart can tell what was written
    | 'capacity.ledger-full' // no room on the disk; over by itself when there is room again
  )

/** Nothing of what was tried counts. */
export const ledgerFull = (cause: unknown): CocoonError =>
  ledgerError(
    'capacity.ledger-full',
    'The disk of the ledger is full: nothing can be settled until there is room again.',
    cause,
  )

/** An error of this folder: one sentence for what is, one for the mend. */
export const ledgerError = (code: LedgerErrorCode, message: string, cause?: unknown): CocoonError =>
  new CocoonError(code, { message }, cause === undefined ? undefined : { cause })
