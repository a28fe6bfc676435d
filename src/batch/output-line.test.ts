import { expect, test } from 'vitest'
import { outputLine } from './output-line.ts'

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

test('an answer stands on one line, and its numbers keep all their digits', () => {
  const body = Buffer.from('{\r\n  "seed": 12345678901234567890,\n  "text": "a\\nb"\n}')
  const line = text(outputLine('batch_7', 3, 'q "1"', { response: { status: 200, request: 'r1', body } }))
  expect(line).not.toMatch(/[\r\n]/)
  expect(line).toContain('12345678901234567890')
  expect(JSON.parse(line)).toMatchObject({
    id: 'batch_req_7_3',
    custom_id: 'q "1"',
    response: { status_code: 200, request_id: 'r1', body: { text: 'a\nb' } },
    error: null,
  })
})

test('a line that was never asked has an error and no response', () => {
  const error = { code: 'batch_expired', message: 'too late' }
  expect(JSON.parse(text(outputLine('batch_7', 3, 'a', { error })))).toEqual({
    id: 'batch_req_7_3',
    custom_id: 'a',
    response: null,
    error,
  })
})
