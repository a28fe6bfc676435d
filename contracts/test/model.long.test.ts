import { expect, test } from 'vitest'
import { addConservation, type Conservation, missingFrom, play } from './model/play.ts'

const GAMES = Number(process.env['COCOON_GAMES'] ?? 2_000)
const FIRST = Number(process.env['COCOON_SEED'] ?? 1_000)
const STEPS = Number(process.env['COCOON_STEPS'] ?? 40)

test(`${GAMES} games of ${STEPS} messages: nobody is paid, stored or kept other than the model says`, async () => {
  const tally = { done: 0, refused: 0, undone: 0 }
  let total: Conservation | null = null
  for (let seed = FIRST; seed < FIRST + GAMES; seed++) {
    const { conservation, ...counts } = await play(seed, STEPS)
    for (const key of ['done', 'refused', 'undone'] as const) tally[key] += counts[key]
    expect(missingFrom(conservation)).toBe(0n)
    total = total === null ? conservation : addConservation(total, conservation)
    if ((seed + 1 - FIRST) % 100 === 0) process.stdout.write(`${seed + 1 - FIRST} games, seed ${seed}\n`)
  }
  if (total === null) throw new RangeError('COCOON_GAMES is 0')
  process.stdout.write(`seeds ${FIRST} to ${FIRST + GAMES - 1}; orders ${JSON.stringify(tally)}\n`)
  for (const [place, nano] of Object.entries(total))
    process.stdout.write(`${place.padEnd(18)} ${ton(nano).padStart(26)}\n`)
  process.stdout.write(`${'missing'.padEnd(18)} ${ton(missingFrom(total)).padStart(26)}\n`)
  expect(tally.done).toBeGreaterThan(GAMES * STEPS * 0.2)
  expect(tally.refused).toBeGreaterThan(GAMES * STEPS * 0.2)
})

const ton = (nano: bigint): string => `${nano / 1_000_000_000n}.${String(nano % 1_000_000_000n).padStart(9, '0')} TON`
