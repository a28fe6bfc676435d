/** Real sockets on loopback: what a listener and a dialler do with peers that behave and with those that do not. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import net from 'node:net'
import tls from 'node:tls'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { createIdentity, createVerifier, type EvidenceKind } from '../../src/tee/index.ts'
import {
  type Connection,
  type ConnectionHandler,
  createPowSolver,
  createTransportMetrics,
  type DialOptions,
  dial,
  type Listener,
  type ListenOptions,
  listen,
  type TransportMetrics,
} from '../../src/transport/index.ts'
import { CocoonError, manualClock, noMetrics } from '../../src/util/index.ts'

const HOST = '127.0.0.1'
const EASY = { powDifficulty: 4 }
const solver = createPowSolver({ threads: 1 })
const identity = createIdentity({ evidence: 'simulated' })
const accepting = (...accept: EvidenceKind[]) => createVerifier({ accept })
const vector = (name: string): string =>
  readFileSync(new URL(`../../spec/vectors/ratls/${name}.pem`, import.meta.url), 'utf8')

const opened: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of opened.splice(0)) await close()
})
afterAll(() => solver.close())

/** Reasons of refusals, each awaited instead of slept for. */
function watch(): { metrics: TransportMetrics; refused(side?: string): Promise<string> } {
  const reasons: string[] = []
  let wake: (() => void) | null = null
  const metrics = createTransportMetrics(noMetrics)
  return {
    metrics: {
      ...metrics,
      refused(side, reason) {
        if (side === 'acceptor') reasons.push(reason)
        wake?.()
      },
    },
    async refused() {
      while (reasons.length === 0)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      return reasons.shift() as string
    },
  }
}

const echo = (connection: Connection): ConnectionHandler => ({
  message: (data) => connection.send(Uint8Array.from(data)),
  query: (data, reply) => reply.answer(Uint8Array.from(data)),
  closed() {},
})

async function server(options: Partial<ListenOptions> = {}): Promise<Listener> {
  const verifier = accepting('simulated')
  const listener = await listen({
    host: HOST,
    port: 0,
    identity,
    verifier,
    limits: EASY,
    onConnection: echo,
    ...options,
  })
  opened.push(() => listener.close())
  return listener
}

function client(port: number, options: Partial<DialOptions> = {}, handler = silent): Promise<Connection> {
  return dial({ host: HOST, port, identity, verifier: accepting('simulated'), solver, ...options }, handler)
}

const silent = (): ConnectionHandler => ({ message() {}, query() {}, closed() {} })

/** A bare TCP client that has read the challenge. */
async function raw(port: number): Promise<net.Socket> {
  const socket = net.connect({ host: HOST, port })
  socket.on('error', () => {})
  opened.push(() => void socket.destroy())
  const [challenge] = (await once(socket, 'data')) as [Buffer]
  expect(challenge.subarray(0, 8).toString('hex')).toMatch(/^91128e41/)
  socket.pause()
  return socket
}

const response = (nonce: bigint): Buffer => {
  const bytes = Buffer.from('197382010000000000000000', 'hex')
  bytes.writeBigUInt64LE(nonce, 4)
  return bytes
}

/** The same behind a proof of work of difficulty 0, with TLS parameters of its own; no wait for the handshake. */
async function rawTls(port: number, options: tls.ConnectionOptions): Promise<tls.TLSSocket> {
  const socket = await raw(port)
  socket.write(response(0n))
  const secure = tls.connect({ socket, rejectUnauthorized: false, checkServerIdentity: () => undefined, ...options })
  secure.on('error', () => {})
  return secure
}

