/** Where a node's verifier gets collateral from: what is there now, and a way to ask for more. */
import type { CollateralBundle, CollateralWant } from '../collateral/index.ts'

export interface CollateralSupply {
  current(): CollateralBundle
  /**
   * Looks for what is wanted and not there. Null when nothing has to be waited for: it is all there, or was just asked for in
   * vain. The promise never rejects and settles in seconds; what is there then is in `current`.
   */
  supply(wants: readonly CollateralWant[], nowMs: number): Promise<void> | null
  /** Calls `listener` after `current` has changed; the result stops it. */
  subscribe(listener: () => void): () => void
}

/** A bundle as it is: nothing is ever fetched. */
export const fixedCollateral = (bundle: CollateralBundle): CollateralSupply => ({
  current: () => bundle,
  supply: () => null,
  subscribe: () => () => undefined,
})
