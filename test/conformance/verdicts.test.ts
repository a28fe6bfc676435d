/** Verdicts on peers that take time, or end: real sockets on loopback, and a verifier that answers when the test says so. */
import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'
import { afterAll, afterEach, expect, test } from 'vitest'
import { createIdentity, createVerifier } from '../../src/tee/index.ts'
import {
  type Connection,
  createPowSolver,
  type DialOptions,
  dial,
  FrameEncoder,
  type Listener,
  type ListenOptions,
  listen,
  type PeerVerdict,
  type PeerVerifier,
  type VerdictRequest,
} from '../../src/transport/index.ts'
import { encode, tcpConnect } from '../../src/tl/index.ts'
import { CocoonError, manualClock } from '../../src/util/index.ts'

const HOST = '127.0.0.1'
const solver = createPowSolver({ threads: 1 })
const identity = createIdentity({ evidence: 'simulated' })
const simulated = createVerifier({ accept: ['simulated'] })
const REFUSED = new CocoonError('attestation.tcb-status', { message: 'refused by the test' })

const opened: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of opened.splice(0)) await close()
})
afterAll(() => solver.close())

interface Asked {
  readonly asking: VerdictRequest
  answer(more?: Partial<PeerVerdict>): void
  refuse(why: CocoonError): void
}

/** Judges nobody until the test does. */
function slowVerifier(): { verifier: PeerVerifier; asked: Promise<Asked> } {
  let tell: (asked: Asked) => void
  const asked = new Promise<Asked>((resolve) => {
    tell = resolve
  })
  return {
    asked,
    verifier: {
      verify: (der, role, nowMs, asking) =>
        new Promise((resolve, reject) =>
          tell({
            asking,
            answer: (more = {}) => resolve({ ...simulated.verify(der, role, nowMs), ...more }),
            refuse: reject,
          }),
        ),
    },
  }
}

interface Session {
  readonly connection: Connection
  readonly messages: string[]
  readonly closed: Promise<CocoonError>
}

function recorder(): {
  sessions: Session[]
  open: (connection: Connection) => ReturnType<ListenOptions['onConnection']>
} {
  const sessions: Session[] = []
  return {
    sessions,
    open(connection) {
      let close: (why: CocoonError) => void = () => undefined
      const closed = new Promise<CocoonError>((resolve) => {
        close = resolve
      })
      const messages: string[] = []
      sessions.push({ connection, messages, closed })
      return {
        message: (data) => void messages.push(Buffer.from(data).toString()),
        query: (data, reply) => reply.answer(Uint8Array.from(data)),
        closed: (why) => close(why),
      }
    },
  }
}

async function server(options: Partial<ListenOptions>): Promise<Listener> {
  const common = { host: HOST, port: 0, identity, verifier: simulated, limits: { powDifficulty: 0 } }
  const listener = await listen({ ...common, onConnection: recorder().open, ...options })
  opened.push(() => listener.close())
  return listener
}

const client = (port: number, options: Partial<DialOptions> = {}, open = recorder().open): Promise<Connection> =>
  dial({ host: HOST, port, identity, verifier: simulated, solver, ...options }, open)

/** More than every buffer on the way together. */
const MUCH_BYTES = 64 * 1024 * 1024

const loopOnce = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('what a peer sends while it is judged is neither read as frames before the verdict nor lost after it', async () => {
  const { verifier, asked } = slowVerifier()
  const { sessions, open } = recorder()
  const { port } = await server({ verifier, onConnection: open })
  const peer = client(port)
  const { answer } = await asked
  // The client's tcp.connect has left with the last flight of its handshake; nothing may come of it.
  for (let i = 0; i < 20; i++) await loopOnce()
  expect(sessions).toEqual([])
  answer()
  const connection = await peer
  connection.send(Buffer.from('hello'))
  expect(Buffer.from(await connection.query(Buffer.from('ping'), { timeoutMs: 5000 })).toString()).toBe('ping')
  expect(sessions.map((s) => s.messages)).toEqual([['hello']])
})

