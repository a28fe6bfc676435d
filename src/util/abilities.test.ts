import { expect, test } from 'vitest'
import { abilitiesFrom, firstOf } from './abilities.ts'

test('words that nobody here knows, and values that are no words, are left out', () => {
  expect(abilitiesFrom(['tools', 'teleport', 7, null], ['__proto__', 'vision'], 4096)).toEqual({
    can: ['tools'],
    cannot: ['vision'],
    contextLength: 4096,
  })
})

test('who says both says that it can', () => {
  expect(abilitiesFrom(['tools'], ['tools'], null)).toMatchObject({ can: ['tools'], cannot: [] })
})

test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 1e12, '4096', undefined])(
  'a context of %s is none',
  (length) => {
    expect(abilitiesFrom([], [], length).contextLength).toBeNull()
  },
)

test('the first word counts, the second fills what it leaves open', () => {
  const first = abilitiesFrom(['vision'], ['tools'], null)
  const second = abilitiesFrom(['tools', 'chat'], ['vision', 'rerank'], 100)
  expect(firstOf(first, second)).toEqual({ can: ['chat', 'vision'], cannot: ['rerank', 'tools'], contextLength: 100 })
})
