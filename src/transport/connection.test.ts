import { type Duplex, duplexPair } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { decodeOneOf, tcpPackets } from '../tl/index.ts'
import { CocoonError, manualClock, silentLog } from '../util/index.ts'
import { type ConnectionOptions, runConnection } from './connection.ts'
import { FrameDecoder, FrameEncoder } from './frames.ts'
import { DEFAULT_LIMITS, DEFAULT_TIMERS } from './limits.ts'
import { noTransportMetrics, type Side } from './metrics.ts'
import { createPacketWriter } from './packets.ts'
import type { Connection, ConnectionHandler, Peer, Reply } from './types.ts'

const PEER: Peer = {
  publicKey: new Uint8Array(32),
  evidence: 'none',
  imageHash: null,
  remote: 'test:1',
  extended: false,
}

interface End {
  readonly connection: Connection
  readonly seen: string[]
  readonly queries: Reply[]
  readonly closed: Promise<CocoonError>
}

/** A session that writes down what it is told. */
function recorder(): { handler(connection: Connection): ConnectionHandler; end(connection: Connection): End } {
  const seen: string[] = []
  const queries: Reply[] = []
  let close: (why: CocoonError) => void
  const closed = new Promise<CocoonError>((resolve) => {
    close = resolve
  })
  return {
    handler: () => ({
      message(data) {
        seen.push(`message ${Buffer.from(data).toString()}`)
      },
      query(data, reply) {
        seen.push(`query ${Buffer.from(data).toString()}`)
        queries.push(reply)
      },
      drained: () => void seen.push('drained'),
      closed: (why) => close(why),
    }),
    end: (connection) => ({ connection, seen, queries, closed }),
  }
}

function optionsFor(side: Side, clock = manualClock(), more: Partial<ConnectionOptions> = {}): ConnectionOptions {
  let next = 0
  const randomBytes = (count: number): Uint8Array => {
    const bytes = Buffer.alloc(count)
    bytes.writeUInt16LE(++next, 0)
    return bytes
  }
  const common = { timers: DEFAULT_TIMERS, limits: DEFAULT_LIMITS, metrics: noTransportMetrics, log: silentLog }
  return { side, peer: PEER, id: 1, clock, randomBytes, ...common, ...more }
}

function open(stream: Duplex, options: ConnectionOptions): Promise<End> {
  const record = recorder()
  return new Promise((resolve, reject) => {
    runConnection(stream, options, {
      opened(connection) {
        resolve(record.end(connection))
        return record.handler(connection)
      },
      failed: reject,
    })
  })
}

async function pair(
  more: Partial<ConnectionOptions> = {},
): Promise<{ us: End; them: End; clock: ReturnType<typeof manualClock> }> {
  const clock = manualClock()
  const [a, b] = duplexPair()
  const [us, them] = await Promise.all([
    open(a, optionsFor('initiator', clock, more)),
    open(b, optionsFor('acceptor', clock, more)),
  ])
  return { us, them, clock }
}

/** A peer made by hand: it writes what it is told and writes down what it gets. */
function scripted(stream: Duplex): { got: string[]; write: ReturnType<typeof createPacketWriter>; stream: Duplex } {
  const got: string[] = []
  const decoder = new FrameDecoder()
  stream.on('error', () => {})
  stream.on('data', (chunk: Buffer) => decoder.push(chunk, (payload) => got.push(decodeOneOf(tcpPackets, payload)._)))
  return { got, write: createPacketWriter(new FrameEncoder()), stream }
}

/** Lets streams and microtasks come to rest. */
const settle = async (): Promise<void> => {
  for (let i = 0; i < 10; i++) await turn()
}

const text = (value: string): Uint8Array => Buffer.from(value)
const WHY = new CocoonError('protocol.aborted', { message: 'the test is over' })

