// The `openai` package on Cocoon, in one process: no node beside it, no port.
//   node bin/run.mjs examples/openai-sdk.ts NETWORK_FILE
import { createClient } from 'cocoon'
import OpenAI from 'openai'
import { networkFile, print } from './arguments.ts'

await using cocoon = createClient({ network: networkFile() })
await cocoon.ready()
const [model] = await cocoon.models()
if (model === undefined) throw new Error('No worker offers a model yet.')

// The host in baseURL is a placeholder: nothing is looked up, requests go to `cocoon.fetch`.
const openai = new OpenAI({ baseURL: 'http://cocoon/v1', apiKey: 'unused', fetch: cocoon.fetch })

const whole = await openai.chat.completions.create({
  model: model.id,
  messages: [{ role: 'user', content: 'Say hello in one short sentence.' }],
  max_tokens: 50,
})
print(`${model.id}: ${whole.choices[0]?.message.content}\n`)

const { data: stream, response } = await openai.chat.completions
  .create({
    model: model.id,
    messages: [{ role: 'user', content: 'Count from one to five.' }],
    max_tokens: 50,
    stream: true,
  })
  .withResponse()
print('streamed: ')
for await (const chunk of stream) print(chunk.choices[0]?.delta.content ?? '')
const cost = await cocoon.costOf(response)
print(
  `\ncost: ${cost?.costNano} nanoTON for ${cost?.tokens} tokens, evidence: ${response.headers.get('x-cocoon-evidence')}\n`,
)
