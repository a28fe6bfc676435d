import fc from 'fast-check'
import { expect, test } from 'vitest'
import { inputLines } from './input-lines.ts'
import type { StoredBytes } from './vault.ts'

const stored = (bytes: Buffer): StoredBytes => ({
  at: async (position, length) => bytes.subarray(position, position + length),
  close: async () => {},
})

async function linesOf(text: string | Buffer, maxLineBytes = 1_000_000): Promise<readonly [number, number, string][]> {
  const found: [number, number, string][] = []
  for await (const { number, at, bytes } of inputLines(stored(Buffer.from(text)), maxLineBytes))
    found.push([number, at, bytes.toString()])
  return found
}

test('lines are numbered as editors number them, and lie where they say', async () => {
  expect(await linesOf('a\n\n bb \r\nc')).toEqual([
    [1, 0, 'a'],
    [3, 3, ' bb '],
    [4, 9, 'c'],
  ])
  expect(await linesOf('\ufeff{}\n')).toEqual([[1, 3, '{}']])
  expect(await linesOf('')).toEqual([])
  expect(await linesOf('\n\n')).toEqual([])
})

test('lines of any length come out as splitting the text would give them, across the pieces it is read in', async () => {
  const line = fc.oneof(
    fc.string({ maxLength: 20 }).map((text) => `x${text.replaceAll(/[\r\n]/g, '')}`),
    fc.integer({ min: 60_000, max: 140_000 }).map((count) => 'y'.repeat(count)),
    fc.constant(''),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 6 }), fc.constantFrom('\n', '\r\n'), async (lines, end) => {
      const text = Buffer.from(lines.join(end))
      const found = await linesOf(text)
      expect(found.map(([, , one]) => one)).toEqual(lines.filter((one) => one !== ''))
      for (const [, at, one] of found) expect(text.subarray(at).toString().startsWith(one)).toBe(true)
    }),
    { numRuns: 60 },
  )
})

test('a line above the limit is refused by its number, also when it never ends', async () => {
  const refused = { code: 'request.bad-line', info: { line: 2 } }
  await expect(linesOf(`a\n${'b'.repeat(2_000)}\nc`, 1_000)).rejects.toMatchObject(refused)
  await expect(linesOf(`a\n${'b'.repeat(500_000)}`, 1_000)).rejects.toMatchObject(refused)
})