describe('peers that behave', () => {
  test('connect through proof of work of difficulty 20, ask and are answered', async () => {
    const { port, connections } = await server({ limits: { powDifficulty: 20 } })
    const connection = await client(port)
    expect(connection.peer.evidence).toBe('simulated')
    expect(connection.peer.extended).toBe(true)
    expect(Buffer.from(await connection.query(Buffer.from('ping'), { timeoutMs: 5000 })).toString()).toBe('ping')
    expect([...connections].map((c) => Buffer.from(c.peer.publicKey).toString('hex'))).toEqual([
      Buffer.from(identity.current().publicKey).toString('hex'),
    ])
    connection.close(new CocoonError('protocol.aborted'))
  })

  test.each([
    ['the client', { extended: false }, {}],
    ['the server', {}, { extended: false }],
  ])('talk without ALPN when %s has none', async (_, ofClient, ofServer) => {
    const { port } = await server(ofServer)
    const connection = await client(port, ofClient)
    expect(connection.peer.extended).toBe(false)
    expect((await connection.query(new Uint8Array(4), { timeoutMs: 5000 })).length).toBe(4)
  })

  test('a message of the largest size goes both ways', async () => {
    const { port } = await server()
    const big = Buffer.alloc((1 << 24) - 8, 9)
    const back = new Promise<boolean>((resolve, reject) => {
      const handler = (): ConnectionHandler => ({
        ...silent(),
        message: (data) => resolve(big.equals(data)),
        closed: reject,
      })
      client(port, {}, handler).then((connection) => connection.send(big), reject)
    })
    expect(await back).toBe(true)
  })

  test('closing the listener closes its connections and refuses new ones', async () => {
    const listener = await server()
    let closed: (why: CocoonError) => void
    const gone = new Promise<CocoonError>((resolve) => {
      closed = resolve
    })
    await client(listener.port, {}, () => ({ ...silent(), closed: (why) => closed(why) }))
    await listener.close()
    expect((await gone).code).toBe('protocol.lost')
    await expect(client(listener.port)).rejects.toMatchObject({ code: 'protocol.unreachable' })
  })

  test('a certificate that renews itself is used for the next connection; the open one stays', async () => {
    const clock = manualClock(Date.now())
    const renewing = createIdentity({ evidence: 'simulated', clock })
    const { port } = await server({ identity: renewing })
    const first = await client(port)
    clock.advance(3_600_000)
    // Made "an hour ahead", and valid from an hour before that: good now.
    const second = await client(port)
    expect(second.peer.publicKey).not.toEqual(first.peer.publicKey)
    expect((await first.query(new Uint8Array(4), { timeoutMs: 5000 })).length).toBe(4)
  })
})

