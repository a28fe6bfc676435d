/** The bytes of answers, on real sockets. */
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { CocoonError, manualClock } from '../util/index.ts'
import { type ApiUnderTest, apiUnderTest, CHAT, chunk, COMPLETION, DONE, HELLO } from './api-under-test.ts'
import type { ScriptedCall } from './scripted-inference.ts'

const open: { close(): unknown }[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

type Setup = NonNullable<Parameters<typeof apiUnderTest>[0]>

async function serve(setup: Setup): Promise<ApiUnderTest & { readonly port: number }> {
  const api = apiUnderTest(setup)
  open.push(api)
  return { ...api, port: Number(new URL(await api.listen()).port) }
}

function post(body: object = HELLO, path = CHAT, version = '1.1', extra = ''): string {
  const text = JSON.stringify(body)
  return `POST ${path} HTTP/${version}\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n${extra}\r\n${text}`
}

function dial(port: number): Socket {
  const socket = connect(port, '127.0.0.1')
  open.push({ close: () => socket.destroy() })
  return socket
}

/** Everything until the server closes; `close: true` in the request makes it do so. */
function everything(socket: Socket): Promise<{ text: string; aborted: boolean }> {
  return new Promise((resolve) => {
    let text = ''
    let aborted = false
    socket.on('data', (bytes) => (text += bytes.toString('latin1')))
    socket.on('error', () => (aborted = true))
    socket.on('close', () => resolve({ text, aborted }))
  })
}

async function exchange(port: number, request: string): Promise<string> {
  const socket = dial(port)
  socket.write(request)
  return (await everything(socket)).text
}

const CLOSE = 'connection: close\r\n'
const STREAM = { ...HELLO, stream: true }

/** A turn of the event loop: what a script does after it cannot leave in one piece with what it did before. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** The whole body, however its end is told. */
function bodyOf(answer: string): string | undefined {
  const length = /\r\ncontent-length: (\d+)\r\n/.exec(answer)?.[1]
  if (length === undefined) return unchunk(answer)?.body
  const body = answer.slice(answer.indexOf('\r\n\r\n') + 4)
  return body.length === Number(length) ? body : undefined
}

/** The body of a chunked answer; undefined when the last chunk is missing. */
function unchunk(answer: string): { body: string; trailers: string } | undefined {
  let at = answer.indexOf('\r\n\r\n') + 4
  let body = ''
  for (;;) {
    const line = answer.indexOf('\r\n', at)
    const size = Number.parseInt(answer.slice(at, line), 16)
    if (line < 0 || Number.isNaN(size)) return undefined
    if (size === 0) return { body, trailers: answer.slice(line + 2) }
    body += answer.slice(line + 2, line + 2 + size)
    at = line + 2 + size + 2
  }
}

describe('a stream', () => {
  test('passes byte for byte and ends with its price in the trailers', async () => {
    const { port } = await serve({
      async script(call) {
        call.head('text/event-stream; charset=utf-8')
        for (const part of [chunk('a'), chunk('b'), DONE]) {
          call.part(part)
          await turn()
        }
        call.end()
      },
    })
    const answer = await exchange(port, post(STREAM, CHAT, '1.1', CLOSE))
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(answer).toContain('\r\ntrailer: x-cocoon-cost-nano, x-cocoon-tokens, x-cocoon-prompt-tokens, ')
    expect(answer).toContain('\r\nx-accel-buffering: no\r\n')
    const whole = unchunk(answer)
    expect(whole?.body).toBe(chunk('a') + chunk('b') + DONE)
    expect(whole?.trailers.split('\r\n')).toEqual([
      'x-cocoon-cost-nano: 268',
      'x-cocoon-tokens: 134',
      'x-cocoon-prompt-tokens: 23',
      'x-cocoon-cached-tokens: 11',
      'x-cocoon-completion-tokens: 90',
      'x-cocoon-reasoning-tokens: 10',
      '',
      '',
    ])
  })

  test('that is there at once leaves with its length and its price in the headers', async () => {
    const { port } = await serve({
      script(call) {
        call.head('text/event-stream')
        for (const part of [chunk('a'), chunk('b'), DONE]) call.part(part)
        call.end()
      },
    })
    const answer = await exchange(port, post(STREAM, CHAT, '1.1', CLOSE))
    const body = chunk('a') + chunk('b') + DONE
    expect(answer).not.toMatch(/trailer|transfer-encoding/i)
    expect(answer).toContain(`\r\ncontent-length: ${body.length}\r\n`)
    expect(answer).toContain('\r\nx-cocoon-cost-nano: 268\r\n')
    expect(bodyOf(answer)).toBe(body)
  })

  test.each([
    ['data: {"a":1}\n\n', ''],
    ['data: {"a":1}\n', '\n\n'],
    ['data: {"a"', '\n\n'],
    ['data: {"a":1}\r\n\r\n', ''],
    ['', ''],
  ])('that fails after %j goes on with %j before the error event', async (sent, between) => {
    const { port } = await serve({
      script(call) {
        call.head('text/event-stream')
        call.part(sent)
        call.fail(new CocoonError('protocol.closed', { message: 'Gone.' }))
      },
    })
    const error = { error: { message: 'Gone.', type: 'server_error', param: null, code: 'protocol.closed' } }
    expect(bodyOf(await exchange(port, post(STREAM, CHAT, '1.1', CLOSE)))).toBe(
      `${sent}${between}data: ${JSON.stringify(error)}\n\n`,
    )
  })

  test.each([
    ['data: [DONE]\n\n', ''],
    ['data:[DONE]\r\n\r\n', ''],
    ['data: [DONE]', '\n\n'],
  ])('ending in %j is complete and gets %j after it', async (last, added) => {
    const { port } = await serve({
      script(call) {
        call.head('text/event-stream')
        call.part(chunk('a'))
        for (const byte of Buffer.from(last)) call.part(Buffer.of(byte))
        call.end()
      },
    })
    expect(bodyOf(await exchange(port, post(STREAM, CHAT, '1.1', CLOSE)))).toBe(chunk('a') + last + added)
  })

  test('that only talks about [DONE] has not ended', async () => {
    const { port } = await serve({
      script(call) {
        call.head('text/event-stream')
        call.part('data: {"content":"data: [DONE]')
        call.end()
      },
    })
    expect(bodyOf(await exchange(port, post(STREAM, CHAT, '1.1', CLOSE)))).toContain('engine.stream-cut')
  })

  test('whose caller leaves after [DONE] is not cancelled: it has everything, only its cost is missing', async () => {
    const calls: ScriptedCall[] = []
    const api = await serve({
      script(call) {
        calls.push(call)
        call.head('text/event-stream')
        call.part(DONE)
      },
    })
    const socket = dial(api.port)
    socket.write(post(STREAM))
    await new Promise((resolve) => socket.once('data', resolve))
    socket.destroy()
    expect(await api.drain(5_000)).toBe(true)
    expect(calls[0]?.cancelled).toBe(false)
    calls[0]?.end()
  })

  test('of bare JSON lines passes as it arrives, and an unfinished one is an aborted transfer', async () => {
    const calls: ScriptedCall[] = []
    const { port } = await serve({
      script(call) {
        calls.push(call)
        call.head('application/json')
        call.part('{"delta":"a"}\n')
      },
    })
    for (const finish of ['end', 'fail'] as const) {
      const socket = dial(port)
      const closed = everything(socket)
      socket.write(post(STREAM, CHAT, '1.1', CLOSE))
      await new Promise((resolve) => socket.once('data', resolve))
      const call = calls.pop() as ScriptedCall
      if (finish === 'end') call.end()
      else call.fail(new CocoonError('engine.cut-off'))
      const whole = unchunk((await closed).text)
      expect(whole?.body).toBe(finish === 'end' ? '{"delta":"a"}\n' : undefined)
    }
  })

  test('to HTTP/1.0 has neither chunks nor trailers', async () => {
    const { port } = await serve({
      script(call) {
        call.head('text/event-stream')
        call.part(DONE)
        call.end()
      },
    })
    const answer = await exchange(port, post(STREAM, CHAT, '1.0'))
    expect(answer).not.toMatch(/trailer|transfer-encoding/i)
    expect(answer.endsWith(`\r\n\r\n${DONE}`)).toBe(true)
  })

  test('that nobody reads is cancelled at the limit and cut off', async () => {
    const megabyte = Buffer.alloc(1 << 20, 'x')
    const begun: ScriptedCall[] = []
    const { port } = await serve({
      options: { maxUndeliveredBytes: 1 << 20 },
      script(call) {
        begun.push(call)
        call.head('text/event-stream')
        // More than both kernels' buffers take together with the limit.
        for (let i = 0; i < 64 && !call.cancelled; i++) call.part(megabyte)
      },
    })
    const socket = dial(port)
    socket.pause()
    const closed = everything(socket)
    socket.pause()
    socket.write(post(STREAM))
    while (begun.length === 0) await new Promise((resolve) => setImmediate(resolve))
    await begun[0]?.whenCancelled
    socket.resume()
    expect(bodyOf((await closed).text)).toBeUndefined()
  })

  test('whose rest the caller does not take is closed after the delivery time', async () => {
    const clock = manualClock()
    const { port } = await serve({
      clock,
      options: { deliveryTimeoutMs: 1000 },
      script(call) {
        call.head('text/event-stream')
        call.part(Buffer.alloc(12 << 20, 'x'))
        call.part(`\n\n${DONE}`)
        call.end()
        clock.advance(1001)
      },
    })
    const socket = dial(port)
    const closed = everything(socket)
    socket.pause()
    socket.write(post(STREAM))
    socket.resume()
    expect(bodyOf((await closed).text)).toBeUndefined()
  })
})

describe('a whole answer', () => {
  test('longer than what is held back turns into chunks with the price in the trailers', async () => {
    const { port } = await serve({
      options: { maxBufferedBytes: 10 },
      async script(call) {
        call.head()
        for (const part of ['{"a":', '"0123456789"', '}']) call.part(part)
        await turn()
        call.end()
      },
    })
    const whole = unchunk(await exchange(port, post(HELLO, CHAT, '1.1', CLOSE)))
    expect(whole?.body).toBe('{"a":"0123456789"}')
    expect(whole?.trailers).toContain('x-cocoon-cost-nano: 268')
  })

  test('does not change when the bytes it came in are used again', async () => {
    const { port } = await serve({
      script(call) {
        const lent = Buffer.from('{"a":1}')
        call.head()
        call.part(lent)
        lent.fill(0)
        call.end()
      },
    })
    expect(await exchange(port, post(HELLO, CHAT, '1.1', CLOSE))).toMatch(/\{"a":1\}$/)
  })

  test('keeps what a worker may say in headers and drops the rest', async () => {
    const { port } = await serve({
      script(call) {
        call.head('application/json', 200, [
          ['X-Cocoon-Worker-Start', '1.000000'],
          ['x-cocoon-proxy-end', '2.000000'],
          ['Set-Cookie', 'a=1'],
          ['Transfer-Encoding', 'chunked'],
          ['Content-Length', '3'],
          ['Connection', 'close'],
          ['Access-Control-Allow-Origin', '*'],
          ['X-Accel-Redirect', '/etc/passwd'],
          ['Location', 'http://elsewhere/'],
          ['x-cocoon-cost-nano', '1'],
          ['x-request-id', 'theirs'],
          ['x-ratelimit-a', 'split\r\nset-cookie: b=2'],
          ['openai-bad name', '1'],
          ['server-timing', 'ok'],
        ])
        call.part('{}')
        call.end()
      },
    })
    const answer = await exchange(port, post(HELLO, CHAT, '1.1', CLOSE))
    const names = answer
      .split('\r\n\r\n')[0]
      ?.split('\r\n')
      .slice(1)
      .map((line) => line.split(':')[0]?.toLowerCase())
    expect(names).toEqual(expect.arrayContaining(['x-cocoon-worker-start', 'x-cocoon-proxy-end', 'server-timing']))
    for (const name of [
      'set-cookie',
      'transfer-encoding',
      'access-control-allow-origin',
      'x-accel-redirect',
      'location',
    ])
      expect(names).not.toContain(name)
    expect(answer).not.toMatch(/x-ratelimit|theirs|openai-bad/)
    expect(names?.filter((name) => name === 'x-cocoon-cost-nano' || name === 'content-length')).toHaveLength(2)
  })

  test.each([100, 301, 307, 700, 0, 200.5])('of status %d is refused and cancelled', async (status) => {
    const { port, inference } = await serve({ script: (call) => call.head('application/json', status) })
    const answer = await exchange(port, post(HELLO, CHAT, '1.1', CLOSE))
    expect(answer).toMatch(/^HTTP\/1\.1 502 /)
    expect(answer).toContain('engine.bad-answer')
    expect(inference.calls[0]?.cancelled).toBe(true)
  })

  test('carries what the hops measured, with enable_debug', async () => {
    const { port } = await serve({
      script(call) {
        call.head()
        call.part(`${COMPLETION}\n`)
        call.end({ proxyDebug: '{"type":"proxy_stats"}', workerDebug: 'not JSON' })
      },
    })
    const answer = await exchange(port, post({ ...HELLO, enable_debug: true }, CHAT, '1.1', CLOSE))
    const body = answer.slice(answer.indexOf('\r\n\r\n') + 4)
    expect(answer).toContain(`content-length: ${body.length}\r\n`)
    const { debug, ...rest } = JSON.parse(body) as { debug: { client: object; proxy: object } }
    expect(rest).toEqual(JSON.parse(COMPLETION))
    expect(debug).toMatchObject({ client: { type: 'client_stats' }, proxy: { type: 'proxy_stats' } })
    expect(debug).not.toHaveProperty('worker')
  })

  test('that never comes is given up a little after its time', async () => {
    const clock = manualClock()
    const { port, inference } = await serve({ clock, script: () => void setImmediate(() => clock.advance(8_001)) })
    const answer = await exchange(port, post({ ...HELLO, timeout: 3 }, CHAT, '1.1', CLOSE))
    expect(answer).toMatch(/^HTTP\/1\.1 504 /)
    expect(inference.calls[0]?.cancelled).toBe(true)
  })
})

describe('a connection', () => {
  test('answers pipelined requests in order, whichever is done first', async () => {
    const calls: ScriptedCall[] = []
    const { port } = await serve({
      script(call) {
        calls.push(call)
        if (calls.length < 2) return
        for (const [i, one] of [...calls].reverse().entries()) {
          one.head()
          one.part(`{"answer":${2 - i}}`)
          one.end()
        }
      },
    })
    const answer = await exchange(port, post() + post(HELLO, CHAT, '1.1', CLOSE))
    expect(answer.match(/"answer":\d/g)).toEqual(['"answer":1', '"answer":2'])
  })

  test('serves a second request after the first, with nothing of the first answer in it', async () => {
    let count = 0
    const { port } = await serve({
      script(call) {
        count++
        call.head('application/json', 200, count === 1 ? [['openai-organization', 'first']] : [])
        call.part('{}')
        call.end()
      },
    })
    const socket = dial(port)
    const closed = everything(socket)
    socket.write(post())
    await new Promise((resolve) => socket.once('data', resolve))
    socket.write(post(HELLO, CHAT, '1.1', CLOSE))
    const answers = (await closed).text.split('HTTP/1.1 200 OK').slice(1)
    expect(answers.map((answer) => answer.includes('openai-organization'))).toEqual([true, false])
  })

  test('with garbage on it is told so and closed, and the server lives on', async () => {
    const { port, inference } = await serve({
      script(call) {
        call.head()
        call.part('{}')
        call.end()
      },
    })
    for (const garbage of [
      '\x16\x03\x01\x02\x00\x01\x00\x01',
      'GARBAGE\r\n\r\n',
      'GET / HTTP/9.9\r\n\r\n',
      '\0\0\0\0\r\n\r\n',
    ])
      expect(await exchange(port, garbage)).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n[^]*"code":"request.bad-http"/)
    const long = `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`
    expect(await exchange(port, long)).toMatch(/^HTTP\/1\.1 431 [^]*"code":"request.headers-too-large"/)
    const both = 'content-length: 2\r\ntransfer-encoding: chunked\r\nhost: a\r\n'
    expect(await exchange(port, `POST ${CHAT} HTTP/1.1\r\n${both}\r\n0\r\n\r\n`)).toMatch(/^HTTP\/1\.1 400 /)
    expect(inference.calls).toHaveLength(0)
    expect(await exchange(port, post(HELLO, CHAT, '1.1', CLOSE))).toMatch(/^HTTP\/1\.1 200 /)
  })

  test('whose headers do not arrive in time is told so', async () => {
    const { port } = await serve({ options: { headersTimeoutMs: 100, requestTimeoutMs: 150 } })
    expect(await exchange(port, 'GET /healthz HTTP/1.1\r\nhost: loc')).toMatch(/^HTTP\/1\.1 408 /)
    expect(await exchange(port, `${post().slice(0, -5)}`)).toMatch(/^HTTP\/1\.1 408 /)
  })

  test('that goes away while its body is sent leaves nothing behind', async () => {
    const api = await serve({})
    const socket = dial(api.port)
    await new Promise<void>((resolve) => socket.write(post().slice(0, -5), () => resolve()))
    // By its answer the server has seen what came before.
    await fetch(`http://127.0.0.1:${api.port}/healthz`)
    socket.destroy()
    expect(await api.drain(5_000)).toBe(true)
    expect(api.inference.calls).toHaveLength(0)
  })
})
