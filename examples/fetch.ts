// Plain `fetch` against the HTTP API of a running client node (`npm start` starts one): no library at all.
//   node bin/run.mjs examples/fetch.ts [http://127.0.0.1:10000/v1]
import { nodeUrl, print } from './arguments.ts'

const baseUrl = nodeUrl()
const models = (await (await fetch(`${baseUrl}/models`)).json()) as { data: { id: string }[] }
const model = models.data[0]?.id
if (model === undefined) throw new Error('No worker offers a model yet.')

const response = await fetch(`${baseUrl}/chat/completions`, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({
    model,
    messages: [{ role: 'user', content: 'Count from one to five.' }],
    max_tokens: 50,
    stream: true,
    stream_options: { include_usage: true },
  }),
})
if (!response.ok || response.body === null) throw new Error(`${response.status}: ${await response.text()}`)
print(`at most ${response.headers.get('x-cocoon-max-cost-nano')} nanoTON\n${model}: `)

/** What is read of an event; an error comes as one as well, since the status has been sent by then. */
interface Event {
  readonly error?: { readonly message: string }
  readonly choices?: readonly { readonly delta: { readonly content?: string } }[]
  readonly usage?: { readonly total_cost: number }
}

let unread = ''
let complete = false
for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
  const events = (unread + text).split('\n\n')
  // The last one has not ended yet.
  unread = events.pop() ?? ''
  for (const event of events) {
    const data = event.replace(/^data: ?/, '')
    if (data === '[DONE]') complete = true
    else show(JSON.parse(data) as Event)
  }
}
if (!complete) throw new Error('The stream broke off.')

function show({ error, choices, usage }: Event): void {
  if (error !== undefined) throw new Error(error.message)
  print(choices?.[0]?.delta.content ?? '')
  if (usage) print(`\ncost: ${usage.total_cost} nanoTON\n`)
}
