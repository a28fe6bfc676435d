/** What both handshakes of a proxy share: the choice of a protocol version, and how a refusal looks. */

/** A proxy speaks every version there is. */
export const PROXY_VERSIONS: VersionRange = { min: 0, max: 4 }

export interface VersionRange {
  readonly min: number
  readonly max: number
}

/** Answered with `tcp.queryError`. */
export interface Refusal {
  readonly _: 'refusal'
  readonly code: number
  readonly message: string
}

export const refusal = (code: number, message: string): Refusal => ({ _: 'refusal', code, message })

/** The highest version of both ranges, or null where they do not meet. A peer that states no range means version 0. */
export function negotiate(
  peer: { readonly minProtoVersion?: number; readonly maxProtoVersion?: number },
  own: VersionRange,
): number | null {
  const { minProtoVersion: min = 0, maxProtoVersion: max = 0 } = peer
  const chosen = Math.min(max, own.max)
  return chosen < min || chosen < own.min ? null : chosen
}
