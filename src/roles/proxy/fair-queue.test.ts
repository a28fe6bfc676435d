import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FairQueue } from './fair-queue.ts'

const any = <T>(item: T): T => item

function order(queue: FairQueue<string>): string[] {
  const taken: string[] = []
  for (let next = queue.take(any); next !== null; next = queue.take(any)) taken.push(next.item)
  return taken
}

test('one client’s requests keep their order', () => {
  const queue = new FairQueue<string>(10)
  for (const item of ['a1', 'a2', 'a3']) queue.add('a', 5, item)
  expect(order(queue)).toEqual(['a1', 'a2', 'a3'])
})

test('a client that asks once is next, however many of another wait', () => {
  const queue = new FairQueue<string>(1000)
  for (let i = 0; i < 500; i++) queue.add('flood', 10, `flood ${i}`)
  queue.take(any)
  queue.take(any)
  queue.add('rare', 10, 'rare')
  expect(queue.take(any)?.item).toBe('rare')
})

test('what is shared is cost, not the number of requests', () => {
  const queue = new FairQueue<string>(100)
  for (let i = 0; i < 12; i++) {
    queue.add('small', 1, 's')
    queue.add('large', 4, 'l')
  }
  const first = order(queue).slice(0, 10)
  expect(first.filter((item) => item === 's').length).toBe(8)
})

test('going idle for a moment is no way to the front', () => {
  const queue = new FairQueue<string>(100)
  queue.add('a', 100, 'a1')
  queue.add('b', 1, 'b1')
  queue.add('b', 1, 'b2')
  expect(queue.take(any)?.item).toBe('a1')
  queue.add('a', 1, 'a2')
  expect(order(queue)).toEqual(['b1', 'b2', 'a2'])
})

test('a full queue refuses the next, or pushes out the newest of a client that has far more in it', () => {
  const queue = new FairQueue<string>(3)
  for (const item of ['f1', 'f2', 'f3']) expect(queue.add('flood', 1, item)).toBeNull()
  expect(queue.add('flood', 1, 'f4')?.item).toBe('f4')
  expect(queue.add('rare', 1, 'r1')?.item).toBe('f3')
  expect(order(queue)).toEqual(['f1', 'r1', 'f2'])
})

test('an item that fits nobody does not hold up others', () => {
  const queue = new FairQueue<string>(10)
  queue.add('a', 1, 'dear')
  queue.add('b', 1, 'cheap')
  expect(queue.take((item) => (item === 'cheap' ? item : null))?.item).toBe('cheap')
  expect(queue.size).toBe(1)
})

test('whatever happens, each item leaves exactly once, and the counts are those of the items in it', () => {
  const step = fc.oneof(
    fc.record({
      do: fc.constant('add' as const),
      client: fc.constantFrom('a', 'b', 'c'),
      cost: fc.integer({ min: 1, max: 50 }),
    }),
    fc.record({ do: fc.constantFrom('take' as const, 'remove' as const, 'expire' as const), at: fc.nat(30) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const queue = new FairQueue<number>(8)
      const inside = new Map<number, string>()
      let next = 0
      const gone = (item: number): void => expect(inside.delete(item)).toBe(true)
      for (const s of steps) {
        if (s.do === 'add') {
          inside.set(next, s.client)
          const out = queue.add(s.client, s.cost, next++)
          if (out !== null) gone(out.item)
        } else if (s.do === 'take') {
          const taken = queue.take(any)
          expect(taken === null).toBe(inside.size === 0)
          if (taken !== null) gone(taken.item)
        } else if (s.do === 'remove') {
          const client = inside.get(s.at)
          expect(queue.remove(client ?? 'a', s.at)).toBe(client !== undefined)
          if (client !== undefined) gone(s.at)
        } else for (const item of queue.removeIf((i) => i % 7 === s.at % 7)) gone(item)
        expect(queue.size).toBe(inside.size)
        expect(queue.clients).toBe(new Set(inside.values()).size)
      }
    }),
  )
})
