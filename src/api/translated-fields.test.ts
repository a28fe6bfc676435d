/** A refusal of what a request was translated into names the field that its caller wrote. */
import { afterEach, expect, test } from 'vitest'
import { CocoonError } from '../util/index.ts'
import { type ApiUnderTest, apiUnderTest } from './api-under-test.ts'

let api: ApiUnderTest | undefined
afterEach(async () => api?.close())

const RESPONSES = { model: 'm', input: 'hello' }
const MESSAGES = { model: 'm', system: 'Be brief.', max_tokens: 9, messages: [{ role: 'user', content: 'hello' }] }

test.each([
  ['/v1/responses', RESPONSES, 'messages[1].content[0]', 'input'],
  ['/v1/responses', RESPONSES, 'response_format', 'text.format'],
  ['/v1/responses', RESPONSES, 'max_tokens', 'max_output_tokens'],
  ['/v1/responses', RESPONSES, 'tools', 'tools'],
  ['/v1/messages', MESSAGES, 'messages[1].content[0]', 'messages'],
  ['/v1/messages', MESSAGES, 'response_format', 'output_format'],
  ['/v1/messages', MESSAGES, 'max_tokens', 'max_tokens'],
  ['/v1/messages/count_tokens', { ...MESSAGES, max_tokens: undefined }, 'messages[1].content[0]', 'messages'],
])('%s: %j is refused for %s as %s', async (url, payload, field, own) => {
  api = apiUnderTest({
    script: (call) =>
      call.fail(new CocoonError('request.unsupported', { message: `no worker can do this; see ${field}`, field })),
  })
  const reply = await api.app.inject({ method: 'POST', url, payload })
  expect(reply.json().error).toMatchObject({ param: own, message: `no worker can do this; see ${own}` })
})
