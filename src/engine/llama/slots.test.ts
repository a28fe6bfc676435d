import { describe, expect, test } from 'vitest'
import { createSlots } from './slots.ts'

const never = new AbortController().signal
const make = (seen: readonly (readonly number[])[], maxQueued = 2) => createSlots(seen, maxQueued, (tokens) => tokens)

describe('slots', () => {
  test('the place that knows most of the prompt is taken', async () => {
    const slots = make([[1, 2], [1, 2, 3], [9]])
    expect((await slots.acquire([1, 2, 3, 4], '', never)).sequence).toEqual([1, 2, 3])
  })

  test('another salt sees nothing of what a place knows', async () => {
    const slots = make([[7], [1, 2, 3]])
    expect((await slots.acquire([1, 2, 3], 'other', never)).sequence).toEqual([7])
  })

  test('who waits is served in order', async () => {
    const slots = make([[0]])
    const first = await slots.acquire([], '', never)
    const order: string[] = []
    const second = slots.acquire([], '', never).then((slot) => (order.push('second'), slot))
    const third = slots.acquire([], '', never).then((slot) => (order.push('third'), slot))
    expect(slots.queued).toBe(2)
    slots.release(first)
    slots.release(await second)
    await third
    expect(order).toEqual(['second', 'third'])
  })

  test('who leaves the queue is forgotten', async () => {
    const slots = make([[0]])
    const first = await slots.acquire([], '', never)
    const controller = new AbortController()
    const waiting = slots.acquire([], '', controller.signal)
    controller.abort(new Error('left'))
    await expect(waiting).rejects.toThrow('left')
    slots.release(first)
    expect([slots.busy, slots.queued]).toEqual([0, 0])
  })

  test('more than places and queue hold together are refused', async () => {
    const slots = make([[0]], 2)
    slots.admit(3)
    expect(() => slots.admit(4)).toThrowError(expect.objectContaining({ code: 'capacity.queue-full' }))
    await slots.acquire([], '', never)
    expect(() => slots.admit(3)).toThrowError(expect.objectContaining({ code: 'capacity.queue-full' }))
  })
})
