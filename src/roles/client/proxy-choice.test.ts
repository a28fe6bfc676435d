import { expect, test } from 'vitest'
import { type ProxyCandidate, ProxyRecords, type ProxyShare } from './proxy-choice.ts'

const NONE: ReadonlySet<number> = new Set()
const share = (places: number, over: Partial<ProxyShare> = {}): ProxyShare => ({
  places,
  others: 0,
  coefficient: 1000,
  ...over,
})

/** Gives requests that do not end, and counts who has got how many. */
function spread(count: number, shares: readonly (ProxyShare | undefined)[], maxCoefficient = 4000): number[] {
  const records = new ProxyRecords()
  const running = shares.map(() => 0)
  for (let i = 0; i < count; i++) {
    const candidates = shares.map(
      (one, id): ProxyCandidate => ({
        connectionId: id,
        address: `p:${id}`,
        running: running[id] ?? 0,
        share: one,
      }),
    )
    const { connectionId } = records.choose(candidates, { tried: NONE, maxCoefficient }, 0) as ProxyCandidate
    running[connectionId] = (running[connectionId] ?? 0) + 1
  }
  return running
}

test.each([
  ['alike where nobody says anything', [undefined, undefined], [10, 10]],
  ['by the number of places', [share(30), share(10)], [15, 5]],
  ['to where others are not', [share(20, { others: 10 }), share(20)], [5, 15]],
  ['more to the cheaper', [share(20, { coefficient: 4000 }), share(20, { coefficient: 1000 })], [8, 12]],
  ['alike to one that does not say and one that does', [share(20), undefined], [10, 10]],
  ['none to one that has nobody for it', [share(0), share(1)], [0, 20]],
])('requests go %s', (_, shares, expected) => {
  expect(spread(20, shares)).toEqual(expected)
})

test('one that had nobody a moment ago is still tried when there is no other', () => {
  expect(spread(1, [share(0)])).toEqual([1])
})
