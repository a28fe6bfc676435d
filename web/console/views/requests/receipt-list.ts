/** The list of requests while new ones come in: nobody loses the place where they read. Pure. */
import type { Receipt } from '../../node/shapes.ts'

export interface ReceiptList {
  /** Newest first. */
  readonly shown: readonly Receipt[]
  /** Newer ones that wait until the reader wants them. */
  readonly held: readonly Receipt[]
  /** No older ones are kept. */
  readonly isComplete: boolean
}

export const EMPTY_LIST: ReceiptList = { shown: [], held: [], isComplete: false }

/** Older ones are let go: a page that stays open for days keeps its size. */
const MOST_SHOWN = 1_000

function cut(list: ReceiptList): ReceiptList {
  if (list.shown.length <= MOST_SHOWN) return list
  return { ...list, shown: list.shown.slice(0, MOST_SHOWN), isComplete: false }
}

/** The first page of a question. */
export const firstPage = (page: readonly Receipt[], limit: number): ReceiptList => ({
  shown: page,
  held: [],
  isComplete: page.length < limit,
})

/**
 * The newest page, looked at again. Those that are known are brought up to date: a cost may be settled late.
 * @param mayMove whether new ones may push down what the reader looks at
 */
export function withNewest(list: ReceiptList, page: readonly Receipt[], limit: number, mayMove: boolean): ReceiptList {
  const known = [...list.held, ...list.shown]
  const top = known[0]?.seq ?? 0
  const fresh = page.filter(({ seq }) => seq > top)
  const bySeq = new Map(page.map((one) => [one.seq, one]))
  const renewed = (rows: readonly Receipt[]): readonly Receipt[] => rows.map((one) => bySeq.get(one.seq) ?? one)
  // A full page of new ones: between them and those that are known there may be more, which "older" brings back.
  const hasGap = fresh.length === limit && known.length > 0
  if (mayMove)
    return hasGap
      ? firstPage(page, limit)
      : cut({ ...list, shown: [...fresh, ...renewed(list.held), ...renewed(list.shown)], held: [] })
  const held = [...fresh, ...(hasGap ? [] : renewed(list.held))]
  return { ...list, shown: renewed(list.shown), held: held.slice(0, MOST_SHOWN) }
}

/** The reader wants to see what has come. */
export function withHeld(list: ReceiptList, limit: number): ReceiptList {
  if (list.held.length >= limit) return { ...firstPage(list.held, limit), isComplete: false }
  return cut({ ...list, shown: [...list.held, ...list.shown], held: [] })
}

export const withOlder = (list: ReceiptList, page: readonly Receipt[], limit: number): ReceiptList => ({
  ...list,
  shown: [...list.shown, ...page],
  isComplete: page.length < limit,
})
