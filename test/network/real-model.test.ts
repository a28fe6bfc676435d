/** A real engine behind the network: llama.cpp on a generated model, asked through the libraries of OpenAI, Anthropic, Vercel and LangChain. */
import Anthropic from '@anthropic-ai/sdk'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai'
import { embed, generateText, Output, streamText } from 'ai'
import type OpenAI from 'openai'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { type LlamaServer, startLlamaServer } from '../../src/engine/llama/index.ts'
import { chargeOf, settled } from '../support/charges.ts'
import { startNetwork, type TestNetwork, until } from '../support/network.ts'
import { openaiAt, readStream } from '../support/openai.ts'
import { tinyModelPath } from '../support/tiny-model.ts'

let llama: LlamaServer
let network: TestNetwork
let openai: OpenAI

beforeAll(async () => {
  const model = { modelPath: tinyModelPath(), servedModelName: 'tiny', gpu: 'off', threads: 1 } as const
  llama = await startLlamaServer({ ...model, parallel: 2, maxQueued: 16, drainMs: 100 })
  network = await startNetwork({ engineUrl: llama.url, http: true, worker: { model: 'tiny' } })
  openai = openaiAt(network.baseURL)
})
afterEach(() => settled(network))
afterAll(async () => {
  await network?.close()
  await llama?.close()
})

const ASK = { model: 'tiny', messages: [{ role: 'user' as const, content: 'Hello' }], seed: 7, max_tokens: 40 }

test('a chat answer is charged what the engine counted', async () => {
  let total = 0
  const tokens = await chargeOf(network, async () => {
    const answer = await openai.chat.completions.create(ASK)
    expect(answer.choices[0]).toMatchObject({ finish_reason: 'length', message: { content: expect.any(String) } })
    expect(answer.usage).toMatchObject({ completion_tokens: 40, total_cost: 2 * (answer.usage?.total_tokens ?? 0) })
    total = answer.usage?.total_tokens ?? 0
  })
  expect(tokens).toBe(BigInt(total))
})

test('a stream has the text and the usage of the whole answer, and costs the same', async () => {
  const whole = await openai.chat.completions.create(ASK)
  const request = { ...ASK, stream: true as const, stream_options: { include_usage: true } }
  let streamed: Awaited<ReturnType<typeof readStream>> | undefined
  const tokens = await chargeOf(network, async () => {
    streamed = await readStream(await openai.chat.completions.create(request))
  })
  expect(streamed).toMatchObject({ text: whole.choices[0]?.message.content, error: undefined })
  const usage = streamed?.chunks.at(-1)?.usage
  const { prompt_tokens, completion_tokens, total_tokens } = whole.usage ?? {}
  expect(usage).toMatchObject({ prompt_tokens, completion_tokens, total_tokens })
  expect(tokens).toBe(BigInt(total_tokens ?? 0))
})

test('a forced tool is called with arguments that fit its schema', async () => {
  const parameters = {
    type: 'object',
    properties: { unit: { type: 'string', enum: ['celsius', 'fahrenheit'] } },
    required: ['unit'],
    additionalProperties: false,
  }
  const answer = await openai.chat.completions.create({
    ...ASK,
    max_tokens: 200,
    tools: [{ type: 'function', function: { name: 'weather', parameters } }],
    tool_choice: { type: 'function', function: { name: 'weather' } },
  })
  const [call] = answer.choices[0]?.message.tool_calls ?? []
  if (call?.type !== 'function') throw new Error('expected a call of a function')
  expect(call.function.name).toBe('weather')
  expect(['celsius', 'fahrenheit']).toContain((JSON.parse(call.function.arguments) as { unit: string }).unit)
})

test('an answer in a JSON schema fits it', async () => {
  const schema = {
    type: 'object',
    properties: { ok: { type: 'boolean' } },
    required: ['ok'],
    additionalProperties: false,
  }
  const answer = await openai.chat.completions.create({
    ...ASK,
    max_tokens: 200,
    response_format: { type: 'json_schema', json_schema: { name: 'ok', strict: true, schema } },
  })
  expect(JSON.parse(answer.choices[0]?.message.content ?? '')).toEqual({ ok: expect.any(Boolean) })
})

test('embeddings arrive as vectors and are charged by their prompt', async () => {
  let usage = 0
  const tokens = await chargeOf(network, async () => {
    const answer = await openai.embeddings.create({ model: 'tiny', input: ['one', 'two'] })
    expect(answer.data.map((item) => item.embedding.length)).toEqual([64, 64])
    usage = answer.usage.total_tokens
  })
  expect(tokens).toBe(BigInt(usage))
})

