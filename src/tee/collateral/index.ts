/**
 * Collateral in a file: `collateralItem` and `encodeBundle` make one, `parseBundle` reads it, `select…Collateral` finds what
 * a piece of evidence needs. No network. Browser-safe. Source: docs/verification.md, "Collateral bundles".
 */
export { type CollateralBundle, EMPTY_BUNDLE, encodeBundle, MAX_BUNDLE_CHARACTERS, parseBundle } from './bundle.ts'
export { COLLATERAL_ERRORS, type CollateralErrorCode } from './errors.ts'
export { type CollateralItem, collateralItem, type CollateralType, type ItemLabels, type ItemSource } from './item.ts'
export { mergeItem, wantKey, wantOfItem } from './merge.ts'
export { faultOfItem, type ItemContext } from './verify-item.ts'
export {
  type CollateralWant,
  isCertifiedPlatform,
  isSupplied,
  wantsOfQuote,
  wantsOfReport,
  type WantOptions,
} from './wanted.ts'
export { isCertifiedGpu, wantsOfGpu } from './wanted-gpu.ts'
export { selectDcapCollateral, type Selected, selectGpuCollateral, selectSnpCollateral } from './select.ts'
