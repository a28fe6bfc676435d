import { expect, test } from 'vitest'
import { utf8 } from '../../util/index.ts'
import { createPrefixKeys, PrefixMemory } from './prefix-memory.ts'

const keysOf = createPrefixKeys(new Uint8Array(32).fill(1))
const body = (text: string, seed = 1): Uint8Array => utf8(JSON.stringify({ seed, model: 'm', messages: text }))
const system = 'You are a helpful assistant. '.repeat(200)

test('prompts that begin alike share the keys of what they share, and no others', () => {
  const [a, b] = [
    keysOf('c', body(`${system}first`)),
    keysOf('c', body(`${system}second, ${'and longer '.repeat(500)}`)),
  ]
  expect(a.length).toBe(3)
  expect(b.length).toBe(4)
  expect(b.slice(0, 3)).toEqual(a)
  expect(keysOf('c', body(`Other. ${system}`))[0]).not.toBe(a[0])
})

test('members before the prompt do not count', () => {
  expect(keysOf('c', body(system, 1))).toEqual(keysOf('c', body(system, 123_456)))
})

test('the same prompt of another client, or in another process, has other keys', () => {
  const [mine] = keysOf('c', body(system))
  expect(keysOf('d', body(system))).not.toContain(mine)
  expect(createPrefixKeys(new Uint8Array(32).fill(2))('c', body(system))).not.toContain(mine)
})

test('a prompt too short for a cache to matter has no keys', () => {
  expect(keysOf('c', body('Hello'))).toEqual([])
})

test('the worker that saw the longest beginning is recalled, with the share that it saw', () => {
  const memory = new PrefixMemory()
  memory.remember(['1k', '2k'], 7)
  memory.remember(['1k'], 8)
  expect(memory.recall(['1k', '2k', '4k'])).toEqual({ connectionIds: [7], share: 0.5 })
  expect(memory.recall(['1k', 'other'])).toEqual({ connectionIds: [8, 7], share: 0.5 })
  expect(memory.recall(['1k'])).toEqual({ connectionIds: [8, 7], share: 1 })
  expect(memory.recall(['unknown'])).toBeNull()
})

test('the least recently used is forgotten first, and never more is kept than allowed', () => {
  const memory = new PrefixMemory(2)
  memory.remember(['a'], 1)
  memory.remember(['b'], 2)
  memory.remember(['a'], 1)
  memory.remember(['c'], 3)
  expect(memory.size).toBe(2)
  expect(memory.recall(['b'])).toBeNull()
  expect(memory.recall(['a'])).not.toBeNull()
})
