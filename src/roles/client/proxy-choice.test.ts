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
    const { connectionId } = records.choose(
      candidates,
      { tried: NONE, maxCoefficient, isStreamed: true },
      0,
    ) as ProxyCandidate
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
  ['to free places before they wait for others', [share(4, { coefficient: 0 }), share(16, { others: 0 })], [4, 16]],
  ['by the number of places where all wait', [share(4), share(1)], [16, 4]],
])('requests go %s', (_, shares, expected) => {
  expect(spread(20, shares)).toEqual(expected)
})

test('one that had nobody a moment ago is still tried when there is no other', () => {
  expect(spread(1, [share(0)])).toEqual([1])
})

const candidate = (connectionId: number, over: Partial<ProxyCandidate> = {}): ProxyCandidate => ({
  connectionId,
  address: `p:${connectionId}`,
  running: 0,
  share: share(10),
  ...over,
})
const chosen = (records: ProxyRecords, isStreamed: boolean, ...candidates: ProxyCandidate[]): number | undefined =>
  records.choose(candidates, { tried: NONE, maxCoefficient: 4000, isStreamed }, 0)?.connectionId

test('who is slow with whole answers is not avoided by streams', () => {
  const records = new ProxyRecords()
  for (const [id, wholeMs, streamedMs] of [
    [1, 9_000, 200],
    [2, 1_000, 900],
  ] as const) {
    records.answered(`p:${id}`, { firstMs: wholeMs, isStreamed: false }, 0)
    records.answered(`p:${id}`, { firstMs: streamedMs, isStreamed: true }, 0)
  }
  expect(chosen(records, true, candidate(2), candidate(1))).toBe(1)
  expect(chosen(records, false, candidate(1), candidate(2))).toBe(2)
})

test('one answer of ten seconds among quick ones leaves a proxy more than a third of its share', () => {
  const records = new ProxyRecords()
  for (const id of [1, 2]) records.answered(`p:${id}`, { firstMs: 50, isStreamed: true }, 0)
  records.answered('p:1', { firstMs: 10_000, isStreamed: true }, 0)
  expect(chosen(records, true, candidate(1), candidate(2, { running: 1 }))).toBe(2)
  expect(chosen(records, true, candidate(1), candidate(2, { running: 2 }))).toBe(1)
})

test('a proxy that keeps being slow is avoided', () => {
  const records = new ProxyRecords()
  for (let i = 0; i < 20; i++) {
    records.answered('p:1', { firstMs: 10_000, isStreamed: true }, 0)
    records.answered('p:2', { firstMs: 50, isStreamed: true }, 0)
  }
  expect(chosen(records, true, candidate(1), candidate(2, { running: 8 }))).toBe(2)
})

test('a lost connection is one failure, however many requests it had', () => {
  const [busy, quiet] = [new ProxyRecords(), new ProxyRecords()]
  for (let i = 0; i < 100; i++) busy.lost(candidate(1), 0)
  quiet.lost(candidate(1), 0)
  for (const records of [busy, quiet]) {
    const back = candidate(3, { address: 'p:1' })
    expect(chosen(records, true, candidate(2), back)).toBe(2)
    expect(chosen(records, true, candidate(2, { running: 1 }), back)).toBe(3)
  }
  quiet.lost(candidate(3, { address: 'p:1' }), 0)
  expect(chosen(quiet, true, candidate(2, { running: 1 }), candidate(4, { address: 'p:1' }))).toBe(2)
})
