import fc from 'fast-check'
import { expect, test } from 'vitest'
import { askForUsage } from './ask-for-usage.ts'

const ask = (json: string) => {
  const { body, ...rest } = askForUsage(Buffer.from(json))
  return { body: Buffer.from(body).toString(), ...rest }
}

test.each([
  ['{"stream":true}', '{"stream":true,"stream_options":{"include_usage":true}}', false],
  ['{"stream":true,"stream_options":{}}', '{"stream":true,"stream_options":{"include_usage":true}}', false],
  [
    '{"stream_options":{"include_usage":false,"x":1},"stream": true}',
    '{"stream_options":{"include_usage":true,"x":1},"stream": true}',
    false,
  ],
  ['{"stream":true,"stream_options":{"x":1}}', '{"stream":true,"stream_options":{"x":1,"include_usage":true}}', false],
  ['{"stream":true,"stream_options":null}', '{"stream":true,"stream_options":{"include_usage":true}}', false],
  ['{"stream":true,"stream_options":[]}', '{"stream":true,"stream_options":{"include_usage":true}}', false],
  [
    '{"stream":true,"stream_options":{"include_usage":true}}',
    '{"stream":true,"stream_options":{"include_usage":true}}',
    true,
  ],
])('%s asks the engine for usage', (json, body, callerWantsUsage) => {
  expect(ask(json)).toEqual({ body, callerWantsUsage, streamed: true })
})

test.each([
  ['{"stream":false,"stream_options":{"include_usage":true}}', '{"stream":false}'],
  ['{"stream_options":{},"a":1}', '{"a":1}'],
  ['{"stream":"true"}', '{"stream":"true"}'],
  ['{"stream_options":1,"a":1.0,"stream_options":2,"stream_options":3}', '{"a":1}'],
  ['{"messages":[{"stream":true}]}', '{"messages":[{"stream":true}]}'],
  ['--boundary\r\n', '--boundary\r\n'],
  ['', ''],
  ['{"stream":true', '{"stream":true'],
])('%s is not streamed and has no stream options', (json, body) => {
  expect(ask(json)).toEqual({ body, callerWantsUsage: false, streamed: false })
})

test('a body that already asks is not copied', () => {
  const body = Buffer.from('{"stream":true,"stream_options":{"include_usage":true}}')
  expect(askForUsage(body).body).toBe(body)
})

test('asking twice is asking once, and the rest of any body stays', () => {
  const options = fc.option(fc.oneof(fc.jsonValue(), fc.record({ include_usage: fc.jsonValue() })), { nil: undefined })
  const request = fc.record({
    model: fc.string(),
    messages: fc.jsonValue(),
    stream: fc.oneof(fc.boolean(), fc.jsonValue()),
    stream_options: options,
  })
  fc.assert(
    fc.property(request, (value) => {
      const once = ask(JSON.stringify(value))
      expect(ask(once.body).body).toBe(once.body)
      const { stream_options: before, ...sent } = JSON.parse(JSON.stringify(value)) as Record<string, unknown>
      const { stream_options: after, ...kept } = JSON.parse(once.body) as Record<string, unknown>
      expect(JSON.stringify(kept)).toBe(JSON.stringify(sent))
      if (value.stream === true) expect(after).toMatchObject({ include_usage: true })
      else expect(after).toBeUndefined()
      expect(once.callerWantsUsage).toBe(
        value.stream === true && (before as { include_usage?: unknown } | null | undefined)?.include_usage === true,
      )
    }),
  )
})
