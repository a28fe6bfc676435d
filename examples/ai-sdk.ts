// The AI SDK (`ai` and `@ai-sdk/openai-compatible`) on Cocoon, in one process.
//   node bin/run.mjs examples/ai-sdk.ts NETWORK_FILE
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText, streamText } from 'ai'
import { createClient } from 'cocoon'
import { networkFile, print } from './arguments.ts'

await using cocoon = createClient({ network: networkFile() })
await cocoon.ready()
const [offer] = await cocoon.models()
if (offer === undefined) throw new Error('No worker offers a model yet.')

const provider = createOpenAICompatible({
  name: 'cocoon',
  baseURL: 'http://cocoon/v1',
  fetch: cocoon.fetch,
  includeUsage: true,
})
const model = provider(offer.id)

const { text } = await generateText({ model, prompt: 'Say hello in one short sentence.', maxOutputTokens: 50 })
print(`${offer.id}: ${text}\n`)

const answer = streamText({ model, prompt: 'Count from one to five.', maxOutputTokens: 50 })
print('streamed: ')
for await (const piece of answer.textStream) print(piece)
const usage = await answer.usage
print(`\ntokens: ${usage.inputTokens} in, ${usage.outputTokens} out\n`)
