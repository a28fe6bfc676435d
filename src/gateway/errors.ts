import { CocoonError, type ErrorCode, type ErrorInfo } from '../util/index.ts'

/** What a gateway refuses or fails with. */
export type GatewayErrorCode = Extract<
  ErrorCode,
  `config.${string}` | `request.${string}` | `payment.${string}` | `capacity.${string}`
> &
  (
    | 'config.fiat-source' // the source of the currency’s rate tells none that can be believed
    | 'config.gateway-corrupt' // the file is no gateway's, or is damaged
    | 'config.gateway-in-use' // another process holds the file
    | 'config.gateway-newer' // a newer version of this program wrote the file
    | 'config.gateway-unwritable' // the file or its folder cannot be written
    | 'request.invalid-key' // no such API key
    | 'request.key-expired' // its time is over
    | 'request.key-revoked' // it was taken back
    | 'request.key-scope' // it does not allow this endpoint
    | 'request.key-model' // it does not allow this model
    | 'request.above-rate-limit' // more tokens than the key may use in a minute
    | 'request.not-allowed' // a member’s role or project does not allow it
    | 'request.bad-account' // a project, key or budget that cannot be made as asked
    | 'request.no-account' // a project, key or budget that does not exist
    | 'payment.budget-exceeded' // what the request could cost is not left in a budget
    | 'capacity.rate-limit' // too many requests or tokens in this minute, or at once
    | 'capacity.gateway-failed' // the disk or the thread failed; only a restart can tell what was written
    | 'capacity.gateway-full' // receipts cannot be written: no room on the disk
  )

/** An error of this folder: one sentence for what is, one for the mend. */
export const gatewayError = (
  code: GatewayErrorCode,
  message: string,
  info: ErrorInfo = {},
  cause?: unknown,
): CocoonError => new CocoonError(code, { ...info, message }, cause === undefined ? undefined : { cause })
