import { expect, test } from 'vitest'
import type { Receipt } from '../../node/shapes.ts'
import { firstPage, type ReceiptList, withHeld, withNewest, withOlder } from './receipt-list.ts'

const LIMIT = 3
const receipt = (seq: number, cost = '0'): Receipt => ({ seq, cost_nano: cost }) as Receipt
const page = (...seqs: number[]): Receipt[] => seqs.map((seq) => receipt(seq))
const seqs = (list: ReceiptList): unknown => ({
  shown: list.shown.map(({ seq }) => seq),
  held: list.held.map(({ seq }) => seq),
})
const first = firstPage(page(5, 4, 3), LIMIT)

test('new requests stand on top while nobody reads', () => {
  expect(seqs(withNewest(first, page(7, 6, 5), LIMIT, true))).toEqual({ shown: [7, 6, 5, 4, 3], held: [] })
})

test('new requests wait while somebody reads, and are shown when wanted, each once', () => {
  const held = withNewest(withNewest(first, page(6, 5, 4), LIMIT, false), page(7, 6, 5), LIMIT, false)
  expect(seqs(held)).toEqual({ shown: [5, 4, 3], held: [7, 6] })
  expect(seqs(withHeld(held, LIMIT))).toEqual({ shown: [7, 6, 5, 4, 3], held: [] })
  expect(seqs(withNewest(held, page(8, 7, 6), LIMIT, true))).toEqual({ shown: [8, 7, 6, 5, 4, 3], held: [] })
})

test('a receipt that was settled late is brought up to date where it stands', () => {
  const list = withNewest(first, [receipt(5, '16'), ...page(4, 3)], LIMIT, false)
  expect(list.shown.map(({ cost_nano: cost }) => cost)).toEqual(['16', '0', '0'])
})

test('more new ones than a page holds leave no hole in the list', () => {
  expect(seqs(withNewest(first, page(20, 19, 18), LIMIT, true))).toEqual({ shown: [20, 19, 18], held: [] })
  const held = withNewest(first, page(20, 19, 18), LIMIT, false)
  expect(seqs(held)).toEqual({ shown: [5, 4, 3], held: [20, 19, 18] })
  expect(seqs(withHeld(held, LIMIT))).toEqual({ shown: [20, 19, 18], held: [] })
})

test('a list that is looked at for days lets go of its oldest, and brings them back when asked', () => {
  let list = first
  for (let seq = 6; seq < 1_100; seq++) list = withNewest(list, page(seq, seq - 1, seq - 2), LIMIT, true)
  expect(list.shown).toHaveLength(1_000)
  expect(list.shown[0]?.seq).toBe(1_099)
  expect(list.isComplete).toBe(false)
  let reading = first
  for (let seq = 6; seq < 1_100; seq++) reading = withNewest(reading, page(seq, seq - 1, seq - 2), LIMIT, false)
  expect(seqs({ ...reading, held: [] })).toEqual({ shown: [5, 4, 3], held: [] })
  expect(reading.held).toHaveLength(1_000)
})

test('the list is complete when an older page is not full', () => {
  expect(first.isComplete).toBe(false)
  const all = withOlder(first, page(2, 1), LIMIT)
  expect(seqs(all)).toEqual({ shown: [5, 4, 3, 2, 1], held: [] })
  expect(all.isComplete).toBe(true)
  expect(firstPage(page(2, 1), LIMIT).isComplete).toBe(true)
})