test('a caller that leaves stops the generation and pays at most for what was generated', async () => {
  const health = async (): Promise<{ busy: number }> =>
    (await (await fetch(`${llama.url}/health`)).json()) as { busy: number }
  const tokens = await chargeOf(network, async () => {
    const stream = await openai.chat.completions.create({ ...ASK, max_tokens: 1900, stream: true })
    for await (const _ of stream) break
    await until(async () => (await health()).busy === 0, 'the engine is idle', 5_000)
  })
  expect(tokens).toBeLessThan(1500n)
})

const anthropic = () =>
  new Anthropic({ baseURL: network.baseURL.replace(/\/v1$/, ''), apiKey: 'unused', maxRetries: 0 })
const UNIT = {
  type: 'object' as const,
  properties: { unit: { type: 'string', enum: ['celsius', 'fahrenheit'] } },
  required: ['unit'],
  additionalProperties: false,
}
const HELLO = [{ role: 'user' as const, content: 'Hello' }]

test('a message streams a forced tool call whose input fits its schema', async () => {
  const message = await anthropic()
    .messages.stream({
      model: 'tiny',
      max_tokens: 200,
      system: 'Be brief.',
      messages: HELLO,
      tools: [{ name: 'weather', input_schema: UNIT }],
      tool_choice: { type: 'tool', name: 'weather' },
    })
    .finalMessage()
  expect(message.stop_reason).toBe('tool_use')
  expect(message.content).toMatchObject([
    { type: 'tool_use', name: 'weather', input: { unit: expect.stringMatching(/^(celsius|fahrenheit)$/) } },
  ])
})

test('the counted tokens of a prompt are those that a message then has as its input', async () => {
  const prompt = { model: 'tiny', system: 'Be brief.', messages: HELLO }
  const { input_tokens: counted } = await anthropic().messages.countTokens(prompt)
  const { usage } = await anthropic().messages.create({ ...prompt, max_tokens: 1 })
  expect(counted).toBeGreaterThan(0)
  expect(usage.input_tokens + (usage.cache_read_input_tokens ?? 0)).toBe(counted)
})

test('a response streams an answer in a JSON schema and costs what its usage says', async () => {
  let total = 0
  const tokens = await chargeOf(network, async () => {
    const stream = openai.responses.stream({
      model: 'tiny',
      instructions: 'Be brief.',
      input: 'Hello',
      max_output_tokens: 200,
      text: { format: { type: 'json_schema', name: 'unit', strict: true, schema: UNIT } },
    })
    const response = await stream.finalResponse()
    expect(response.status).toBe('completed')
    expect(['celsius', 'fahrenheit']).toContain((JSON.parse(response.output_text) as { unit: string }).unit)
    total = response.usage?.total_tokens ?? 0
  })
  expect(tokens).toBe(BigInt(total))
})

test('the AI SDK streams a text with its usage, gets an object by its schema, and embeds', async () => {
  const options = { name: 'cocoon', baseURL: network.baseURL, includeUsage: true, supportsStructuredOutputs: true }
  const provider = createOpenAICompatible(options)
  const model = provider('tiny')
  const stream = streamText({ model, prompt: 'Hello', maxOutputTokens: 20, maxRetries: 0 })
  let pieces = 0
  for await (const piece of stream.textStream) pieces += piece === '' ? 0 : 1
  expect(pieces).toBeGreaterThan(1)
  expect((await stream.usage).outputTokens).toBe(20)
  const output = Output.object({ schema: OK })
  const { output: object } = await generateText({ model, prompt: 'Ok?', output, maxOutputTokens: 200, maxRetries: 0 })
  expect(object).toEqual({ ok: expect.any(Boolean) })
  const { embedding } = await embed({ model: provider.embeddingModel('tiny'), value: 'one', maxRetries: 0 })
  expect(embedding).toHaveLength(64)
})

test('LangChain’s client streams, gets an object by its schema, and embeds', async () => {
  const common = { model: 'tiny', apiKey: 'unused', maxRetries: 0, configuration: { baseURL: network.baseURL } }
  let pieces = 0
  for await (const { content } of await new ChatOpenAI({ ...common, maxTokens: 20 }).stream('Hello'))
    pieces += content === '' ? 0 : 1
  expect(pieces).toBeGreaterThan(1)
  const structured = new ChatOpenAI({ ...common, maxTokens: 200 }).withStructuredOutput(OK, { method: 'jsonSchema' })
  expect(await structured.invoke('Ok?')).toEqual({ ok: expect.any(Boolean) })
  const embeddings = new OpenAIEmbeddings({ ...common, encodingFormat: 'float' })
  expect(await embeddings.embedQuery('one')).toHaveLength(64)
})
const OK = z.object({ ok: z.boolean() })
