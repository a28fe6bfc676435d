/**
 * Throws hostile bytes at every open port of a running network, and at the nodes that dial out. The rules: nothing crashes,
 * nothing is answered with "internal error", whoever breaks the rules is counted, and afterwards a normal request still
 * works and nothing is left behind. Seeded: the same seed sends the same bytes, though not in the same order of arrival.
 */
import { createHash } from 'node:crypto'
import net from 'node:net'
import tls from 'node:tls'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createOpsApi, opsApiOptions } from '../../src/api/index.ts'
import { createIdentity, createVerifier } from '../../src/tee/index.ts'
import {
  clientAuthorizeWithProxyShort,
  clientConnectToProxy,
  encode,
  workerCompareBalanceWithProxy,
  workerConnectToProxy,
  workerProxyHandshakeComplete,
} from '../../src/tl/index.ts'
import { type Connection, createPowSolver, dial, type PowSolver } from '../../src/transport/index.ts'
import { CocoonError, type Labels, type Log, type Metrics, systemClock, systemRandom } from '../../src/util/index.ts'
import { startNetwork, type TestNetwork, TEST_OWNER, until } from '../support/network.ts'
import { type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'
import { createFrameInputs, type Draw, randomBytes } from './frame-inputs.ts'
import { httpInput } from './http-inputs.ts'
import { randomFrom } from './tl.ts'

export const PORTS = ['proxy for clients', 'proxy for workers', 'client http', 'proxy http', 'worker http'] as const
export type PortName = (typeof PORTS)[number]

export interface Target extends AsyncDisposable {
  readonly network: TestNetwork
  readonly engine: ScriptedEngine
  readonly port: Readonly<Record<PortName, number>>
  readonly solver: PowSolver
  /** Sum of all counters by which the nodes tell that they refused or dropped something. */
  refusals(): number
  /** What must never happen, as it happened. */
  readonly faults: readonly string[]
}

/** Difficulty of the proof of work: low, so that getting past it costs little, and high enough that a guess is wrong. */
const POW_DIFFICULTY = 4
const MODEL = 'test-model'

/** @param http options of the client's HTTP API */
export async function startTarget(http: Readonly<Record<string, unknown>> = {}): Promise<Target> {
  const faults: string[] = []
  const log = faultLog(faults)
  const { metrics, refusals } = countingMetrics()
  const engine = await startScriptedEngine()
  const network = await startNetwork({
    engineUrl: engine.url,
    log,
    metrics,
    http,
    proxy: { powDifficulty: POW_DIFFICULTY, maxConnections: 500 },
  })
  const openOps = async (node: Pick<TestNetwork['proxy'], 'ready' | 'jsonstats'> & { status(): unknown }) => {
    const ops = createOpsApi(
      {
        ops: {
          ready: () => node.ready(),
          status: () => node.status(),
          jsonstats: () => node.jsonstats(),
          metricsText: () => Promise.resolve(''),
        },
        clock: systemClock,
        random: systemRandom,
        log,
        metrics,
      },
      opsApiOptions.parse({ port: 0 }),
    )
    return { port: Number(new URL(await ops.listen()).port), close: () => ops.close() }
  }
  const worker = network.workers[0]
  if (worker === undefined) throw new Error('the network has no worker')
  const ops = { proxy: await openOps(network.proxy), worker: await openOps(worker) }
  const solver = createPowSolver()
  const onRejection = (why: unknown): void => void faults.push(`unhandled rejection: ${String(why)}`)
  const onException = (why: unknown): void => void faults.push(`uncaught exception: ${String(why)}`)
  process.on('unhandledRejection', onRejection).on('uncaughtException', onException)
  return {
    network,
    engine,
    solver,
    port: {
      'proxy for clients': network.proxy.clientPort,
      'proxy for workers': network.proxy.workerPort,
      'client http': Number(new URL(network.baseURL).port),
      'proxy http': ops.proxy.port,
      'worker http': ops.worker.port,
    },
    refusals,
    faults,
    async [Symbol.asyncDispose]() {
      process.off('unhandledRejection', onRejection).off('uncaughtException', onException)
      solver.close()
      await Promise.all([ops.proxy.close(), ops.worker.close()])
      await network.close()
      await engine.close()
    },
  }
}

export interface PortReport {
  readonly inputs: number
  /** How many inputs of which kind. */
  readonly byKind: Readonly<Record<string, number>>
  readonly connections: number
  /** How many inputs were visibly refused: each must have been counted. */
  readonly refused: number
}

/** Attacks that run side by side. */
const AT_ONCE = 8

/** Sends this many inputs and waits until the port is done with all of them. */
export async function attackPort(target: Target, name: PortName, seed: number, inputs: number): Promise<PortReport> {
  const byKind: Record<string, number> = {}
  let sent = 0
  let connections = 0
  let refused = 0
  const attack = name.endsWith('http') ? httpAttack(target.port[name]) : frameAttack(target, name, seed)
  const run = async (attacker: number): Promise<void> => {
    const draw = randomFrom(seed * AT_ONCE + attacker)
    while (sent < inputs) {
      const { kind, count, refused: seen } = await attack(draw, inputs - sent)
      sent += count
      connections++
      refused += seen
      byKind[kind] = (byKind[kind] ?? 0) + count
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => run(i)))
  return { inputs: sent, byKind, connections, refused }
}

type Attack = (
  draw: Draw,
  most: number,
) => Promise<{
  readonly kind: string
  readonly count: number
  /** Of them, those of which the attacker saw that they were refused. */
  readonly refused: number
}>

/** A port that still holds a connection this long after its peer had ended it has forgotten about it. */
const HELD_TOO_LONG_MS = 20_000

/** Sends the bytes, ends its half, and resolves with what came back when the other side has closed as well. */
function sendAndEnd(socket: net.Socket, bytes: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const received: Buffer[] = []
    const timer = setTimeout(() => reject(new Error(`held for ${HELD_TOO_LONG_MS} ms after the end`)), HELD_TOO_LONG_MS)
    socket.on('data', (chunk: Buffer) => received.push(chunk))
    // Being reset is one of the ways to be refused.
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(Buffer.concat(received))
    })
    if (socket.destroyed) socket.emit('close')
    else socket.end(bytes)
  })
}

