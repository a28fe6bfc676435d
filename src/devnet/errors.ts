/** What can go wrong on the local chain, and what the caller of its HTTP API sees then. */
import { CocoonError, type ErrorInfo } from '../util/index.ts'

/** Codes of this folder, each with what happened and what mends it. */
export const DEVNET_ERRORS = {
  'request.devnet-parameter': 'A parameter of the call is missing or malformed.',
  'request.devnet-method': 'No such method.',
  'request.devnet-not-found': 'What was asked for is not on this chain, or history was trimmed past it.',
  'request.devnet-refused': 'The contract does not accept the external message.',
  'request.devnet-time': 'Time moves forward only, and within 32 bits of seconds.',
  'capacity.devnet-pool': 'Too many messages wait for a block: send slower, or mine.',
  'capacity.devnet-rate': 'Ratelimit exceed',
  'capacity.devnet-failing': 'A failure that was ordered at /devnet/faults.',
  'chain.devnet-state':
    'The saved state does not fit together: it was edited, or written by another version. Start with an empty folder.',
  'chain.devnet-store': 'The state cannot be written: see the cause; the message was not accepted.',
  'config.devnet-locked': 'Another process uses this state folder: stop it, or choose another `statePath`.',
} as const

export type DevnetErrorCode = keyof typeof DEVNET_ERRORS

export function devnetError(code: DevnetErrorCode, info: ErrorInfo = {}, cause?: unknown): CocoonError {
  return new CocoonError(code, { message: DEVNET_ERRORS[code], ...info }, cause === undefined ? {} : { cause })
}
