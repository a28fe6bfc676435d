/**
 * The HTTP engine against real sockets on loopback, whichever client it speaks through. One file, for every part of it
 * needs the servers and sinks below.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import net from 'node:net'
import { inspect } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import { type CocoonError, type Log, type Metrics, manualClock, silentLog } from '../util/index.ts'
import { type CreateHttpClient, createHttpEngine, MAX_PART_BYTES } from './http.ts'
import { MODELS_HEAD_TIMEOUT_MS } from './http-models.ts'
import { httpEngineOptions } from './options.ts'
import { type AnswerSink, type Engine, type EngineCall, NO_USAGE, type RawUsage } from './types.ts'

export function httpEngineSuite(createClient: CreateHttpClient): void {
  const cleanups: (() => Promise<void> | void)[] = []
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
  })

  /** An engine written with Node's HTTP server. */
  async function httpServer(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
    const server = createServer(answer)
    cleanups.push(() => {
      server.closeAllConnections()
      server.close()
    })
    return listen(server)
  }

  /** An engine that speaks raw bytes: `talk` runs per request whose head has come. */
  async function rawServer(talk: (socket: net.Socket) => void): Promise<string> {
    const server = net.createServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', (data) => {
        if (data.includes('\r\n\r\n')) talk(socket)
      })
      cleanups.push(() => void socket.destroy())
    })
    cleanups.push(() => void server.close())
    return listen(server)
  }

  async function listen(server: Server | net.Server): Promise<string> {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`
  }

  interface Setup {
    readonly engine: Engine
    readonly clock: ReturnType<typeof manualClock>
    readonly counted: Map<string, number>
    readonly warnings: string[]
  }

  function setup(url: string, options: Record<string, unknown> = {}): Setup {
    const counted = new Map<string, number>()
    const warnings: string[] = []
    const metrics: Metrics = {
      counter: (name) => ({
        add: (n = 1, labels = {}) => {
          const key = [name, ...Object.values(labels)].join(' ')
          counted.set(key, (counted.get(key) ?? 0) + n)
        },
      }),
      gauge() {},
      histogram: () => ({ observe() {} }),
    }
    const log: Log = { ...silentLog, warn: (message) => void warnings.push(message), with: () => log }
    const clock = manualClock()
    const engine = createHttpEngine({ log, metrics, clock }, httpEngineOptions.parse({ url, ...options }), createClient)
    cleanups.push(() => engine.close())
    return { engine, clock, counted, warnings }
  }

  interface Recorded {
    readonly head: { status: number; headers: readonly (readonly [string, string])[] } | undefined
    readonly parts: readonly Buffer[]
    readonly body: string
    readonly usage: RawUsage
    readonly error: CocoonError | undefined
  }

  interface Recorder {
    readonly sink: AnswerSink
    readonly settled: Promise<Recorded>
    readonly firstPart: Promise<void>
    /** How often `end` or `fail` came. */
    readonly ends: () => number
  }

  /** Holds every sink to the contract: head, parts, one end. */
  function recorder(onPart: (bytes: Uint8Array) => boolean = () => true): Recorder {
    let head: Recorded['head']
    const parts: Buffer[] = []
    let ends = 0
    const { promise, resolve } = Promise.withResolvers<Recorded>()
    const first = Promise.withResolvers<void>()
    function finish(usage: RawUsage, error?: Error): void {
      ends++
      resolve({ head, parts, body: Buffer.concat(parts).toString(), usage, error: error as CocoonError | undefined })
    }
    return {
      sink: {
        head(status, headers) {
          if (head !== undefined || ends > 0) throw new Error('head out of turn')
          head = { status, headers }
        },
        part(bytes) {
          if (head === undefined || ends > 0 || bytes.length === 0) throw new Error('part out of turn')
          parts.push(Buffer.from(bytes))
          first.resolve()
          return onPart(bytes)
        },
        end: (usage) => finish(usage),
        fail: (error, usage) => finish(usage, error),
      },
      settled: promise,
      firstPart: first.promise,
      ends: () => ends,
    }
  }

  function call(
    body = '{"stream":true}',
    more: Partial<Omit<EngineCall, 'request'>> & { readonly request?: Partial<EngineCall['request']> } = {},
  ): EngineCall {
    const { request, ...rest } = more
    return {
      cost: () => ({ promptNano: 1n, completionNano: 2n }),
      signal: new AbortController().signal,
      timeoutMs: 60_000,
      ...rest,
      request: {
        method: 'POST',
        path: '/v1/chat/completions',
        headers: [['content-type', 'application/json']],
        body: Buffer.from(body),
        ...request,
      },
    }
  }

  async function answerTo(engine: Engine, made: EngineCall = call()): Promise<Recorded> {
    const { sink, settled } = recorder()
    engine.run(made, sink)
    return settled
  }

  const EVENT = 'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'
  const USAGE = 'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n'
  const DONE = 'data: [DONE]\n\n'
  const JSON_TYPE = { 'content-type': 'application/json' }
  const SSE = { 'content-type': 'text/event-stream' }
  const COUNTED = { ...NO_USAGE, promptTokens: 3, completionTokens: 4 }
  const rawHead = (more: string): string => `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n${more}\r\n\r\n`
  const rawChunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`

  describe('an answer', () => {
    test('streams through with its usage metered and the usage event held back', async () => {
      const { engine, counted } = setup(
        await httpServer((_, response) => response.writeHead(200, SSE).end(EVENT + USAGE + DONE)),
      )
      const answer = await answerTo(engine)
      expect(answer).toMatchObject({ body: EVENT + DONE, usage: COUNTED, error: undefined, head: { status: 200 } })
      expect(counted.get('engine_calls_total answered')).toBe(1)
    })

    test('arrives event by event, not at the end', async () => {
      let go: () => void = () => {}
      const { engine } = setup(
        await httpServer((_, response) => {
          response.writeHead(200, SSE).write(EVENT)
          go = () => response.end(USAGE + DONE)
        }),
      )
      const { sink, firstPart, settled } = recorder()
      engine.run(call(), sink)
      await firstPart
      go()
      expect((await settled).parts.map(String)).toEqual([EVENT, DONE])
    })

    test('as one JSON body gets its cost', async () => {
      const body = '{"choices":[{}],"usage":{"prompt_tokens":3,"completion_tokens":4}}'
      const { engine } = setup(
        await httpServer((_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end(body)),
      )
      const answer = await answerTo(engine, call('{}'))
      expect(answer.usage).toEqual(COUNTED)
      expect(JSON.parse(answer.body)).toMatchObject({ usage: { total_cost: 3 } })
    })

    test('that is an error passes with its status and costs nothing', async () => {
      const body = '{"error":{"message":"overloaded"},"usage":{"prompt_tokens":9}}'
      const { engine, warnings } = setup(
        await httpServer((_, response) => response.writeHead(500, { 'content-type': 'application/json' }).end(body)),
      )
      expect(await answerTo(engine)).toMatchObject({ body, usage: NO_USAGE, error: undefined, head: { status: 500 } })
      expect(warnings).toEqual([])
    })

    test('without usage is delivered, counted, and warned of once', async () => {
      const { engine, counted, warnings } = setup(
        await httpServer((_, response) => response.writeHead(200, SSE).end(EVENT + DONE)),
      )
      for (let i = 0; i < 2; i++) expect(await answerTo(engine)).toMatchObject({ usage: NO_USAGE, error: undefined })
      expect(counted.get('engine_answers_without_usage_total')).toBe(2)
      expect(warnings).toHaveLength(1)
    })

    test('may tell its usage in a header where the body has no place for it, which the caller does not see', async () => {
      const told = { 'x-engine-usage': '{"prompt_tokens":5,"completion_tokens":3}' }
      const text = { 'content-type': 'text/vtt', ...told }
      const { engine, warnings } = setup(await httpServer((_, response) => response.writeHead(200, text).end('WEBVTT')))
      expect(await answerTo(engine)).toMatchObject({
        usage: { promptTokens: 5, completionTokens: 3 },
        error: undefined,
      })
      expect((await answerTo(engine)).head?.headers.map(([name]) => name.toLowerCase())).not.toContain('x-engine-usage')
      expect(warnings).toEqual([])
    })

    test.each<readonly [string, number, Record<string, string>, string, number]>([
      ['beside a usage in the body', 200, JSON_TYPE, '{"usage":{"prompt_tokens":9}}', 9],
      ['of an error', 500, JSON_TYPE, '{}', 0],
      ['of a stream, which has events for it', 200, SSE, EVENT + DONE, 0],
    ])('a usage in the header %s counts nothing', async (_name, status, type, body, promptTokens) => {
      const headers = { ...type, 'x-engine-usage': '{"prompt_tokens":5,"completion_tokens":3}' }
      const { engine } = setup(await httpServer((_, response) => response.writeHead(status, headers).end(body)))
      expect((await answerTo(engine)).usage).toMatchObject({ promptTokens, completionTokens: 0 })
    })

    test.each(['', 'x', '5', 'null', '{"prompt_tokens":-1}'])('a header that says "%s" is no usage', async (told) => {
      const headers = { 'content-type': 'text/plain', 'x-engine-usage': told }
      const { engine } = setup(await httpServer((_, response) => response.writeHead(200, headers).end('text')))
      expect(await answerTo(engine)).toMatchObject({ usage: NO_USAGE, error: undefined })
    })

    test('keeps its headers except those of the connection, lengths and cookies', async () => {
      const { engine } = setup(
        await rawServer((socket) =>
          socket.end(
            'HTTP/1.1 200 OK\r\nX-Id: 1\r\nx-id: 2\r\nSet-Cookie: a\r\nConnection: close, x-hop\r\nX-Hop: 1\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}',
          ),
        ),
      )
      expect((await answerTo(engine)).head?.headers).toEqual([
        ['X-Id', '1'],
        ['x-id', '2'],
        ['Content-Type', 'application/json'],
      ])
    })

    test('of a large document is handed on in parts that fit a frame', async () => {
      const body = JSON.stringify({ data: 'x'.repeat(3 * MAX_PART_BYTES) })
      const { engine } = setup(
        await httpServer((_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end(body)),
      )
      const answer = await answerTo(engine, call('{}'))
      expect(answer.body).toBe(body)
      expect(answer.parts.map((part) => part.length <= MAX_PART_BYTES)).toEqual([true, true, true, true])
    })

    test('after an interim 103 is the final one', async () => {
      const { engine } = setup(
        await rawServer((socket) =>
          socket.end(`HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n${rawHead('connection: close')}${DONE}`),
        ),
      )
      expect(await answerTo(engine)).toMatchObject({ head: { status: 200 }, body: DONE })
    })
  })

  describe('a request', () => {
    async function seen(
      options: Record<string, unknown>,
      made: EngineCall,
      path = '',
    ): Promise<{ request: IncomingMessage; body: string }> {
      const { promise, resolve } = Promise.withResolvers<{ request: IncomingMessage; body: string }>()
      const url = await httpServer((request, response) => {
        const chunks: Buffer[] = []
        request.on('data', (chunk: Buffer) => chunks.push(chunk))
        request.on('end', () => {
          resolve({ request, body: Buffer.concat(chunks).toString() })
          response.end('{}')
        })
      })
      await answerTo(setup(url + path, options).engine, made)
      return promise
    }

    test('asks for usage, for an uncompressed body, and carries none of the caller’s credentials', async () => {
      const headers: [string, string][] = [
        ['Content-Type', 'application/json'],
        ['Authorization', 'Bearer caller'],
        ['Cookie', 'a=b'],
        ['Accept-Encoding', 'gzip'],
        ['Content-Length', '999'],
        ['Transfer-Encoding', 'chunked'],
        ['Host', 'elsewhere'],
        ['Connection', 'keep-alive, X-Hop'],
        ['X-Hop', '1'],
        ['X-Kept', '1'],
      ]
      const { request, body } = await seen({}, call('{"stream":true,"model":"m"}', { request: { headers } }))
      expect(body).toBe('{"stream":true,"model":"m","stream_options":{"include_usage":true}}')
      expect(request.headers).toMatchObject({
        'accept-encoding': 'identity',
        'x-kept': '1',
        'content-length': String(body.length),
      })
      for (const name of ['authorization', 'cookie', 'x-hop', 'transfer-encoding'])
        expect(request.headers[name]).toBeUndefined()
      expect(request.headers.host).toMatch(/^127\.0\.0\.1:/)
    })

    test('carries the operator’s key and headers, and goes below the path of the url', async () => {
      const { request } = await seen(
        { apiKey: 'k', headers: { 'X-Kept': '2' } },
        call('{}', { request: { headers: [['x-kept', '1']] } }),
        '/engine/v1/',
      )
      expect(request.url).toBe('/engine/v1/chat/completions')
      expect(request.headers).toMatchObject({ authorization: 'Bearer k', 'x-kept': '2' })
    })

    test.each([
      ['method', { method: 'CONNECT' }],
      ['path', { path: '/a b' }],
      ['header', { headers: [['x', 'a\r\nb']] as const }],
    ])('with a malformed %s is refused once, after run has returned', async (_, request) => {
      const { engine } = setup('http://127.0.0.1:1')
      const { sink, settled, ends } = recorder()
      engine.run(call('{}', { request }), sink)
      expect(ends()).toBe(0)
      expect((await settled).error?.code).toBe('engine.bad-request')
    })
  })

  describe('an engine that', () => {
    async function failure(talk: (socket: net.Socket) => void, made = call()): Promise<Recorded> {
      return answerTo(setup(await rawServer(talk)).engine, made)
    }

    test('is not there is unreachable', async () => {
      const server = net.createServer()
      const url = await listen(server)
      server.close()
      await once(server, 'close')
      expect((await answerTo(setup(url).engine)).error?.code).toBe('engine.unreachable')
    })

    test.each([
      ['closes before it answers', '', 'engine.cut-off'],
      ['sends something that is no HTTP', 'SSH-2.0-x\r\n\r\n', 'engine.bad-answer'],
      ['closes in a chunked body', rawHead('transfer-encoding: chunked') + rawChunk(EVENT), 'engine.cut-off'],
      [
        'closes in a chunked body of a connection that asked to close',
        rawHead('transfer-encoding: chunked\r\nconnection: close') + rawChunk(EVENT),
        'engine.cut-off',
      ],
      ['sends less than its content-length', `${rawHead('content-length: 999')}${EVENT}`, 'engine.cut-off'],
      [
        'closes in a body that asked to close',
        `${rawHead('content-length: 999\r\nconnection: close')}${EVENT}`,
        'engine.cut-off',
      ],
      [
        'sends a malformed chunk',
        `${rawHead('transfer-encoding: chunked')}${rawChunk(EVENT)}zz\r\n`,
        'engine.bad-answer',
      ],
      [
        'sends headers without end',
        `HTTP/1.1 200 OK\r\n${`x: ${'y'.repeat(1000)}\r\n`.repeat(100)}`,
        'engine.bad-answer',
      ],
      ['compresses regardless', rawHead('content-encoding: gzip\r\ncontent-length: 2') + 'xx', 'engine.bad-answer'],
      ['ends a stream without its last word', rawHead('connection: close') + EVENT, 'engine.stream-cut'],
      [
        'ends a JSON body in the middle',
        'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{"a":',
        'engine.cut-off',
      ],
      [
        'sends an endless event',
        `${rawHead('connection: close')}data: ${'x'.repeat(5 << 20)}`,
        'engine.event-too-large',
      ],
    ])('%s', async (_, bytes, code) => {
      const answer = await failure((socket) => socket.end(bytes))
      expect(answer.error?.code).toBe(code)
      // What the engine sent may be an answer: no error carries it.
      expect(inspect(answer.error, { depth: 9 })).not.toMatch(/SSH-2|content":"x"|zz/)
    })

    test('is cut off after usage has that usage in its failure', async () => {
      const answer = await failure((socket) =>
        socket.end(rawHead('transfer-encoding: chunked') + rawChunk(EVENT + USAGE)),
      )
      expect(answer).toMatchObject({ body: EVENT, usage: COUNTED, error: { code: 'engine.cut-off' } })
    })

    test('sends more than its content-length does not spoil the next answer', async () => {
      const { engine } = setup(
        await rawServer((socket) => socket.write(`${rawHead(`content-length: ${DONE.length}`)}${DONE}surplus`)),
      )
      for (let i = 0; i < 3; i++) expect(await answerTo(engine)).toMatchObject({ body: DONE, error: undefined })
    })

    test.each([
      ['before the head', ''],
      ['within the body', rawHead('transfer-encoding: chunked') + rawChunk(EVENT)],
    ])('stalls %s is given up at the call’s time, and its socket closed', async (_, bytes) => {
      const asked = Promise.withResolvers<net.Socket>()
      const { engine, clock } = setup(await rawServer((socket) => (socket.write(bytes), asked.resolve(socket))))
      const { sink, firstPart, settled } = recorder()
      engine.run(call('{"stream":true}', { timeoutMs: 5_000 }), sink)
      const closed = once(await asked.promise, 'close')
      if (bytes !== '') await firstPart
      clock.advance(5_000)
      expect((await settled).error?.code).toBe('engine.timeout')
      await closed
    })

    test('has closed an idle connection is asked again on a fresh one', async () => {
      let requests = 0
      const { engine } = setup(
        await rawServer((socket) => {
          requests++
          if (requests === 2) socket.destroy()
          else socket.write(rawHead(`content-length: ${DONE.length}`) + DONE)
        }),
      )
      for (let i = 0; i < 2; i++) {
        expect(await answerTo(engine)).toMatchObject({ body: DONE, error: undefined })
        // The pool takes a connection up again one turn of the loop after its answer.
        await new Promise((resolve) => setImmediate(resolve))
      }
      expect(requests).toBe(3)
    })
  })

  describe('giving a call up', () => {
    test('closes the engine’s socket and fails once, with the usage so far', async () => {
      const asked = Promise.withResolvers<net.Socket>()
      const { engine, counted } = setup(
        await rawServer(
          (socket) => (
            socket.write(rawHead('transfer-encoding: chunked') + rawChunk(USAGE + EVENT)), asked.resolve(socket)
          ),
        ),
      )
      const stop = new AbortController()
      const { sink, firstPart, settled, ends } = recorder()
      engine.run(call('{"stream":true}', { signal: stop.signal }), sink)
      const closed = once(await asked.promise, 'close')
      await firstPart
      stop.abort()
      stop.abort()
      expect(await settled).toMatchObject({ usage: COUNTED, error: { code: 'engine.aborted' } })
      await closed
      await engine.close()
      expect(ends()).toBe(1)
      expect(counted.get('engine_calls_total engine.aborted')).toBe(1)
    })

    test('before it began or while it waits for a connection fails it at once, and it never reaches the engine', async () => {
      const paths: (string | undefined)[] = []
      const begun = Promise.withResolvers<ServerResponse>()
      const url = await httpServer((request, response) => (paths.push(request.url), begun.resolve(response)))
      const { engine } = setup(url, { maxConnections: 1 })
      const first = recorder()
      engine.run(call('{}', { request: { path: '/first' } }), first.sink)
      const response = await begun.promise
      const stop = new AbortController()
      const waiting = recorder()
      engine.run(call('{}', { signal: stop.signal, request: { path: '/waiting' } }), waiting.sink)
      stop.abort()
      expect((await waiting.settled).error?.code).toBe('engine.aborted')
      expect((await answerTo(engine, call('{}', { signal: stop.signal }))).error?.code).toBe('engine.aborted')
      response.end('{}')
      await first.settled
      const third = recorder()
      engine.run(call('{}', { request: { path: '/third' } }), third.sink)
      await engine.close()
      expect((await third.settled).error?.code).toBe('engine.aborted')
      expect(paths).not.toContain('/waiting')
    })

    test('by closing the engine ends what runs, and later calls fail', async () => {
      const { engine } = setup(await httpServer((_, response) => void response.writeHead(200, SSE).write(EVENT)))
      const { sink, firstPart, settled } = recorder()
      engine.run(call(), sink)
      await firstPart
      await engine.close()
      expect((await settled).error?.code).toBe('engine.aborted')
      expect((await answerTo(engine)).error?.code).toBe('engine.aborted')
    })

    test('from within part stops the parts', async () => {
      const stop = new AbortController()
      const { engine } = setup(
        await httpServer((_, response) => response.writeHead(200, SSE).end(EVENT + USAGE + DONE)),
      )
      const { sink, settled, ends } = recorder(() => (stop.abort(), true))
      engine.run(call('{"stream":true}', { signal: stop.signal }), sink)
      expect((await settled).parts).toHaveLength(1)
      expect(ends()).toBe(1)
    })
  })

  test('a slow sink stops the reading, and thereby the engine, until it resumes, and nothing is lost', async () => {
    // More than the socket buffers of both ends take, whatever their size.
    const total = 64 << 20
    const block = Buffer.alloc(1 << 16, `: ${'x'.repeat(125)}\n`)
    block.write('\n\n', block.length - 2)
    let written = 0
    const url = await httpServer((request, response) => {
      if (request.method === 'GET') return response.end('{}')
      response.writeHead(200, SSE)
      function write(): void {
        while (written < total) {
          written += block.length
          if (!response.write(block)) {
            response.once('drain', write)
            return
          }
        }
        response.end(USAGE + DONE)
      }
      return write()
    })
    const { engine } = setup(url)
    let parts = 0
    let paused = true
    const { sink, firstPart, settled } = recorder(() => {
      parts++
      return !paused
    })
    const running = engine.run(call(), sink)
    await firstPart
    // Round trips over the same event loop: the stream has every chance to go on, were it not paused.
    for (let i = 0; i < 100; i++) await engine.models(new AbortController().signal)
    expect(parts).toBe(1)
    expect(written).toBeLessThan(total)
    paused = false
    running.resume()
    const answer = await settled
    expect(answer.error).toBeUndefined()
    expect(answer.body.length).toBe(total + DONE.length)
  })

  describe('models', () => {
    const models = async (answer: (response: ServerResponse) => void): Promise<readonly string[]> =>
      setup(await httpServer((_, response) => answer(response))).engine.models(new AbortController().signal)

    test('are the ids of the list', async () => {
      expect(await models((response) => response.end('{"data":[{"id":"a"},{"id":"b"},{},null,{"id":1}]}'))).toEqual([
        'a',
        'b',
      ])
    })

    test('are none when the engine is ready but lists them otherwise', async () => {
      for (const body of ['ok', '{}', 'null', '[]']) expect(await models((response) => response.end(body))).toEqual([])
    })

    test.each([
      ['another status', (response: ServerResponse) => void response.writeHead(503).end(), 'engine.bad-answer'],
      ['a body without end', (response: ServerResponse) => void response.end('x'.repeat(2 << 20)), 'engine.too-large'],
      [
        'a cut body',
        (response: ServerResponse) =>
          void (response.writeHead(200, { 'content-length': 9 }).write('x'), response.destroy()),
        'engine.cut-off',
      ],
    ])('fail with %s', async (_, answer, code) => {
      await expect(models(answer)).rejects.toMatchObject({ code })
    })

    test('fail when the engine stalls, or when given up', async () => {
      const asked = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      let requests = 0
      const { engine, clock } = setup(await httpServer(() => asked[requests++]?.resolve()))
      const stalled = expect(engine.models(new AbortController().signal)).rejects.toMatchObject({
        code: 'engine.timeout',
      })
      await asked[0]?.promise
      clock.advance(MODELS_HEAD_TIMEOUT_MS)
      await stalled
      const stop = new AbortController()
      const given = expect(engine.models(stop.signal)).rejects.toMatchObject({ code: 'engine.aborted' })
      await asked[1]?.promise
      stop.abort()
      await given
    })

    test('answer while all connections for calls are busy', async () => {
      const begun = Promise.withResolvers<void>()
      const url = await httpServer((request, response) =>
        request.method === 'GET' ? response.end('{}') : begun.resolve(),
      )
      const { engine } = setup(url, { maxConnections: 1 })
      engine.run(call(), recorder().sink)
      await begun.promise
      expect(await engine.models(new AbortController().signal)).toEqual([])
    })
  })
}
