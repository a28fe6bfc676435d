/**
 * Intel's collateral that was verified before, so that it is verified once and not for every quote. What depends on the time is
 * checked with every quote all the same. For one set of trusted roots only. Browser-safe.
 */
import type { DcapCollateralSource, VerifiedDcapCollateral } from '../verify/dcap/index.ts'

interface Entry {
  readonly source: DcapCollateralSource
  readonly verified: VerifiedDcapCollateral
}

/** A network has a handful of platforms. */
const MAX_ENTRIES = 32

export class DcapCollateralMemory {
  #entries: readonly Entry[] = []

  /** Only the very same parts count, by identity: bundles keep those that did not change. */
  get(source: DcapCollateralSource): VerifiedDcapCollateral | null {
    return this.#entries.find((entry) => isSame(entry.source, source))?.verified ?? null
  }

  set(source: DcapCollateralSource, verified: VerifiedDcapCollateral): void {
    this.#entries = [{ source, verified }, ...this.#entries].slice(0, MAX_ENTRIES)
  }
}

const isSame = (a: DcapCollateralSource, b: DcapCollateralSource): boolean =>
  a.tcbInfo === b.tcbInfo &&
  a.tcbInfoIssuerChain === b.tcbInfoIssuerChain &&
  a.qeIdentity === b.qeIdentity &&
  a.qeIdentityIssuerChain === b.qeIdentityIssuerChain &&
  a.rootCaCrl === b.rootCaCrl &&
  a.pckCrl === b.pckCrl &&
  a.pckChain === b.pckChain