const httpAttack =
  (port: number): Attack =>
  async (draw) => {
    const input = httpInput(draw)
    const answer = (await sendAndEnd(net.connect(port, '127.0.0.1'), input)).toString('latin1')
    if (answer !== '' && !/^HTTP\/1\.1 [1-5]\d\d /.test(answer)) throw new Error(`no HTTP: ${find(input, answer)}`)
    if (/^HTTP\/1\.1 500 |"code":"bug\./m.test(answer)) throw new Error(`internal error: ${find(input, answer)}`)
    // Several answers came where several requests stood in the input.
    const refused = answer.match(/^HTTP\/1\.1 [45]\d\d /gm)?.length ?? 0
    return { kind: answer.slice(9, 12) || 'closed', count: 1, refused }
  }

const find = (input: Uint8Array, answer: string): string =>
  `${Buffer.from(input).toString('hex').slice(0, 4000)} was answered ${answer.slice(0, 400)}`

/** Messages on one authorized connection before another is opened. */
const MESSAGES_A_SESSION = 200
const MESSAGES_A_BARRIER = 20

function frameAttack(target: Target, name: PortName, seed: number): Attack {
  const leg = name === 'proxy for clients' ? 'client' : 'worker'
  const inputs = createFrameInputs(leg, leg, seed)
  const port = target.port[name]
  const identity = createIdentity({ evidence: 'simulated' })
  const pair = identity.current()
  const verifier = createVerifier({ accept: ['simulated'] })

  /** A connection that has read the challenge and sent this answer to it. */
  const afterWork = async (answer: (challenge: Buffer) => Uint8Array): Promise<net.Socket> => {
    const socket = net.connect(port, '127.0.0.1')
    socket.on('error', () => {})
    const challenge = await new Promise<Buffer>((resolve, reject) => {
      socket.once('data', resolve)
      socket.once('close', () => reject(new Error(`port ${port} sends no challenge`)))
    })
    socket.write(answer(challenge))
    return socket
  }

  const secured = async (): Promise<tls.TLSSocket> => {
    const socket = tls.connect({
      socket: await afterWork(solve),
      cert: pair.certificatePem,
      key: pair.privateKeyPem,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
    })
    socket.on('error', () => {})
    await new Promise((resolve) => socket.once('secureConnect', resolve).once('close', resolve))
    return socket
  }

  const attacks: Readonly<Record<string, Attack>> = {
    async 'before proof of work'(draw) {
      await sendAndEnd(net.connect(port, '127.0.0.1'), randomBytes(draw, draw(300)))
      return { kind: 'before proof of work', count: 1, refused: 1 }
    },
    async 'wrong proof of work'(draw) {
      const wrong = (challenge: Buffer): Uint8Array => {
        const right = solve(challenge)
        right[draw(right.length)] = draw(256)
        return right.subarray(0, 1 + draw(right.length))
      }
      await sendAndEnd(await afterWork(wrong), randomBytes(draw, draw(40)))
      return { kind: 'wrong proof of work', count: 1, refused: 1 }
    },
    async 'no TLS'(draw) {
      const hello = Buffer.from([22, 3, draw(5), draw(256), draw(256), 1, 0, draw(256), draw(256), 3, 3])
      const bytes = draw(2) === 0 ? randomBytes(draw, draw(600)) : Buffer.concat([hello, randomBytes(draw, draw(600))])
      await sendAndEnd(await afterWork(solve), bytes)
      return { kind: 'no TLS', count: 1, refused: 1 }
    },
    async frames(draw) {
      await sendAndEnd(await secured(), draw(8) === 0 ? randomBytes(draw, draw(200)) : inputs.stream(draw))
      return { kind: 'frames', count: 1, refused: 1 }
    },
    async messages(draw, most) {
      let open = true
      const connection = await dial({ host: '127.0.0.1', port, identity, verifier, solver: target.solver }, () => ({
        message() {},
        query: (_data, reply) => reply.error(0, ''),
        closed: () => void (open = false),
      }))
      if (draw(4) > 0) await (leg === 'client' ? enterAsClient : enterAsWorker)(connection)
      let count = 0
      let refused = 0
      const countRefusal = (why: CocoonError): void => void (refused += why.code === 'protocol.refused' ? 1 : 0)
      while (open && count < Math.min(most, MESSAGES_A_SESSION)) {
        for (let i = 0; i < MESSAGES_A_BARRIER && open; i++, count++) {
          const message = inputs.message(draw)
          if (draw(3) === 0) connection.query(message, { timeoutMs: 60_000 }).catch(countRefusal)
          else connection.send(message)
        }
        // Answered in order: what was sent before has been looked at.
        await connection.query(new Uint8Array(4), { timeoutMs: 60_000 }).catch(countRefusal)
      }
      connection.close(new CocoonError('capacity.closing'))
      return { kind: 'messages', count, refused }
    },
  }
  const names = Object.keys(attacks)
  return (draw, most) => {
    // Most go where most can go wrong.
    const which = draw(3) === 0 ? 'messages' : (names[draw(names.length)] as string)
    return (attacks[which] as Attack)(draw, most)
  }
}

async function enterAsClient(connection: Connection): Promise<void> {
  const params = { flags: 3, clientOwnerAddress: TEST_OWNER, isTest: true, minProtoVersion: 0, maxProtoVersion: 4 }
  const ask = (message: Uint8Array): Promise<Uint8Array> => connection.query(message, { timeoutMs: 60_000 })
  await ask(encode(clientConnectToProxy, { params, minConfigVersion: 0 }))
  await ask(encode(clientAuthorizeWithProxyShort, { data: new Uint8Array(0) }))
}

async function enterAsWorker(connection: Connection): Promise<void> {
  const params = {
    flags: 3,
    workerOwnerAddress: TEST_OWNER,
    // Another model than the good worker's, or normal requests would come here.
    model: 'hostile-model',
    coefficient: 1000,
    isTest: true,
    proxyCnt: 1,
    maxActiveRequests: 10,
    minProtoVersion: 1,
    maxProtoVersion: 4,
  }
  const ask = (message: Uint8Array): Promise<Uint8Array> => connection.query(message, { timeoutMs: 60_000 })
  await ask(encode(workerConnectToProxy, { params }))
  await ask(
    encode(workerCompareBalanceWithProxy, { tokensCommittedToBlockchain: 0n, tokensCommittedToDb: 0n, maxTokens: 0n }),
  ).catch(() => {})
  await ask(encode(workerProxyHandshakeComplete, { isDisabled: false })).catch(() => {})
}

/** The answer to a challenge: id, difficulty, 16 bytes of salt. Source: spec/transport.md, "Proof of work". */
function solve(challenge: Buffer): Buffer {
  const salt = challenge.subarray(8, 24)
  const answer = Buffer.alloc(12)
  answer.writeUInt32LE(0x01827319, 0)
  for (let nonce = 0; ; nonce++) {
    answer.writeUInt32LE(nonce, 4)
    const hash = createHash('sha256').update(salt).update(answer.subarray(4)).digest()
    if (Math.clz32(hash.readUInt32LE(4)) >= POW_DIFFICULTY) return answer
  }
}

/** What a process holds when nothing happens. */
export interface Footprint {
  readonly heapMib: number
  readonly handles: number
}

export async function footprint(): Promise<Footprint> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  // Twice with a turn between: what is freed only after a callback goes with the second.
  for (let i = 0; i < 2; i++) {
    collect()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return {
    heapMib: process.memoryUsage().heapUsed / 2 ** 20,
    handles: process.getActiveResourcesInfo().filter((name) => /TCP|TLS|Pipe/.test(name)).length,
  }
}

/** Waits until only the network's own peers and requests are left at the proxy. */
export async function untilQuiet({ network }: Target): Promise<void> {
  await until(() => {
    const { clients, workers, requests } = network.proxy.status()
    const connected = clients.reduce((sum, client) => sum + client.connections, 0)
    const running =
      requests.running + network.workers.reduce((sum, worker) => sum + worker.status().requests.running, 0)
    return connected === 1 && workers.length === 1 && running === 0 && network.client.ready().length === 0
  }, 'the hostile peers are gone')
}

/** One ordinary request over HTTP; throws unless it is answered in full. */
export async function askNormally({ port }: Target): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port['client http']}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: MODEL, max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] }),
  })
  const text = await response.text()
  if (response.status !== 200 || !text.includes('Hello there!')) throw new Error(`${response.status}: ${text}`)
}

/** Everything at level `error`, which is for our own mistakes only. */
function faultLog(faults: string[]): Log {
  const log: Log = {
    debug() {},
    info() {},
    warn() {},
    error: (message, fields) => void faults.push(`${message} ${JSON.stringify(fields)}`),
    with: () => log,
  }
  return log
}

const REFUSAL = /refused|closed_total|stray|ignored/

function countingMetrics(): { readonly metrics: Metrics; refusals(): number } {
  let refusals = 0
  const isRefusal = (name: string, labels: Labels = {}): boolean =>
    REFUSAL.test(name) || (name === 'http_requests_total' && Number(labels['status']) >= 400)
  return {
    refusals: () => refusals,
    metrics: {
      counter: (name) => ({ add: (amount = 1, labels) => void (isRefusal(name, labels) && (refusals += amount)) }),
      gauge() {},
      histogram: () => ({ observe() {} }),
    },
  }
}
