/** One page of a list, as OpenAI's libraries go on in it: with the id of the last one as `after`. */
import { apiError } from './errors.ts'

export interface Page<T> {
  readonly object: 'list'
  readonly data: readonly T[]
  readonly first_id: string | null
  readonly last_id: string | null
  readonly has_more: boolean
}

/** Throws `request.bad-field` for an `after` that is not in the list. */
export function pageOf<T extends { readonly id: string }>(
  all: readonly T[],
  after: string | undefined,
  limit: number,
): Page<T> {
  const at = after === undefined ? 0 : all.findIndex(({ id }) => id === after) + 1
  if (after !== undefined && at === 0)
    throw apiError('request.bad-field', { message: `'after' is not the id of one of these.`, field: 'after' })
  const data = all.slice(at, at + limit)
  return {
    object: 'list',
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: at + limit < all.length,
  }
}