describe('what a listener refuses', () => {
  test('a wrong nonce, and a wrong magic', async () => {
    const { metrics, refused } = watch()
    const { port } = await server({ metrics, limits: { powDifficulty: 40 } })
    ;(await raw(port)).write(response(1n))
    expect(await refused()).toBe('protocol.pow-invalid')
    ;(await raw(port)).write(Buffer.alloc(12))
    expect(await refused()).toBe('protocol.pow-magic')
  })

  test('an opener that is too slow, in proof of work and after TLS', async () => {
    const clock = manualClock(Date.now())
    const { metrics, refused } = watch()
    const limits = { powDifficulty: 0, powTimeoutMs: 5000, handshakeTimeoutMs: 700 }
    const { port } = await server({ metrics, clock, limits })
    const slow = await raw(port)
    slow.write(response(0n).subarray(0, 11))
    clock.advance(5000)
    expect(await refused()).toBe('protocol.handshake-timeout')

    const { certificatePem, privateKeyPem } = identity.current()
    const mute = await rawTls(port, { cert: certificatePem, key: privateKeyPem })
    await once(mute, 'secureConnect')
    clock.advance(700)
    expect(await refused()).toBe('protocol.handshake-timeout')
  })

  test('garbage instead of TLS', async () => {
    const { metrics, refused } = watch()
    const { port } = await server({ metrics, limits: { powDifficulty: 0 } })
    ;(await raw(port)).write(Buffer.concat([response(0n), Buffer.from('GET / HTTP/1.1\r\n\r\n')]))
    expect(await refused()).toBe('protocol.tls')
  })

  test('TLS 1.2', async () => {
    const { metrics, refused } = watch()
    const { port } = await server({ metrics, limits: { powDifficulty: 0 } })
    await rawTls(port, { maxVersion: 'TLSv1.2' })
    expect(await refused()).toBe('protocol.tls')
  })

  test('a cipher suite that is not in the list', async () => {
    const { metrics, refused } = watch()
    const { port } = await server({ metrics, limits: { powDifficulty: 0 } })
    await rawTls(port, { ciphers: 'TLS_CHACHA20_POLY1305_SHA256' })
    expect(await refused()).toBe('protocol.tls')
  })

  test('a client without a certificate', async () => {
    const { metrics, refused } = watch()
    const { port } = await server({ metrics, limits: { powDifficulty: 0 } })
    await rawTls(port, {})
    expect(await refused()).toBe('attestation.certificate-missing')
  })

  test.each(['p256', 'rsa'])('a client with a certificate of kind %s', async (kind) => {
    const { metrics, refused } = watch()
    const { port } = await server({ metrics, limits: { powDifficulty: 0 }, verifier: accepting('none') })
    await rawTls(port, { cert: vector(kind), key: vector(`${kind}.key`) })
    expect(await refused()).toMatch(/^(protocol\.tls|attestation\.certificate-missing)$/)
  })

  test('evidence that its policy does not accept, which the client learns as a closed door', async () => {
    const { metrics, refused } = watch()
    const { port } = await server({ metrics })
    const dialled = client(port, { identity: createIdentity({ evidence: 'none' }) })
    await expect(dialled).rejects.toMatchObject({ code: 'protocol.closed-early' })
    expect(await refused()).toBe('attestation.quote-required')
  })

  test('more connections than it allows, from one address and on their way', async () => {
    const one = watch()
    const perAddress = await server({ metrics: one.metrics, limits: { ...EASY, maxPerAddress: 1 } })
    await client(perAddress.port)
    await expect(client(perAddress.port)).rejects.toMatchObject({ code: 'protocol.lost' })
    expect(await one.refused()).toBe('capacity.address')

    const two = watch()
    const pending = await server({ metrics: two.metrics, limits: { ...EASY, maxPending: 1 } })
    await raw(pending.port)
    await expect(client(pending.port)).rejects.toMatchObject({ code: 'protocol.lost' })
    expect(await two.refused()).toBe('capacity.pending')
  })
})

describe('what a dialler refuses', () => {
  /** A listener that writes `bytes` and then does nothing. */
  async function fake(bytes: Buffer): Promise<number> {
    const listener = net.createServer((socket) => {
      socket.on('error', () => {})
      opened.push(() => void socket.destroy())
      socket.write(bytes)
    })
    await new Promise<void>((resolve) => listener.listen(0, HOST, resolve))
    opened.push(() => void listener.close())
    return (listener.address() as net.AddressInfo).port
  }

  test('more proof of work than it is willing to do, and anything that is no challenge', async () => {
    const { port } = await server({ limits: { powDifficulty: 29 } })
    await expect(client(port)).rejects.toMatchObject({
      code: 'protocol.pow-difficulty',
      info: { difficulty: 29, max: 28 },
    })
    await expect(client(await fake(Buffer.alloc(24, 0x53)))).rejects.toMatchObject({ code: 'protocol.pow-magic' })
  })

  test('a server whose evidence its policy does not accept', async () => {
    const { port } = await server({ identity: createIdentity({ evidence: 'none' }) })
    await expect(client(port)).rejects.toMatchObject({ code: 'attestation.quote-required' })
  })

  test('a server that never answers, after the time that was given', async () => {
    const clock = manualClock()
    const dialled = client(await fake(Buffer.alloc(10)), { clock, timeoutMs: 3000 })
    clock.advance(3000)
    await expect(dialled).rejects.toMatchObject({ code: 'protocol.connect-timeout' })
  })

  test('going on when it was called off, even in the middle of proof of work', async () => {
    const { port } = await server({ limits: { powDifficulty: 64 } })
    const abort = new AbortController()
    const dialled = client(port, {
      maxPowDifficulty: 64,
      signal: abort.signal,
      solver: {
        ...solver,
        solve(challenge, signal) {
          queueMicrotask(() => abort.abort())
          return solver.solve(challenge, signal)
        },
      },
    })
    await expect(dialled).rejects.toMatchObject({ code: 'protocol.aborted' })
  })
})
