// Asking and paying on a network on TON, in one process: a deposit, an answer, its cost, and the rest of the money back.
//   COCOON_KEY_FILE=keys/client.key COCOON_OWNER=UQ… node bin/run.mjs examples/on-chain.ts mainnet
// On devnet and testnet COCOON_ROOT names the network's root contract; COCOON_TON_ENDPOINTS names other endpoints.
import { readFileSync } from 'node:fs'
import { createClient } from 'cocoon'
import OpenAI from 'openai'
import { chainOptions, print } from './arguments.ts'

const { keyFile, ownerAddress, ...network } = chainOptions()
const wallet = { key: readFileSync(keyFile, 'utf8'), ownerAddress, statePath: 'cocoon-wallet' }
await using cocoon = createClient({ ...network, wallet })
print(`the wallet that pays: ${cocoon.status().owner}\n`)

// The first time this puts a deposit into a contract at the proxy; an empty wallet is told here what it needs.
await cocoon.ready(AbortSignal.timeout(300_000))
const [model] = await cocoon.models()
if (model === undefined) throw new Error('No worker offers a model yet.')

const openai = new OpenAI({ baseURL: 'http://cocoon/v1', apiKey: 'unused', fetch: cocoon.fetch })
const { data, response } = await openai.chat.completions
  .create({
    model: model.id,
    messages: [{ role: 'user', content: 'Say hello in one short sentence.' }],
    max_tokens: 50,
  })
  .withResponse()
const cost = await cocoon.costOf(response)
print(`${model.id}: ${data.choices[0]?.message.content}\ncost: ${cost?.costNano} nanoTON for ${cost?.tokens} tokens\n`)

// Accounts stay open for the next time. Who has no next time takes the rest out; a closed account stays closed.
if (process.argv.includes('--leave')) {
  await cocoon.leave()
  print('the rest of the deposit is on its way to the wallet\n')
}
