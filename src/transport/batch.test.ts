import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Batch } from './batch.ts'

test('what was written into the rooms comes out in order, batch after batch', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 5000 }), { maxLength: 30 })
  fc.assert(
    fc.property(fc.array(sizes, { maxLength: 5 }), (batches) => {
      const batch = new Batch()
      for (const frames of batches) {
        const written = frames.map((size, i) => Buffer.alloc(size, i + 1))
        for (const bytes of written) batch.room(bytes.length).set(bytes)
        expect([batch.frames, batch.bytes]).toEqual([frames.length, frames.reduce((a, b) => a + b, 0)])
        expect(batch.take().equals(Buffer.concat(written))).toBe(true)
        expect([batch.frames, batch.bytes]).toEqual([0, 0])
      }
    }),
  )
})

test('a batch as large as the one before it is not copied', () => {
  const batch = new Batch()
  for (let round = 0; round < 3; round++) {
    const rooms = Array.from({ length: 20 }, () => batch.room(5000))
    const all = batch.take()
    if (round > 0) expect(rooms.every((room) => room.buffer === all.buffer)).toBe(true)
  }
})
