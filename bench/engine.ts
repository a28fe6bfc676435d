/** Helper process: an engine that answers at once, as fast as Node can. Argument: the seed of its texts. */
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  burstEvents,
  eventAround,
  LAST_EVENTS,
  MANNER,
  MODEL,
  SLOW_MS,
  STAMPED_EVENTS,
  stamp,
  wholeAnswer,
} from './answer.ts'

const seed = Number(process.argv[2] ?? 1)
const events = burstEvents(seed)
const whole = wholeAnswer(seed)
const models = JSON.stringify({ object: 'list', data: [{ id: MODEL, object: 'model' }] })

function answerStream(reply: http.ServerResponse, manner: unknown): void {
  if (manner === 'slow') return void setTimeout(answerStream, SLOW_MS, reply, 'burst')
  reply.writeHead(200, { 'content-type': 'text/event-stream' })
  if (manner === 'stamped') return sendStamped(reply, STAMPED_EVENTS)
  if (manner === 'single') return sendSingly(reply, 0)
  for (const event of events) reply.write(event)
  for (const event of LAST_EVENTS) reply.write(event)
  reply.end()
}

/** One a turn of the event loop: each goes out by itself, and other streams' events go out between. */
function sendSingly(reply: http.ServerResponse, sent: number): void {
  const event = events[sent] ?? LAST_EVENTS[sent - events.length]
  if (event === undefined) return void reply.end()
  reply.write(event)
  setImmediate(sendSingly, reply, sent + 1)
}

function sendStamped(reply: http.ServerResponse, left: number): void {
  if (left > 0) {
    reply.write(eventAround(stamp()))
    setTimeout(sendStamped, 1, reply, left - 1)
    return
  }
  for (const event of LAST_EVENTS) reply.write(event)
  reply.end()
}

const server = http.createServer({ keepAliveTimeout: 60_000 }, (request, reply) => {
  if (request.method === 'GET') return void reply.writeHead(200, { 'content-type': 'application/json' }).end(models)
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const body = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>
    if (body['stream'] === true) return answerStream(reply, body[MANNER])
    reply.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(whole) }).end(whole)
  })
})
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }))
process.on('SIGTERM', () => process.exit(0))
process.on('disconnect', () => process.exit(0))
