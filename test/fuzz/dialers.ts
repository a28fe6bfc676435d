/**
 * A proxy that is not to be trusted, for the nodes that dial out: it passes everything on to the real proxy and damages some
 * of what comes back. So every state of the nodes' sessions is reached, and damage comes at every point of them.
 */
import { createHash } from 'node:crypto'
import { parseAddress } from '../../src/chain/index.ts'
import { createHttpEngine, httpEngineOptions } from '../../src/engine/index.ts'
import type { InferenceSink } from '../../src/roles/client/index.ts'
import { clientOptions } from '../../src/roles/client/index.ts'
import { openLink as openClientLink } from '../../src/roles/client/proxy-link.ts'
import { createRequests as createClientRequests } from '../../src/roles/client/requests.ts'
import { workerOptions } from '../../src/roles/worker/index.ts'
import { openLink as openWorkerLink } from '../../src/roles/worker/proxy-link.ts'
import { createRequests as createWorkerRequests } from '../../src/roles/worker/requests.ts'
import { createIdentity, createVerifier } from '../../src/tee/index.ts'
import { type Connection, type ConnectionHandler, dial, type Listener, listen } from '../../src/transport/index.ts'
import {
  CocoonError,
  noMetrics,
  Secret,
  silentLog,
  systemClock,
  systemRandom,
  utf8,
  NOTHING_KNOWN,
} from '../../src/util/index.ts'
import { until } from '../support/network.ts'
import { createFrameInputs, type Draw, type FrameInputs } from './frame-inputs.ts'
import type { Target } from './ports.ts'
import { mutate, randomFrom } from './tl.ts'

export interface DialerReport {
  /** Damaged messages and answers that the node was given. */
  readonly inputs: number
  readonly connections: number
  /** Requests that ended, by how; every request that began ends. */
  readonly ended: Readonly<Record<string, number>>
}

/** One in so many messages from the proxy is damaged. */
const DAMAGE_ONE_IN = 6
const MESSAGES_A_CONNECTION = 12
const CLOSING = new CocoonError('capacity.closing')

/** Gives our client's or worker's sessions at least this many damaged messages. */
export async function attackDialer(
  target: Target,
  role: 'client' | 'worker',
  seed: number,
  inputs: number,
): Promise<DialerReport> {
  const draw = randomFrom(seed)
  let given = 0
  const damage = (inputs: FrameInputs, bytes: Uint8Array): Uint8Array => {
    if (draw(DAMAGE_ONE_IN) > 0) return bytes
    given++
    return draw(4) === 0 ? inputs.message(draw) : mutate(bytes, inputs.message(draw), draw)
  }
  const hostile = await startHostileProxy(target, role, seed, draw, damage)
  const node = role === 'client' ? createClient(target) : createWorker(target)
  let connections = 0
  try {
    while (given < inputs) {
      connections++
      await node.connectOnce(hostile.port)
    }
  } finally {
    await hostile.close()
    await node.close()
  }
  return { inputs: given, connections, ended: node.ended }
}

async function startHostileProxy(
  { network, solver }: Target,
  role: 'client' | 'worker',
  seed: number,
  draw: Draw,
  damage: (inputs: FrameInputs, bytes: Uint8Array) => Uint8Array,
): Promise<Listener> {
  const inputs = createFrameInputs(role, 'proxy', seed)
  const identity = createIdentity({ evidence: 'simulated' })
  const verifier = createVerifier({ accept: ['simulated'] })
  const port = role === 'client' ? network.proxy.clientPort : network.proxy.workerPort

  /** The node's session here, the real proxy behind it. */
  function relay(near: Connection): ConnectionHandler {
    const far = dial({ host: '127.0.0.1', port, identity, verifier, solver }, () => ({
      message: (data) => near.send(damage(inputs, data.slice())),
      query: (_data, reply) => reply.error(0, ''),
      closed: () => near.close(CLOSING),
    }))
    far.catch(() => near.close(CLOSING))
    const toProxy = (send: (proxy: Connection) => unknown): void => void far.then(send, () => {})
    return {
      message(data) {
        const message = data.slice()
        toProxy((proxy) => proxy.send(message))
      },
      query(data, reply) {
        const query = data.slice()
        // A question of its own now and then.
        if (draw(4) === 0) near.query(inputs.message(draw), { timeoutMs: 10_000 }).catch(() => {})
        toProxy((proxy) =>
          proxy.query(query, { timeoutMs: 10_000 }).then(
            (answer) => reply.answer(damage(inputs, answer)),
            () => reply.error(602, 'no'),
          ),
        )
      },
      closed: () => toProxy((proxy) => proxy.close(CLOSING)),
    }
  }
  return listen({ host: '127.0.0.1', port: 0, identity, verifier, onConnection: relay, limits: { powDifficulty: 0 } })
}

