/**
 * A file with everything that verifying needs and vendors publish, so that verifying asks nobody. It need not come from a
 * trusted place: every item is signed by its vendor. Browser-safe. Form: docs/verification.md, "Collateral bundles".
 */
import { z } from 'zod'
import { CocoonError, fromBase64, toBase64 } from '../../util/index.ts'
import { bundleError } from './errors.ts'
import { type CollateralItem, collateralItem, ITEM_TYPES, type ItemLabels } from './item.ts'

/** Everything that Intel, AMD and NVIDIA publish today is some hundred items of up to 25 kB. */
export const MAX_BUNDLE_CHARACTERS = 32 * 1024 * 1024
const MAX_ITEMS = 2048
/** Base64 of 1 MiB, which is what the parsers of lists take. */
const MAX_BODY_CHARACTERS = 1_400_000

export interface CollateralBundle {
  readonly madeAtMs: number
  readonly items: readonly CollateralItem[]
}

export const EMPTY_BUNDLE: CollateralBundle = { madeAtMs: 0, items: [] }

const base64 = z.string().min(1).max(MAX_BODY_CHARACTERS)
const bundleSchema = z.strictObject({
  format: z.literal('cocoon-collateral-1'),
  madeAt: z.iso.datetime(),
  items: z
    .array(
      z.strictObject({
        type: z.enum(ITEM_TYPES),
        labels: z.record(z.string().max(32), z.string().max(256)),
        validFrom: z.iso.datetime(),
        validUntil: z.iso.datetime(),
        body: base64,
        issuerChain: base64.optional(),
      }),
    )
    .max(MAX_ITEMS),
})

/** One line per item, so that two editions can be compared. */
export function encodeBundle({ madeAtMs, items }: CollateralBundle): string {
  const lines = items.map((item) =>
    JSON.stringify({
      type: item.type,
      labels: item.labels,
      validFrom: isoOf(item.validFromMs),
      validUntil: isoOf(item.validUntilMs),
      body: toBase64(item.body),
      ...(item.issuerChain === null ? {} : { issuerChain: toBase64(item.issuerChain) }),
    }),
  )
  const head = `"format":"cocoon-collateral-1","madeAt":"${isoOf(madeAtMs)}"`
  return `{${head},"items":[\n${lines.join(',\n')}\n]}\n`
}

/** Throws `config.collateral-bundle` with the field. Labels and times must be those of the content. */
export function parseBundle(text: string, name = 'file'): CollateralBundle {
  if (text.length > MAX_BUNDLE_CHARACTERS)
    throw bundleError(name, 'file', `longer than ${MAX_BUNDLE_CHARACTERS} characters`)
  let raw: unknown
  try {
    raw = JSON.parse(text)
  } catch (error) {
    throw bundleError(name, 'file', `not JSON (${(error as Error).message})`, error)
  }
  const parsed = bundleSchema.safeParse(raw)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw bundleError(name, issue?.path.join('.') || 'file', issue?.message ?? 'is wrong')
  }
  const items = parsed.data.items.map((one, i) => {
    const { id, ...labels } = one.labels
    const item = readItem(`items.${i}`, name, () =>
      collateralItem({
        type: one.type,
        body: fromBase64(one.body),
        issuerChain: one.issuerChain === undefined ? null : fromBase64(one.issuerChain),
        ...(id === undefined ? {} : { id }),
      }),
    )
    const { id: _, ...found } = item.labels
    if (!sameLabels(labels, found)) throw bundleError(name, `items.${i}.labels`, 'are not what the content says')
    if (Date.parse(one.validFrom) !== item.validFromMs || Date.parse(one.validUntil) !== item.validUntilMs)
      throw bundleError(name, `items.${i}.validFrom`, 'and validUntil are not what the content says')
    return item
  })
  return { madeAtMs: Date.parse(parsed.data.madeAt), items }
}

function readItem(field: string, name: string, read: () => CollateralItem): CollateralItem {
  try {
    return read()
  } catch (error) {
    if (error instanceof RangeError) throw bundleError(name, field, error.message, error)
    if (error instanceof CocoonError && error.family === 'attestation')
      throw bundleError(name, field, error.message, error)
    throw error
  }
}

const sameLabels = (a: ItemLabels, b: ItemLabels): boolean =>
  Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([key, value]) => b[key] === value)

const isoOf = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z')