describe('messages', () => {
  test('a thousand messages arrive in their order', async () => {
    const { us, them } = await pair()
    for (let i = 0; i < 1000; i++) us.connection.send(text(`${i}`))
    await settle()
    expect(them.seen).toEqual(Array.from({ length: 1000 }, (_, i) => `message ${i}`))
  })

  test('the frames of one turn leave in one write', async () => {
    const [a, b] = duplexPair()
    const ours = open(a, optionsFor('initiator'))
    const peer = scripted(b)
    b.write(peer.write.connected(1n))
    const us = await ours
    await settle()
    let writes = 0
    b.on('data', () => writes++)
    for (let i = 0; i < 20; i++) us.connection.send(text('token'))
    await settle()
    expect(writes).toBe(1)
    expect(peer.got).toEqual(['tcp.connect', ...Array.from({ length: 20 }, () => 'tcp.packet')])
  })

  test('what waits for the sending comes after what was sent before it, at once where nothing was, and also if it never leaves', async () => {
    const { us, them } = await pair()
    const order: string[] = []
    us.connection.afterSending(() => order.push('nothing to send'))
    expect(order).toEqual(['nothing to send'])
    us.connection.send(text('one'))
    us.connection.afterSending(() => order.push(`${them.seen.length} have arrived`))
    expect(order).toHaveLength(1)
    await settle()
    expect([order[1], them.seen]).toEqual(['1 have arrived', ['message one']])
    us.connection.send(text('two'))
    us.connection.afterSending(() => order.push('closed'))
    us.connection.close(WHY)
    us.connection.afterSending(() => order.push('after the end'))
    await settle()
    expect(order.slice(2).toSorted()).toEqual(['after the end', 'closed'])
  })

  test('what is sent on a closed connection is dropped', async () => {
    const { us, them } = await pair()
    us.connection.close(WHY)
    us.connection.send(text('late'))
    await them.closed
    expect(them.seen).toEqual([])
  })

  test('close lets what is queued leave first', async () => {
    const { us, them } = await pair()
    us.connection.send(text('last words'))
    us.connection.close(WHY)
    expect(us.connection.open).toBe(false)
    expect((await them.closed).code).toBe('protocol.lost')
    expect(them.seen).toEqual(['message last words'])
    expect(await us.closed).toBe(WHY)
  })

  test('what a session throws closes its connection with that error', async () => {
    const [a, b] = duplexPair()
    const broken = new CocoonError('payment.signature')
    const closed = new Promise<CocoonError>((resolve) => {
      runConnection(b, optionsFor('acceptor'), {
        opened: () => ({
          message() {
            throw broken
          },
          query() {},
          closed: resolve,
        }),
        failed() {},
      })
    })
    const us = await open(a, optionsFor('initiator'))
    us.connection.send(text('x'))
    expect(await closed).toBe(broken)
  })

  test('a session that cannot be made fails the greeting with its error', async () => {
    const [a, b] = duplexPair()
    const broken = new CocoonError('capacity.sessions')
    const failed = new Promise<CocoonError>((resolve) => {
      runConnection(b, optionsFor('acceptor'), {
        opened() {
          throw broken
        },
        failed: resolve,
      })
    })
    open(a, optionsFor('initiator')).catch(() => {})
    expect(await failed).toBe(broken)
  })
})

describe('queries', () => {
  test('an answer, a refusal and a second reply', async () => {
    const { us, them } = await pair()
    const first = us.connection.query(text('one'), { timeoutMs: 1000 })
    const second = us.connection.query(text('two'), { timeoutMs: 1000 })
    await settle()
    them.queries[1]?.error(651, 'not now')
    them.queries[0]?.answer(text('yes!'))
    them.queries[0]?.error(0, 'ignored')
    expect(Buffer.from(await first).toString()).toBe('yes!')
    await expect(second).rejects.toMatchObject({
      code: 'protocol.refused',
      info: { remoteCode: 651, message: 'not now' },
    })
  })

  test('no answer in time', async () => {
    const { us, clock } = await pair()
    const asked = us.connection.query(text('one'), { timeoutMs: 5000 })
    clock.advance(5000)
    await expect(asked).rejects.toMatchObject({ code: 'protocol.query-timeout' })
  })

  test('a lost connection rejects what is outstanding at once, and later queries too', async () => {
    const [a, b] = duplexPair()
    const [us] = await Promise.all([open(a, optionsFor('initiator')), open(b, optionsFor('acceptor'))])
    const asked = us.connection.query(text('one'), { timeoutMs: 1_000_000 })
    b.destroy()
    a.destroy()
    await expect(asked).rejects.toMatchObject({ code: 'protocol.lost' })
    await expect(us.connection.query(text('two'), { timeoutMs: 1 })).rejects.toMatchObject({ code: 'protocol.lost' })
  })

  test('more unanswered queries than allowed are refused on both sides', async () => {
    const { us, them } = await pair({ limits: { ...DEFAULT_LIMITS, maxOutstandingQueries: 1 } })
    us.connection.query(text('one'), { timeoutMs: 1000 }).catch(() => {})
    await expect(us.connection.query(text('two'), { timeoutMs: 1000 })).rejects.toMatchObject({
      code: 'capacity.queries',
    })
    await settle()
    expect(them.queries.length).toBe(1)

    const limited = await pair({ limits: { ...DEFAULT_LIMITS, maxInboundQueries: 1 } })
    limited.us.connection.query(text('one'), { timeoutMs: 1000 }).catch(() => {})
    await expect(limited.us.connection.query(text('two'), { timeoutMs: 1000 })).rejects.toMatchObject({
      code: 'protocol.refused',
      info: { remoteCode: 651 },
    })
  })

  test('the same query twice is one query, and an unknown answer is ignored', async () => {
    const [a, b] = duplexPair()
    const theirs = open(b, optionsFor('acceptor'))
    const peer = scripted(a)
    a.write(peer.write.connect(7n))
    a.write(peer.write.query(3n, text('q')))
    a.write(peer.write.query(3n, text('q')))
    a.write(peer.write.queryAnswer(99n, text('a')))
    a.write(peer.write.packet(text('still here')))
    const them = await theirs
    await settle()
    expect(them.seen).toEqual(['query q', 'message still here'])
  })
})

