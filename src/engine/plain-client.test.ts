import { once } from 'node:events'
import net from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { type CocoonError, manualClock } from '../util/index.ts'
import { createPlainClient } from './plain-client.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'

/** @param talk gets each socket, what came on it, and how many sockets and requests there were */
async function setup(talk: (socket: net.Socket, facts: { sockets: number; requests: number; text: string }) => void) {
  let [sockets, requests] = [0, 0]
  const closed: number[] = []
  const server = net.createServer((socket) => {
    const number = ++sockets
    cleanups.push(() => socket.destroy())
    socket.on('error', () => {})
    socket.on('close', () => closed.push(number))
    socket.on('data', (data) => talk(socket, { sockets: number, requests: ++requests, text: data.toString('latin1') }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => server.close())
  const clock = manualClock()
  const url = new URL(`http://127.0.0.1:${(server.address() as net.AddressInfo).port}`)
  const client = createPlainClient(url, clock, { maxConnections: 2, connectTimeoutMs: 1000 })
  cleanups.push(() => client.close())
  const ask = (body = '{}'): Promise<string> =>
    new Promise((resolve) => {
      let text = ''
      client.send(
        { method: 'POST', path: '/', headers: ['a', 'b'], body: Buffer.from(body) },
        {
          head() {},
          body: (bytes) => void (text += bytes.toString()),
          end: () => resolve(text),
          fail: (why: CocoonError) => resolve(why.code),
        },
      )
    })
  return { ask, clock, client, closed, sockets: () => sockets, requests: () => requests }
}

test('one connection serves requests that follow each other, and closes when it was idle for long', async () => {
  const { ask, clock, closed, sockets } = await setup((socket) => void socket.write(OK))
  for (let i = 0; i < 3; i++) expect(await ask()).toBe('ok')
  expect(sockets()).toBe(1)
  clock.advance(10_000)
  expect(await ask()).toBe('ok')
  expect(sockets()).toBe(2)
  await expect.poll(() => closed).toEqual([1])
})

test('requests above the most connections wait, and all are answered', async () => {
  const { ask, sockets } = await setup((socket) => void setImmediate(() => socket.write(OK)))
  expect(await Promise.all(Array.from({ length: 20 }, () => ask()))).toEqual(Array.from({ length: 20 }, () => 'ok'))
  expect(sockets()).toBe(2)
})

test('a kept connection that ends under a request costs the request nothing, once', async () => {
  const { ask, sockets, requests } = await setup((socket, { requests: n }) =>
    n === 2 || n > 3 ? void socket.destroy() : void socket.write(OK),
  )
  expect(await ask()).toBe('ok')
  expect(await ask()).toBe('ok')
  expect([sockets(), requests()]).toEqual([2, 3])
  expect(await ask()).toBe('engine.cut-off')
  expect(requests()).toBe(5)
})

test('bytes that nothing was asked for close an idle connection', async () => {
  const { ask, closed, sockets } = await setup((socket) => {
    socket.write(OK)
    setImmediate(() => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged'))
  })
  expect(await ask()).toBe('ok')
  await expect.poll(() => closed).toEqual([1])
  expect(await ask()).toBe('ok')
  expect(sockets()).toBe(2)
})

test('a large body and a small one reach the engine whole', async () => {
  let text = ''
  const { ask } = await setup((socket, facts) => {
    text += facts.text
    if (text.endsWith('END')) socket.write(OK)
  })
  for (const size of [10, 3_000_000]) {
    text = ''
    expect(await ask(`${'x'.repeat(size)}END`)).toBe('ok')
    expect(text).toContain(`content-length: ${size + 3}\r\n\r\n${'x'.repeat(size)}END`)
  }
})

test('an answer that comes before its request has left is given, and its connection not used again', async () => {
  const { ask, sockets } = await setup((socket, { requests }) => {
    if (requests > 1 || sockets() > 1) return void (sockets() > 1 && socket.write(OK))
    socket.pause()
    socket.write('HTTP/1.1 413 x\r\ncontent-length: 5\r\n\r\nlarge')
  })
  expect(await ask('x'.repeat(20_000_000))).toBe('large')
  expect(await ask()).toBe('ok')
  expect(sockets()).toBe(2)
})

test('a connection that has not come about in time is unreachable', async () => {
  const { ask, clock } = await setup((socket) => void socket.write(OK))
  const answer = ask()
  // Before the event loop could say that it is there.
  clock.advance(1000)
  expect(await answer).toBe('engine.unreachable')
})

test('requests fail as aborted after the end, and those that wait fail with it', async () => {
  const { ask, client } = await setup(() => {})
  const answers = Array.from({ length: 5 }, () => ask())
  await client.close()
  expect(new Set(await Promise.all([...answers, ask()]))).toEqual(new Set(['engine.aborted']))
})
