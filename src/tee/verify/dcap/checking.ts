/** What the checks of collateral and of quotes share: words, validity windows, the trusted root. Browser-safe. */
import { concatBytes, fromHex } from '../../../util/index.ts'
import type { CheckInputs, Checklist } from '../checks.ts'
import { DCAP_ERRORS, type DcapErrorCode } from './errors.ts'
import { isoSeconds } from './json.ts'

/** X ‖ Y of the Intel SGX Root CA's key. Two editions of its certificate carry it; the key is what is trusted. */
export const INTEL_SGX_ROOT_KEY: Uint8Array = fromHex(
  '0ba9c4c0c0c86193a3fe23d6b02cda10a8bbd4e88e48b4458561a36e705525f567918e2edc88e40d860bd0cc4ee26aacc988e505a953558c453f6b0904ae7394',
)

/** How far a clock may be behind the services' before what they just issued counts as not valid yet. */
export const DEFAULT_SKEW_MS = 5 * 60_000

const P256_SPKI_PREFIX = fromHex('3059301306072a8648ce3d020106082a8648ce3d03010703420004')

/** SubjectPublicKeyInfo of a P-256 key given as X ‖ Y. */
export const p256Spki = (key: Uint8Array): Uint8Array => concatBytes(P256_SPKI_PREFIX, key)

/** Where a check's failure has no words of its own, its code's sentence says it. */
export function need(
  list: Checklist,
  id: string,
  holds: boolean,
  code: DcapErrorCode,
  passed: string,
  inputs: CheckInputs = {},
): boolean {
  return list.require(id, holds, code, { passed, failed: DCAP_ERRORS[code] }, inputs)
}

/** When one item may be used, both ends included. */
export interface Window {
  /** Of its check: `tcb-info-validity`. */
  readonly id: string
  readonly code: DcapErrorCode
  readonly what: string
  readonly fromMs: number
  readonly untilMs: number
}

/** Times are whole seconds: the second that an item ends in is its last. The skew widens the beginning only. */
export function needValid(
  list: Checklist,
  { id, code, what, fromMs, untilMs }: Window,
  nowMs: number,
  skewMs: number,
): void {
  const now = Math.floor(nowMs / 1000) * 1000
  // Asked so that a time which is no number fails.
  const state = !(now <= untilMs) ? 'expired' : now + skewMs >= fromMs ? 'valid' : 'not valid yet'
  const inputs = { from: isoSeconds(fromMs), until: isoSeconds(untilMs), nowMs: now, state }
  need(list, id, state === 'valid', code, `${what} is valid at this time.`, inputs)
}

/** The one window in which several items are all valid. */
export function windowOf(
  id: string,
  code: DcapErrorCode,
  what: string,
  items: readonly { readonly notBeforeMs: number; readonly notAfterMs: number }[],
): Window {
  return {
    id,
    code,
    what,
    fromMs: Math.max(...items.map((item) => item.notBeforeMs)),
    untilMs: Math.min(...items.map((item) => item.notAfterMs)),
  }
}
