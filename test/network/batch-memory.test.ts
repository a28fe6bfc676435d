/** Ten thousand lines: what a batch holds in memory follows the lines under way, not the size of its files. */
import { once } from 'node:events'
import http from 'node:http'
import { Readable } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import type { Inference } from '../../src/roles/client/index.ts'
import { utf8 } from '../../src/util/index.ts'
import { startBatchNode } from '../support/batch-node.ts'
import { until } from '../support/network.ts'

const LINES = 10_000
const PROMPT = 'p'.repeat(8_000)
/** Less than either file alone. */
const MOST_HELD = 80_000_000

const TOKENS = { prompt: 1n, cached: 0n, completion: 1n, reasoning: 0n, total: 2n }
const ONES = { prompt: 10_000, cached: 10_000, completion: 10_000, reasoning: 10_000 }
const answer = utf8(
  JSON.stringify({
    choices: [{ index: 0, message: { role: 'assistant', content: 'a'.repeat(8_000) } }],
    usage: { prompt_tokens: 1, completion_tokens: 1 },
  }),
)

/** Answers at once and remembers nothing. */
const inference: Inference = {
  run(_request, sink) {
    const info = { tokens: TOKENS, costNano: 2n, proxyStart: 0, proxyEnd: 0, workerStart: 0, workerEnd: 0 }
    setImmediate(() => {
      const headers = [['content-type', 'application/json']] as const
      sink.head({ status: 200, headers, maxCostNano: 9n, proxy: 'p', evidence: 'simulated' })
      sink.part(answer)
      sink.end(info)
    })
    return { cancel() {}, charge: () => Promise.resolve(info), story: () => ({ queuedMs: null, attempts: [] }) }
  },
  quote: () => ({ maxCostNano: 9n, pricePerTokenNano: 1n, multipliers: ONES }),
  models: () =>
    Promise.resolve({
      models: [
        { id: 'm', workers: [{ coefficient: 1000, runningRequests: 0, maxRunningRequests: 1_000, proxies: ['p'] }] },
      ],
      silent: [],
    }),
}

/** Sends the input while it is made; `fetch` would keep what it has sent. */
async function upload(url: string): Promise<{ readonly id: string; readonly bytes: number }> {
  const headers = { 'content-type': 'multipart/form-data; boundary=XyZ' }
  const request = http.request(`${url}/files`, { method: 'POST', headers })
  const answered = once(request, 'response') as Promise<[http.IncomingMessage]>
  const part = (name: string): string => `--XyZ\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n`
  request.write(`${part('purpose')}batch\r\n${part('file')}`)
  for (let i = 0; i < LINES; i++) {
    const body = { model: 'm', messages: [{ role: 'user', content: PROMPT }], max_tokens: 1 }
    const line = { custom_id: `line-${i}`, method: 'POST', url: '/v1/chat/completions', body }
    if (!request.write(`${JSON.stringify(line)}\n`)) await once(request, 'drain')
  }
  request.end('\r\n--XyZ--\r\n')
  const [response] = await answered
  return (await new Response(Readable.toWeb(response) as ReadableStream).json()) as { id: string; bytes: number }
}

test('ten thousand lines of 8 kB, asked and answered, hold less than one of their files', {
  timeout: 600_000,
}, async () => {
  const node = await startBatchNode({ inference, batch: { maxRunning: 100 } })
  const url = `${await node.api.listen()}/v1`
  // What is held, not what nobody has swept up yet.
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const held = (): number => {
    collect()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const before = held()
  let most = 0
  const watch = setInterval(() => {
    most = Math.max(most, held() - before)
  }, 200)
  const file = await upload(url)
  expect(file.bytes).toBeGreaterThan(MOST_HELD)
  const order = { input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h' }
  const made = await fetch(`${url}/batches`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(order),
  })
  const { id } = (await made.json()) as { id: string }
  await until(() => node.batches.get(null, id).batch.status === 'completed', 'the batch is completed', 540_000)
  const { batch, progress } = node.batches.get(null, id)
  expect(progress).toMatchObject({ total: LINES, completed: LINES, failed: 0, costNano: 2n * BigInt(LINES) })
  let lines = 0
  const content = await fetch(`${url}/files/${batch.outputFile}/content`)
  for await (const chunk of content.body ?? []) for (const byte of chunk as Uint8Array) if (byte === 0x0a) lines++
  clearInterval(watch)
  await node.close()
  expect(lines).toBe(LINES)
  expect(most).toBeLessThan(MOST_HELD)
})
