/**
 * What a peer's error means to the caller. The wire knows six codes and many sentences: the same 651 says "no money", "too
 * dear" and "nobody there". The sentences of all known proxies and workers are told apart here, once.
 */
import { WIRE_STATUS } from '../../transport/index.ts'
import { CocoonError, type ErrorCode, type ErrorInfo } from '../../util/index.ts'

const RETRY_MS = 1_000

/** Of the cheapest worker that would do, per mille. */
const PRICE = /can run this query with coefficient=(\d+)/

/** First match decides. */
const MEANINGS: readonly (readonly [sentence: RegExp, code: ErrorCode, info?: ErrorInfo])[] = [
  [/^no worker of this model can do/, 'request.unsupported'],
  [/^no worker of this model has room for this/, 'request.context-overflow'],
  [/balance is too low/, 'payment.balance'],
  [/^client is closing/, 'payment.closing'],
  [PRICE, 'capacity.price', { field: 'max_coefficient' }],
  [/^unknown model/, 'request.unknown-model', { field: 'model' }],
  [/^no workers for model/, 'capacity.no-workers', { retryAfterMs: 5 * RETRY_MS }],
  [/^no ready workers/, 'capacity.busy', { retryAfterMs: RETRY_MS }],
  [/too many active queries/, 'capacity.busy', { retryAfterMs: RETRY_MS }],
  [/settlement could not be recorded/, 'capacity.not-ready', { retryAfterMs: 5 * RETRY_MS }],
  [/proxy is disabled|not participating/, 'capacity.shutting-down', { retryAfterMs: 5 * RETRY_MS }],
  [/usage report was refused/, 'protocol.usage'],
  [/out of order answer/, 'protocol.worker-answer'],
  [/connection (was lost|is dead)|worker’s connection/, 'protocol.worker-lost', { retryAfterMs: RETRY_MS }],
  [/worker: http failed|failed to get payload/, 'engine.failed'],
  [/unknown public key|encrypt/, 'request.encryption'],
  [/config version is too low/, 'chain.stale', { retryAfterMs: 5 * RETRY_MS }],
]

/** @param message the peer's sentence, shown to the caller: peers' texts name fields, never content */
export function refusedByPeer(code: number, message: string): CocoonError {
  const found = MEANINGS.find(([sentence]) => sentence.test(message))
  const [, meaning, info] = found ?? [undefined, byStatus(code), undefined]
  const retryAfterMs = retryTold(message)
  const field = meaning.startsWith('request.') ? fieldTold(message) : undefined
  const told = { ...(retryAfterMs === undefined ? {} : { retryAfterMs }), ...(field === undefined ? {} : { field }) }
  return new CocoonError(meaning, { ...info, ...told, message: clean(inOurWords(message)), remoteCode: code })
}

/** The one sentence that tells nobody what to do. */
function inOurWords(message: string): string {
  const asked = PRICE.exec(message)?.[1]
  return asked === undefined
    ? message
    : `no worker within max_coefficient is free; one that asks ${asked} is: raise max_coefficient, or try again later`
}

function byStatus(code: number): ErrorCode {
  switch (code) {
    case WIRE_STATUS.protocolViolation:
      return 'request.refused'
    case WIRE_STATUS.notReady:
      return 'capacity.not-ready'
    case WIRE_STATUS.timeout:
      return 'capacity.timeout'
    case WIRE_STATUS.cancelled:
      return 'protocol.worker-lost'
    default:
      return 'protocol.peer-error'
  }
}

/** Our proxies know how long their queue is. */
function retryTold(message: string): number | undefined {
  const told = /; try again in (\d{1,9}) ms$/.exec(message)?.[1]
  return told === undefined ? undefined : Math.min(Number(told), MAX_RETRY_MS)
}

/** Our proxies name the field of the body at fault. */
const fieldTold = (message: string): string | undefined => /; see ([\w.[\]]{1,80})$/.exec(message)?.[1]

/** Whatever a peer says: nobody is sent away for longer. */
const MAX_RETRY_MS = 60_000

const MAX_SENTENCE = 512
/** Control characters could forge lines in a log or a terminal. */
const clean = (text: string): string => text.replaceAll(/[\p{Cc}\u2028\u2029]/gu, ' ').slice(0, MAX_SENTENCE)
