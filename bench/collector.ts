/** Helper process: takes traces and throws them away. Tells how many messages came to whoever asks. */
import http from 'node:http'
import type { AddressInfo } from 'node:net'

let messages = 0
const server = http.createServer((request, reply) => {
  if (request.method === 'GET') return void reply.end(String(messages))
  messages++
  request.resume()
  request.on('end', () => void reply.writeHead(200, { 'content-type': 'application/json' }).end('{}'))
})
server.listen(0, '127.0.0.1', () =>
  process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces` }),
)
process.on('SIGTERM', () => process.exit(0))
process.on('disconnect', () => process.exit(0))