test('a peer that floods while it is judged fills no more than the buffers of its socket', async () => {
  const { verifier, asked } = slowVerifier()
  const { sessions, open } = recorder()
  const { port } = await server({ verifier, onConnection: open })
  const raw = net.connect({ host: HOST, port })
  opened.push(() => void raw.destroy())
  await once(raw, 'data')
  raw.write(Buffer.from('197382010000000000000000', 'hex'))
  const { certificatePem, privateKeyPem } = identity.current()
  const secure = tls.connect({ socket: raw, rejectUnauthorized: false, cert: certificatePem, key: privateKeyPem })
  secure.on('error', () => undefined)
  await once(secure, 'secureConnect')
  secure.write(Buffer.from(new FrameEncoder().encode(encode(tcpConnect, { id: 1n }))))
  let acceptedBytes = 0
  const chunk = Buffer.alloc(64 * 1024)
  const pump = (): void =>
    void secure.write(chunk, () => {
      acceptedBytes += chunk.length
      if (acceptedBytes < MUCH_BYTES) pump()
    })
  pump()
  const { answer } = await asked
  let before = -1
  while (before !== acceptedBytes) {
    before = acceptedBytes
    for (let i = 0; i < 200; i++) await loopOnce()
  }
  // The kernel's buffers of both ends and two streams hold a few MB; the rest waits with the sender.
  expect(acceptedBytes).toBeLessThan(MUCH_BYTES)
  expect(sessions).toEqual([])
  answer()
  while (sessions.length === 0) await loopOnce()
})

test('a verdict that comes after the time for the handshake opens nothing, and the verifier is told at once', async () => {
  const clock = manualClock(Date.now())
  const { verifier, asked } = slowVerifier()
  const { sessions, open } = recorder()
  const { port } = await server({
    verifier,
    onConnection: open,
    clock,
    limits: { powDifficulty: 0, handshakeTimeoutMs: 700 },
  })
  const peer = client(port)
  peer.catch(() => undefined)
  const { answer, asking } = await asked
  expect(asking.signal.aborted).toBe(false)
  clock.advance(700)
  expect(asking.signal.aborted).toBe(true)
  await expect(peer).rejects.toMatchObject({ code: 'protocol.closed-early' })
  answer()
  await loopOnce()
  expect(sessions).toEqual([])
})

test('a dialler whose peer leaves while it is judged fails without waiting for the verdict', async () => {
  const { verifier, asked } = slowVerifier()
  const listener = await server({})
  const peer = client(listener.port, { verifier })
  peer.catch(() => undefined)
  const { asking } = await asked
  await listener.close()
  await expect(peer).rejects.toMatchObject({ code: 'protocol.lost' })
  expect(asking.signal.aborted).toBe(true)
})

test('a late refusal is the reason why the dialler fails', async () => {
  const { verifier, asked } = slowVerifier()
  const { port } = await server({})
  const peer = client(port, { verifier })
  ;(await asked).refuse(REFUSED)
  await expect(peer).rejects.toBe(REFUSED)
})

test.each(['the dialler', 'the acceptor'])(
  'a verdict that ends closes the open connection with its reason, at %s',
  async (who) => {
    const lost: ((why: CocoonError) => void)[] = []
    const standing = {
      onLost(listener: (why: CocoonError) => void) {
        lost.push(listener)
        return () => void lost.splice(lost.indexOf(listener), 1)
      },
    }
    const { verifier, asked } = slowVerifier()
    const { sessions, open } = recorder()
    const isDialler = who === 'the dialler'
    const { port } = await server(isDialler ? {} : { verifier, onConnection: open })
    const peer = isDialler ? client(port, { verifier }, open) : client(port)
    ;(await asked).answer({ standing })
    await peer
    while (sessions.length === 0) await loopOnce()
    const [session] = sessions as [Session]
    expect(lost.length).toBe(1)
    lost[0]?.(REFUSED)
    expect(await session.closed).toBe(REFUSED)
    expect(session.connection.open).toBe(false)
    expect(lost).toEqual([])
  },
)