describe('greeting and rules', () => {
  test('an acceptor refuses anything before tcp.connect', async () => {
    const [a, b] = duplexPair()
    const theirs = open(b, optionsFor('acceptor'))
    const peer = scripted(a)
    a.write(peer.write.packet(text('early')))
    await expect(theirs).rejects.toMatchObject({ code: 'protocol.out-of-turn' })
  })

  test('a broken frame closes an open connection with its error', async () => {
    const [a, b] = duplexPair()
    const theirs = open(b, optionsFor('acceptor'))
    const peer = scripted(a)
    a.write(peer.write.connect(7n))
    const them = await theirs
    a.write(peer.write.packet(text('fine')))
    a.write(Buffer.from([4, 0, 0, 0, 9, 0, 0, 0, 1, 2, 3, 4]))
    expect((await them.closed).code).toBe('protocol.frame-seqno')
    expect(them.seen).toEqual(['message fine'])
  })
})

describe('timers', () => {
  test('an initiator pings after 10 s of silence and closes after 20 s without a frame', async () => {
    const clock = manualClock()
    const [a, b] = duplexPair()
    const ours = open(a, optionsFor('initiator', clock))
    const peer = scripted(b)
    b.write(peer.write.connected(1n))
    const us = await ours
    clock.advance(9_999)
    await settle()
    expect(peer.got).toEqual(['tcp.connect'])
    clock.advance(1)
    await settle()
    expect(peer.got).toEqual(['tcp.connect', 'tcp.ping'])
    clock.advance(9_999)
    expect(us.connection.open).toBe(true)
    clock.advance(1)
    expect((await us.closed).code).toBe('protocol.idle')
  })

  test('an initiator that only receives pings every 20 s all the same', async () => {
    const clock = manualClock()
    const [a, b] = duplexPair()
    const ours = open(a, optionsFor('initiator', clock))
    const peer = scripted(b)
    b.write(peer.write.connected(1n))
    await ours
    for (let second = 1; second <= 61; second++) {
      b.write(peer.write.packet(text('token')))
      await settle()
      clock.advance(1000)
    }
    await settle()
    expect(peer.got.filter((name) => name === 'tcp.ping').length).toBe(3)
  })

  test('an acceptor answers pings, never pings, and closes after 60 s without a complete frame', async () => {
    const clock = manualClock()
    const [a, b] = duplexPair()
    const theirs = open(b, optionsFor('acceptor', clock))
    const peer = scripted(a)
    a.write(peer.write.connect(7n))
    const them = await theirs
    a.write(peer.write.ping(1n))
    await settle()
    clock.advance(59_000)
    // Half a frame is no activity.
    a.write(peer.write.packet(text('never complete')).subarray(0, 10))
    await settle()
    clock.advance(1000)
    expect((await them.closed).code).toBe('protocol.idle')
    expect(peer.got).toEqual(['tcp.connected', 'tcp.pong'])
  })
})

describe('a peer that does not read', () => {
  test('makes the connection congested, and drained is called when it reads again', async () => {
    const limits = { ...DEFAULT_LIMITS, highWaterBytes: 100_000 }
    const clock = manualClock()
    const [a, b] = duplexPair()
    const ours = open(a, optionsFor('initiator', clock, { limits }))
    const peer = scripted(b)
    b.write(peer.write.connected(1n))
    const us = await ours
    await settle()
    b.pause()
    let sent = 0
    while (!us.connection.congested) {
      us.connection.send(Buffer.alloc(10_000))
      sent++
      await turn()
    }
    expect(sent).toBeGreaterThanOrEqual(10)
    expect(us.seen).toEqual([])
    b.resume()
    await settle()
    expect(us.seen).toEqual(['drained'])
    expect(us.connection.congested).toBe(false)
  })

  test('is closed when too much waits for it', async () => {
    const limits = { ...DEFAULT_LIMITS, highWaterBytes: 10_000, maxQueuedBytes: 100_000 }
    const [a, b] = duplexPair()
    const ours = open(a, optionsFor('initiator', manualClock(), { limits }))
    const peer = scripted(b)
    b.write(peer.write.connected(1n))
    const us = await ours
    b.pause()
    for (let i = 0; i < 200; i++) us.connection.send(Buffer.alloc(10_000))
    expect((await us.closed).code).toBe('protocol.slow-peer')
  })

  test('a message that fits no frame is refused to its sender and costs no connection', async () => {
    const { us, them } = await pair()
    expect(() => us.connection.send(Buffer.alloc((1 << 24) - 7))).toThrow(
      expect.objectContaining({ code: 'request.message-too-large' }),
    )
    const asked = us.connection.query(Buffer.alloc(1 << 24), { timeoutMs: 1000 })
    await expect(asked).rejects.toMatchObject({ code: 'request.message-too-large' })
    us.connection.send(text('after'))
    await settle()
    expect(them.seen).toEqual(['message after'])
  })
})
