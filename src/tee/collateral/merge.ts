/**
 * Which of two items about the same thing is kept: one that is valid wins over one that is not, then the higher evaluation,
 * then the newer. So a server that answers with old things cannot take new ones away. Browser-safe.
 */
import { equalBytes } from '../../util/index.ts'
import type { CollateralItem } from './item.ts'
import type { CollateralWant } from './wanted.ts'

/** What an item would be fetched again as; it tells items about the same thing. */
export function wantOfItem({ type, labels, issuerChain }: CollateralItem): CollateralWant {
  const only = (...names: readonly string[]): CollateralWant => ({
    type,
    labels: Object.fromEntries(names.map((name) => [name, labels[name] ?? ''])),
  })
  switch (type) {
    case 'intel-tcb-info':
      return only('tee', 'fmspc')
    case 'intel-qe-identity':
      return only('tee')
    case 'intel-root-crl':
      return only()
    case 'intel-pck-crl':
    case 'amd-chain':
    case 'amd-crl':
      return only('issuer')
    case 'amd-leaf':
      return only('product', 'kind', 'hardwareId', 'tcb')
    case 'nvidia-manifest':
      return only('id')
    case 'nvidia-ocsp':
      return {
        ...only('issuer', 'serial', 'issuerName', 'issuerKey'),
        ...(issuerChain === null ? {} : { issuerChain }),
      }
  }
}

export const wantKey = ({ type, labels }: CollateralWant): string =>
  JSON.stringify([type, Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1))])

/** The list with the item in its place; the same list when what is there is as good or better. */
export function mergeItem(
  items: readonly CollateralItem[],
  item: CollateralItem,
  nowMs: number,
): readonly CollateralItem[] {
  const key = wantKey(wantOfItem(item))
  const at = items.findIndex((one) => wantKey(wantOfItem(one)) === key)
  const held = items[at]
  if (held === undefined) return [...items, item]
  return isBetter(item, held, nowMs) ? items.with(at, item) : items
}

function isBetter(item: CollateralItem, held: CollateralItem, nowMs: number): boolean {
  if (equalBytes(item.body, held.body)) return held.issuerChain === null && item.issuerChain !== null
  const rank = (one: CollateralItem): readonly number[] => [
    Number(nowMs <= one.validUntilMs),
    Number(one.labels['evaluation'] ?? 0),
    one.validFromMs,
  ]
  const [left, right] = [rank(item), rank(held)]
  const differs = left.findIndex((value, i) => value !== right[i])
  return differs !== -1 && (left[differs] as number) > (right[differs] as number)
}
