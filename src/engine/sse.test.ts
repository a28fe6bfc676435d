import { expect, test } from 'vitest'
import { createEventBoundary, endsWithDone, eventData, eventEnd } from './sse.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

test.each([
  ['data: a\n\ndata: b', 9],
  ['data: a\r\n\r\ndata: b', 11],
  ['data: a\n\r\ndata: b', 10],
  ['data: a\ndata: b\n', 0],
  ['\n', 1],
  ['\r\n', 2],
  ['data: a\r\r', 0],
  ['data: a\n\n\n', 10],
])('%j has its last event boundary at %i, also byte by byte', (stream, at) => {
  expect(createEventBoundary().lastEnd(bytes(stream))).toBe(at)
  const boundary = createEventBoundary()
  let last = 0
  for (let i = 0; i < stream.length; i++) if (boundary.lastEnd(bytes(stream).subarray(i, i + 1)) === 1) last = i + 1
  expect(last).toBe(at)
})

test('events end after their blank line, the last one where the bytes end', () => {
  const stream = bytes(': hi\n\ndata: a\r\nid: 1\r\n\r\n\ndata: b')
  const ends = []
  for (let at = 0; at < stream.length; at = eventEnd(stream, at)) ends.push(eventEnd(stream, at))
  expect(ends).toEqual([6, 24, 25, 32])
})

test.each([
  ['data: {"a":1}\n\n', '{"a":1}'],
  ['data:{"a":1}\r\n\r\n', '{"a":1}'],
  [': c\nevent: x\ndata: 1\nid: 2\ndata:  2\n\n', '1\n 2'],
  ['data:\n\n', ''],
  ['database: 1\ndat\n\n', undefined],
  ['data: cut', 'cut'],
])('the data of %j is %j, each byte with its place', (event, data) => {
  const found = eventData(bytes(event), 0, event.length)
  expect(found && Buffer.from(found.bytes).toString()).toBe(data)
  if (found && data)
    for (let i = 0; i < data.length; i++) if (data[i] !== '\n') expect(event[found.source(i)]).toBe(data[i])
})

test.each([
  ['data: [DONE]\n\n', true],
  ['data:[DONE]\r\n\r\n', true],
  ['data: {}\n\ndata: [DONE]', true],
  ['data: "x[DONE]"\n\n', false],
  ['data: x[DONE]\n\n', false],
  ['\n', false],
  ['', false],
])('%j ends with the last word: %s', (stream, done) => {
  expect(endsWithDone(bytes(stream))).toBe(done)
})
