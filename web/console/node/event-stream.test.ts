import fc from 'fast-check'
import { expect, test } from 'vitest'
import { eventsOf } from './event-stream.ts'

const EVENTS = [{ a: 1 }, { text: 'grüße 🦋' }, { b: [2] }]
const WIRE = new TextEncoder().encode(
  `${EVENTS.map((event) => `data: ${JSON.stringify(event)}\n\n`).join(': a comment\n\n')}data: [DONE]\n\ndata: {"late":1}\n\n`,
)

async function read(pieces: readonly Uint8Array<ArrayBuffer>[]): Promise<unknown[]> {
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece)
      controller.close()
    },
  })
  const events: unknown[] = []
  for await (const event of eventsOf(new Response(body))) events.push(event)
  return events
}

test('events are the same however the bytes are cut, and end with [DONE]', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(WIRE.length)), async (cuts) => {
      const at = [0, ...cuts.toSorted((a, b) => a - b), WIRE.length]
      expect(await read(at.slice(1).map((end, i) => WIRE.slice(at[i], end)))).toEqual(EVENTS)
    }),
  )
})

test('a stream that ends without [DONE] ends with its last whole event', async () => {
  expect(await read([new TextEncoder().encode('data: {"a":1}\r\n\r\ndata: {"b"')])).toEqual([{ a: 1 }])
})
