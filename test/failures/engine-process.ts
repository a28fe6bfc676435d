/**
 * Helper process: an engine of ten words, some milliseconds apart, that say which question they answer. Arguments: port, name of
 * the model. It lives until it is killed or its parent is gone.
 */
import http from 'node:http'
import { answerTo, USAGE, WORD_EVERY_MS } from './questions.ts'

const [port, model] = process.argv.slice(2)
const SSE = { 'content-type': 'text/event-stream' }
const JSON_TYPE = { 'content-type': 'application/json' }

const server = http.createServer((request, reply) => {
  if (request.method === 'GET')
    return void reply.writeHead(200, JSON_TYPE).end(JSON.stringify({ object: 'list', data: [{ id: model }] }))
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const body = JSON.parse(Buffer.concat(chunks).toString()) as {
      readonly stream?: boolean
      readonly messages: readonly { readonly content: string }[]
    }
    const words = answerTo(body.messages[0]?.content ?? '')
    if (body.stream === true) return void stream(reply, words)
    const whole = { choices: [{ index: 0, message: { role: 'assistant', content: words.join('') } }], usage: USAGE }
    setTimeout(() => reply.writeHead(200, JSON_TYPE).end(JSON.stringify(whole)), WORD_EVERY_MS * words.length)
  })
})

async function stream(reply: http.ServerResponse, words: readonly string[]): Promise<void> {
  for (const [i, content] of words.entries()) {
    await new Promise((resolve) => setTimeout(resolve, WORD_EVERY_MS))
    if (reply.destroyed) return
    if (i === 0) reply.writeHead(200, SSE)
    reply.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`)
  }
  reply.write(`data: ${JSON.stringify({ choices: [], usage: USAGE })}\n\n`)
  reply.end('data: [DONE]\n\n')
}

server.listen(Number(port), '127.0.0.1', () => process.send?.('ready'))
process.on('disconnect', () => process.exit(0))
