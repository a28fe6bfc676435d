/** What a caller is willing to pay for one request: a field of the body, a header, or both. */
import type { CallerRequest } from './caller.ts'
import { MAX_COST_SHAPE, parseMaxCost } from './contract.ts'
import { apiError } from './errors.ts'

const MAX_COST_HEADER = 'x-cocoon-max-cost'

/** The lower one of field and header, in nanoTON. Throws `request.bad-field` with the header's name; the field was checked. */
export function maxCostOf(
  field: number | string | null | undefined,
  headers: CallerRequest['headers'],
): { readonly maxCostNano?: bigint } {
  const costs: bigint[] = []
  if (field !== null && field !== undefined) costs.push(parseMaxCost(field) ?? 0n)
  for (const [name, value] of headers)
    if (name.toLowerCase() === MAX_COST_HEADER) {
      const nano = parseMaxCost(value)
      if (nano === null)
        throw apiError('request.bad-field', {
          message: `${MAX_COST_HEADER} ${MAX_COST_SHAPE}.`,
          field: MAX_COST_HEADER,
        })
      costs.push(nano)
    }
  const [first, ...others] = costs
  return first === undefined ? {} : { maxCostNano: others.reduce((low, one) => (one < low ? one : low), first) }
}