interface DialingNode {
  /** Dials, works as long as it is let, and hangs up. */
  connectOnce(port: number): Promise<void>
  readonly ended: Readonly<Record<string, number>>
  close(): Promise<void>
}

const identity = (): ReturnType<typeof createIdentity> => createIdentity({ evidence: 'simulated' })
const shared = { clock: systemClock, random: systemRandom, log: silentLog, metrics: noMetrics }

function createClient({ network, solver }: Target): DialingNode {
  const config = (): typeof network.config => network.config
  const requests = createClientRequests({ ...shared, config })
  const ended: Record<string, number> = {}
  const secretHash = new Uint8Array(createHash('sha256').digest())
  const owner = parseAddress(`0:${'77'.repeat(32)}`, 'owner')
  const [options, tls, memory] = [clientOptions.parse({}), identity(), new Map()]
  const body = utf8('{"model":"test-model","messages":[{"role":"user","content":"hi"}],"stream":true,"max_tokens":9}')
  const request = { path: '/v1/chat/completions', headers: [], body, model: 'test-model', maxTokens: 9 }
  const limits = { maxCoefficient: 4000, timeoutMs: 3000, debug: true, traceId: '' }
  const end = (how: string): void => void (ended[how] = (ended[how] ?? 0) + 1)
  const sink: InferenceSink = { head() {}, part() {}, end: () => end('answered'), fail: (why) => end(why.code) }
  return {
    ended,
    async connectOnce(port) {
      let link: ReturnType<typeof openClientLink> | undefined
      const connection = await dial(
        { host: '127.0.0.1', port, identity: tls, verifier: createVerifier({ accept: ['simulated'] }), solver },
        (opened) => {
          link = openClientLink(opened, {
            ...shared,
            owner,
            secret: new Secret(''),
            secretHash,
            options,
            requests,
            memory,
            config,
            lost() {},
          })
          return link.handler
        },
      )
      await until(() => link?.ready === true || !connection.open, 'the client is in or out')
      for (let i = 0; i < MESSAGES_A_CONNECTION && connection.open; i++) {
        requests.run(connection, 4, { ...request, ...limits }, sink)
        if (i % 4 === 0) await link?.models().catch(() => {})
      }
      // What was damaged beyond recognition is never answered: the request's own timer would end it.
      await Promise.race([requests.idle(), new Promise((resolve) => setTimeout(resolve, 30))])
      connection.close(CLOSING)
      await requests.idle()
    },
    close: () => requests.idle(),
  }
}

function createWorker({ network, solver, engine: { url } }: Target): DialingNode {
  const config = (): typeof network.config => network.config
  const engine = createHttpEngine(shared, httpEngineOptions.parse({ url }))
  const { multipliers, pricePerToken } = network.config.params
  const price = (): { multipliers: typeof multipliers; pricePerToken: bigint } => ({ multipliers, pricePerToken })
  const requests = createWorkerRequests({ ...shared, engine, model: 'test-model', maxActive: 60, price })
  const owner = parseAddress(`0:${'88'.repeat(32)}`, 'owner')
  const options = workerOptions.parse({ model: 'test-model', coefficient: 1 })
  const [tls, memory] = [identity(), new Map()]
  const ended: Record<string, number> = {}
  return {
    ended,
    async connectOnce(port) {
      // Damaged totals that are too high would make every later contact with this proxy too short to matter.
      memory.clear()
      let link: ReturnType<typeof openWorkerLink> | undefined
      const connection = await dial(
        { host: '127.0.0.1', port, identity: tls, verifier: createVerifier({ accept: ['simulated'] }), solver },
        (opened) => {
          const deps = {
            ...shared,
            owner,
            options,
            requests,
            memory,
            config,
            abilities: () => NOTHING_KNOWN,
            instance: new Uint8Array(32),
            disabled: () => false,
          }
          link = openWorkerLink(opened, deps)
          return link.handler
        },
      )
      await until(() => link?.ready === true || !connection.open, 'the worker is in or out')
      // Ordinary requests of the network's own client come here as well, since this worker is cheaper.
      for (let i = 0; i < MESSAGES_A_CONNECTION && connection.open; i++)
        await askAny(network.baseURL).then((how) => void (ended[how] = (ended[how] ?? 0) + 1))
      connection.close(CLOSING)
      await requests.idle()
    },
    close: () => engine.close(),
  }
}

/** Whatever becomes of it: through a damaged connection no request is sure of an answer, but each gets one. */
async function askAny(baseURL: string): Promise<string> {
  const response = await fetch(`${baseURL}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'test-model',
      max_tokens: 9,
      timeout: 0.2,
      messages: [{ role: 'user', content: 'hi' }],
    }),
  })
  await response.text()
  return String(response.status)
}
