import { describe, expect, test } from 'vitest'
import type { ChargeRecall, RecalledCharges } from '../roles/client/index.ts'
import { CocoonError, manualClock } from '../util/index.ts'
import { createFates, fateFrom, type Fate, type Word, wordIn } from './fates.ts'

const REQUEST = 'ab'.repeat(16)
const attempt = { request: REQUEST, sentMs: 100_000, sentTo: ['p:1', 'p:2'] }
const told = (
  charges: readonly Partial<RecalledCharges['charges'][number]>[] = [],
  knownForMs = 60_000,
): RecalledCharges => ({
  knownForMs,
  charges: charges.map((one) => ({ name: REQUEST, tokens: 0n, costNano: 0n, isRunning: false, ...one })),
})

describe('the word of a proxy', () => {
  test.each<readonly [string, RecalledCharges, Word['is']]>([
    ['that charged it is its charge', told([{ tokens: 5n, costNano: 10n }]), 'charged'],
    ['where it ended without a charge is that nothing was', told([{}]), 'nothing'],
    ['where it still runs is no end, whatever was charged', told([{ tokens: 5n, isRunning: true }]), 'runs'],
    ['that never had it is that nothing was', told(), 'nothing'],
    ['that charged something else is that nothing was', told([{ name: 'cd'.repeat(16), tokens: 5n }]), 'nothing'],
    ['that began after it was sent is worth nothing', told([], 11_999), 'silent'],
    ['that knows it, though it has forgotten others of that time, is its charge', told([{ tokens: 5n }], 0), 'charged'],
  ])('%s', (_, said, is) => {
    expect(wordIn(said, attempt, 110_000).is).toBe(is)
  })
})

describe('of several proxies', () => {
  const charged = (tokens: bigint): Word => ({ is: 'charged', tokens, costNano: 2n * tokens })
  const word = (is: Exclude<Word['is'], 'charged'>): Word => ({ is })
  test.each<readonly [string, readonly Word[], number, Fate | null]>([
    ['nothing was charged where all say so', [word('nothing'), word('nothing')], 0, { is: 'nothing' }],
    ['charges add up', [charged(5n), charged(2n)], 0, { is: 'charged', tokens: 7n, costNano: 14n }],
    ['one that is away is waited for', [charged(5n), word('away')], 59_999, null],
    ['one that stays away leaves it unknown', [charged(5n), word('away')], 60_000, { is: 'unknown' }],
    ['one that works on it is waited for longer', [word('runs'), word('nothing')], 899_999, null],
    ['one that works on and on leaves it unknown', [word('runs'), word('nothing')], 900_000, { is: 'unknown' }],
    ['one that cannot know leaves it unknown at once', [word('silent'), word('nothing')], 0, { is: 'unknown' }],
  ])('%s', (_, words, waitedMs, fate) => {
    expect(fateFrom(words, waitedMs)).toEqual(fate)
  })
})

function asking(answer: (proxy: string, times: number) => RecalledCharges | CocoonError) {
  const clock = manualClock(110_000)
  const asked: string[] = []
  const recall: ChargeRecall = {
    proxies: () => ['p:1', 'p:2'],
    async chargesAt(proxy) {
      asked.push(proxy)
      const said = answer(proxy, asked.filter((one) => one === proxy).length)
      if (said instanceof CocoonError) throw said
      return said
    },
  }
  return { clock, asked, fates: createFates({ clock, recall }) }
}
const settle = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

test('proxies are asked again until each has said what it charged and has ended', async () => {
  const { clock, asked, fates } = asking((proxy, times) => {
    if (proxy === 'p:2') return told()
    if (times === 1) return new CocoonError('capacity.no-proxy')
    return told([{ tokens: times === 2 ? 0n : 4n, costNano: 8n, isRunning: times === 2 }])
  })
  const fate = fates.of(attempt)
  for (let i = 0; i < 2; i++) {
    await settle()
    clock.advance(500)
  }
  expect(await fate).toEqual({ is: 'charged', tokens: 4n, costNano: 8n })
  expect(asked.filter((one) => one === 'p:1')).toHaveLength(3)
})

test('a proxy that keeps no charges is not asked again', async () => {
  const { asked, fates } = asking(() => new CocoonError('request.unsupported'))
  expect(await fates.of(attempt)).toEqual({ is: 'unknown' })
  expect(asked).toEqual(['p:1', 'p:2'])
})

test('an attempt that nobody wrote proxies down for is unknown, and nobody is asked', async () => {
  const { asked, fates } = asking(() => told())
  expect(await fates.of({ ...attempt, sentTo: null })).toEqual({ is: 'unknown' })
  expect(asked).toEqual([])
})

test('an attempt that no proxy was connected for was charged nothing', async () => {
  const { fates } = asking(() => told())
  expect(await fates.of({ ...attempt, sentTo: [] })).toEqual({ is: 'nothing' })
})

test('who waits when all is given up hears nothing of a fate', async () => {
  const { fates } = asking(() => new CocoonError('capacity.no-proxy'))
  const fate = fates.of(attempt)
  await settle()
  fates.abort()
  expect(await fate).toBeNull()
})
