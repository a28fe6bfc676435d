import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Address, beginCell, Cell } from '@ton/core'
import { afterEach, describe, expect, test } from 'vitest'
import {
  type Clock,
  manualClock,
  noMetrics,
  Secret,
  seededRandom,
  silentLog,
  systemClock,
  toHex,
} from '../../util/index.ts'
import {
  externalMessage,
  initialWalletData,
  internalMessage,
  nodeWalletAddress,
  signWalletOrder,
} from '../contracts/node-wallet.ts'
import { signingKeyFromSeed } from '../ed25519.ts'
import type { ChainAccess } from '../reader.ts'
import { createRecordingLog } from '../../../test/support/recording-log.ts'
import { NETWORKS } from '../networks.ts'
import {
  createScriptedChain,
  createScriptedEndpoint,
  type Fault,
  type ScriptedChain,
  type ScriptedEndpoint,
} from '../scripted-chain.ts'
import { createCircuit } from './circuit.ts'
import type { HttpAnswer } from './http.ts'
import { createChainIdentity } from './identity.ts'
import { createRateLimit } from './rate-limit.ts'
import { createToncenter, type ToncenterOptions } from './toncenter.ts'

const key = signingKeyFromSeed(new Uint8Array(32).fill(7))
const owner = new Address(0, Buffer.alloc(32, 0x99))
const wallet = nodeWalletAddress({ owner, publicKey: key.publicKey })
const receiver = new Address(0, Buffer.alloc(32, 1))
const TON = 1_000_000_000n

const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

/** A toncenter on a socket. `answer` null hangs up; undefined never answers. */
async function serve(answer: (body: string) => HttpAnswer | null | undefined): Promise<string> {
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (part: Buffer) => {
      body += part.toString()
    })
    request.on('end', () => {
      const result = answer(body)
      if (result === undefined) return
      if (result === null) return void request.socket.destroy()
      if (result.retryAfterMs !== null) response.setHeader('retry-after', result.retryAfterMs / 1000)
      response.writeHead(result.status).end(result.text)
    })
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v2`
}

function createWorld(clock: Clock = systemClock): ScriptedChain {
  const chain = createScriptedChain(clock)
  chain.set(wallet, {
    balance: 1_000n * TON,
    code: Cell.EMPTY,
    data: initialWalletData({ owner, publicKey: key.publicKey }),
  })
  return chain
}

function pay(chain: ScriptedChain, seqno: number): string | null {
  const message = internalMessage({ to: receiver, valueNano: TON, body: Cell.EMPTY, bounce: false })
  const validUntilS = Math.floor(chain.clock.now() / 1000) + 60
  const order = { subwallet: 0, validUntilS, seqno, transfers: [{ mode: 0 as const, message }] }
  return chain.apply(externalMessage(wallet, signWalletOrder(order, key)))
}

function open(
  urls: readonly string[],
  options: Partial<ToncenterOptions> = {},
  clock: Clock = systemClock,
): ChainAccess {
  const endpoints = urls.map((url) => ({ url, requestsPerSecond: 1_000, apiKey: new Secret('k-1') }))
  const deps = { clock, random: seededRandom(1), log: silentLog, metrics: noMetrics }
  return createToncenter({ endpoints, ...options }, deps)
}

describe('over a socket', () => {
  test('an account, the chain’s head and a history are read, and a message is sent', async () => {
    const chain = createWorld()
    for (let i = 0; i < 7; i++) expect(pay(chain, i)).toBeNull()
    const access = open([await serve(createScriptedEndpoint(chain).answer)])
    const account = await access.getAccount(wallet)
    expect(account).toMatchObject({ status: 'active', lastLt: chain.account(wallet).lastLt })
    expect(account.balanceNano).toBe(chain.account(wallet).balance)
    expect(account.data?.equals(chain.account(wallet).data as Cell)).toBe(true)
    expect(await access.masterchainInfo()).toMatchObject({ seqno: chain.seqno() })

    // Three transactions a page: seven need three pages.
    const all = await access.getTransactions(wallet, { afterLt: 0n, limit: 100 })
    expect(all.more).toBe(false)
    expect(all.transactions).toHaveLength(7)
    expect(all.transactions.map((t) => t.lt)).toEqual(
      all.transactions.map((t) => t.lt).toSorted((a, b) => Number(a - b)),
    )
    const third = all.transactions[2]?.lt as bigint
    const some = await access.getTransactions(wallet, { afterLt: third, limit: 2 })
    expect(some.more).toBe(true)
    expect(some.transactions.map((t) => t.lt)).toEqual(all.transactions.slice(3, 5).map((t) => t.lt))
    expect((await access.getTransactions(wallet, { afterLt: account.lastLt, limit: 2 })).transactions).toEqual([])
  })

  test('an account that never was is uninitialized and empty', async () => {
    const access = open([await serve(createScriptedEndpoint(createWorld()).answer)])
    expect(await access.getAccount(receiver)).toMatchObject({
      status: 'uninitialized',
      balanceNano: 0n,
      data: null,
      lastLt: 0n,
    })
    expect((await access.getTransactions(receiver, { afterLt: 0n, limit: 5 })).transactions).toEqual([])
  })

  test('the key goes in a header and into no error', async () => {
    const keys: unknown[] = []
    const server = createServer((request, response) => {
      keys.push(request.headers['x-api-key'])
      response.writeHead(200).end('nonsense')
    })
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const access = open([`http://127.0.0.1:${(server.address() as AddressInfo).port}`])
    const error = await access.getAccount(wallet).catch((e: unknown) => e)
    expect(error).toMatchObject({ code: 'chain.bad-answer' })
    expect(keys[0]).toBe('k-1')
    expect(JSON.stringify(error) + String(error)).not.toContain('k-1')
  })

  test.each(['no connection', 'too many', 'server error', 'garbage', 'wrong shape', 'behind'] as const)(
    'when the first endpoint fails by "%s", the second answers',
    async (fault) => {
      const chain = createWorld()
      const good = createScriptedEndpoint(chain)
      const urls = [await serve(createScriptedEndpoint(chain, { fault: () => fault }).answer), await serve(good.answer)]
      const account = await open(urls, { maxAgeMs: 20_000 }).getAccount(wallet)
      expect(account.balanceNano).toBe(1_000n * TON)
    },
  )

  test('an endpoint that does not answer is given up in time', async () => {
    const chain = createWorld()
    const urls = [await serve(() => undefined), await serve(createScriptedEndpoint(chain).answer)]
    expect((await open(urls, { timeoutMs: 50 }).getAccount(wallet)).balanceNano).toBe(1_000n * TON)
  })

  test('an answer without end is cut off', async () => {
    const endless = 'x'.repeat(9 * 1024 * 1024)
    const url = await serve(() => ({ status: 200, retryAfterMs: null, dateMs: null, text: endless }))
    await expect(open([url]).getAccount(wallet)).rejects.toMatchObject({ code: 'chain.bad-answer' })
  })

  test('a caller that has gone is not waited for', async () => {
    const access = open([await serve(() => undefined)])
    const abort = new AbortController()
    const asked = access.getAccount(wallet, { signal: abort.signal })
    abort.abort(new Error('gone'))
    await expect(asked).rejects.toThrow('gone')
  })

  test('a message that the network refuses comes back with the network’s words', async () => {
    const chain = createWorld()
    const access = open([await serve(createScriptedEndpoint(chain).answer)])
    const order = { subwallet: 0, validUntilS: 5, seqno: 0, transfers: [] }
    const sent = await access.sendBoc(externalMessage(wallet, signWalletOrder(order, key)))
    expect(sent).toEqual({ accepted: false, why: expect.stringContaining('exitcode=1030') })
  })

  test('a get-method takes and returns numbers, cells and slices', async () => {
    const cell = beginCell().storeUint(5, 8).endCell()
    let asked: unknown
    const url = await serve((body) => {
      asked = (JSON.parse(body) as { params: { stack: unknown } }).params.stack
      const bytes = cell.toBoc().toString('base64')
      const stack = [
        ['num', '-0x10'],
        ['num', '7'],
        ['cell', { bytes }],
        ['slice', { bytes }],
      ]
      return {
        status: 200,
        retryAfterMs: null,
        dateMs: null,
        text: JSON.stringify({ ok: true, result: { exit_code: 0, stack } }),
      }
    })
    const result = await open([url]).runGetMethod(wallet, 'seqno', [
      { type: 'int', value: -5n },
      { type: 'cell', cell },
    ])
    expect(asked).toEqual([
      ['num', '-5'],
      ['tvm.Cell', cell.toBoc().toString('base64')],
    ])
    expect(result.exitCode).toBe(0)
    expect(result.stack[0]).toEqual({ type: 'int', value: -16n })
    expect(result.stack[3]).toMatchObject({ type: 'slice' })
  })
})

/** Lets a manual clock run until it is settled. */
async function until<T>(clock: ReturnType<typeof manualClock>, promise: Promise<T>): Promise<T> {
  let settled = false
  const watched = promise.finally(() => {
    settled = true
  })
  watched.catch(() => {})
  for (let i = 0; i < 300 && !settled; i++) {
    for (let j = 0; j < 5; j++) await new Promise((resolve) => setImmediate(resolve))
    if (!settled) clock.advance(500)
  }
  return watched
}

function scripted(faults: readonly (() => Fault)[], options: Partial<ToncenterOptions> = {}) {
  const clock = manualClock(1_777_000_000_000)
  const chain = createWorld(clock)
  const endpoints = faults.map((fault) => createScriptedEndpoint(chain, { fault }))
  const access = createToncenter(
    {
      endpoints: faults.map((_, i) => ({ url: `http://e${i}`, requestsPerSecond: 100 })),
      ...options,
    },
    {
      clock,
      random: seededRandom(4),
      log: silentLog,
      metrics: noMetrics,
      post: (request) => (endpoints[Number(request.url[8])] as (typeof endpoints)[0]).post(request),
    },
  )
  return { clock, chain, access, endpoints }
}

describe('believing endpoints', () => {
  test('one that goes back in time is stale, not believed', async () => {
    let fault: Fault = 'none'
    const { clock, access } = scripted([() => fault])
    await until(clock, access.getAccount(wallet))
    fault = 'behind'
    await expect(until(clock, access.getAccount(wallet))).rejects.toMatchObject({ code: 'chain.stale' })
  })

  test('one whose newest block is old is stale', async () => {
    const { clock, access } = scripted([() => 'behind'], { maxAgeMs: 20_000 })
    await expect(until(clock, access.getAccount(wallet))).rejects.toMatchObject({ code: 'chain.stale' })
  })

  test('one whose newest block is ahead of our clock is not believed either', async () => {
    const clock = manualClock(1_777_000_000_000)
    const endpoint = createScriptedEndpoint(createWorld(manualClock(1_777_000_090_000)))
    const access = createToncenter(
      { endpoints: [{ url: 'http://one', requestsPerSecond: 100 }] },
      { clock, random: seededRandom(1), log: silentLog, metrics: noMetrics, post: endpoint.post },
    )
    await expect(until(clock, access.getAccount(wallet))).rejects.toMatchObject({
      code: 'chain.clock',
      message: expect.stringMatching(/clock is [89]\d s behind the chain’s .*: set it, best by NTP/),
    })
  })

  test('old blocks are the endpoint’s fault when its clock says so too, and our clock’s when its clock is theirs', async () => {
    const clock = manualClock(1_777_000_600_000)
    const chain = createWorld(manualClock(1_777_000_000_000))
    let dateMs = clock.now()
    const endpoint = createScriptedEndpoint(chain, { dateMs: () => dateMs })
    const log = createRecordingLog()
    const access = createToncenter(
      { endpoints: [{ url: 'http://one', requestsPerSecond: 100 }] },
      { clock, random: seededRandom(1), log, metrics: noMetrics, post: endpoint.post },
    )
    await expect(until(clock, access.getAccount(wallet))).rejects.toMatchObject({ code: 'chain.stale' })
    expect(log.lines.filter((line) => line.startsWith('warn'))).toEqual([])
    dateMs = chain.clock.now()
    clock.advance(120_000)
    await expect(until(clock, access.getAccount(wallet))).rejects.toMatchObject({
      code: 'chain.clock',
      message: expect.stringMatching(/clock is 7\d\d s ahead of the chain’s .*: set it, best by NTP/),
    })
    expect(log.lines.filter((line) => line.startsWith('warn'))).toHaveLength(1)
  })

  test('an endpoint of another chain is neither read nor told anything, and the one that is meant takes its place', async () => {
    const clock = manualClock(1_777_000_000_000)
    const chain = createWorld(clock)
    const theirs = NETWORKS.testnet.zeroState
    const other = createScriptedEndpoint(chain, { zeroState: () => theirs })
    const meant = createScriptedEndpoint(chain, { zeroState: () => NETWORKS.mainnet.zeroState })
    const identity = createChainIdentity('mainnet', NETWORKS.mainnet.zeroState)
    const of = (endpoints: readonly ScriptedEndpoint[]): ChainAccess =>
      createToncenter(
        {
          endpoints: endpoints.map((_, i) => ({ url: `http://e${i}`, requestsPerSecond: 100 })),
          identity,
          crossCheck: false,
        },
        {
          clock,
          random: seededRandom(4),
          log: silentLog,
          metrics: noMetrics,
          post: (request) => (endpoints[Number(request.url[8])] as ScriptedEndpoint).post(request),
        },
      )
    const wrong = of([other])
    await expect(until(clock, wrong.getAccount(wallet))).rejects.toMatchObject({
      code: 'chain.other-network',
      message: expect.stringMatching(/^e0 serves testnet, and this node is set for mainnet: correct --ton-endpoints/),
    })
    // While it rests, why it does is still what is told.
    await expect(until(clock, wrong.getAccount(wallet))).rejects.toMatchObject({ code: 'chain.other-network' })
    await expect(until(clock, wrong.sendBoc(Cell.EMPTY))).rejects.toMatchObject({ code: 'chain.unavailable' })
    const both = of([other, meant])
    expect((await until(clock, both.getAccount(wallet))).status).toBe('active')
    await until(clock, both.sendBoc(Cell.EMPTY)).catch(() => undefined)
    expect(new Set(other.requests.map(({ method }) => method))).toEqual(new Set(['getMasterchainInfo']))
  })

  test('a local chain is the one its first endpoint tells, until it has become another', async () => {
    const clock = manualClock(1_777_000_000_000)
    let zeroState = 'aa'.repeat(32)
    const endpoint = createScriptedEndpoint(createWorld(clock), { zeroState: () => zeroState })
    const access = createToncenter(
      { endpoints: [{ url: 'http://one', requestsPerSecond: 100 }], identity: createChainIdentity('devnet', null) },
      { clock, random: seededRandom(4), log: silentLog, metrics: noMetrics, post: endpoint.post },
    )
    expect(await until(clock, access.zeroState())).toBe(zeroState)
    zeroState = 'bb'.repeat(32)
    // Asked again now and then, and after every failure.
    clock.advance(600_000)
    await expect(until(clock, access.getAccount(wallet))).rejects.toMatchObject({
      code: 'chain.other-network',
      message: expect.stringContaining('one serves another chain than one'),
    })
  })

  test('two that tell different states at one block contradict each other, and nothing is served', async () => {
    let fault: Fault = 'none'
    const { clock, chain, access } = scripted([() => fault, () => 'none'])
    await until(clock, access.getAccount(wallet, { confirmed: true }))
    fault = 'fork'
    await until(clock, access.getAccount(wallet))
    clock.advance(20_000)
    pay(chain, 0)
    await expect(until(clock, access.getAccount(wallet, { confirmed: true }))).rejects.toMatchObject({
      code: 'chain.contradiction',
    })
  })

  test('two that are a few blocks apart are waited for until they agree', async () => {
    let isBehind = true
    const { clock, chain, access } = scripted([() => (isBehind ? 'behind' : 'none'), () => 'none'], {
      maxAgeMs: 60_000,
    })
    clock.advance(60_000)
    pay(chain, 0)
    const asked = access.getAccount(wallet, { confirmed: true })
    clock.after(3_000, () => {
      isBehind = false
    })
    expect((await until(clock, asked)).lastLt).toBe(chain.account(wallet).lastLt)
  })

  test('with one that is down, nothing is confirmed, and everything else goes on', async () => {
    const { clock, access } = scripted([() => 'no connection', () => 'none'])
    await expect(until(clock, access.getAccount(wallet, { confirmed: true }))).rejects.toMatchObject({
      code: 'chain.unavailable',
    })
    expect((await until(clock, access.getAccount(wallet))).status).toBe('active')
  })

  test('the third takes the place of one that is down', async () => {
    const { clock, access } = scripted([() => 'none', () => 'garbage', () => 'none'])
    expect((await until(clock, access.getAccount(wallet, { confirmed: true }))).status).toBe('active')
  })

  test('an endpoint that leaves a transaction out is found out', async () => {
    const clock = manualClock(1_777_000_000_000)
    const chain = createWorld(clock)
    for (let i = 0; i < 4; i++) pay(chain, i)
    const endpoint = createScriptedEndpoint(chain)
    const [, skipped] = chain.account(wallet).history
    const access = createToncenter(
      { endpoints: [{ url: 'http://one', requestsPerSecond: 100 }] },
      {
        clock,
        random: seededRandom(1),
        log: silentLog,
        metrics: noMetrics,
        async post(request) {
          const answer = (await endpoint.post(request)) as HttpAnswer
          const body = JSON.parse(answer.text) as { result: unknown }
          if (!Array.isArray(body.result)) return answer
          const rest = (body.result as { transaction_id: { lt: string } }[]).filter(
            (t) => t.transaction_id.lt !== String(skipped?.lt),
          )
          return { ...answer, text: JSON.stringify({ ...body, result: rest }) }
        },
      },
    )
    const read = access.getTransactions(wallet, { afterLt: 0n, limit: 10 })
    await expect(until(clock, read)).rejects.toMatchObject({ code: 'chain.bad-answer' })
  })

  test('cells that unfold without end are not walked through', async () => {
    let bomb = beginCell().storeUint(1, 8).endCell()
    for (let i = 0; i < 100; i++) bomb = beginCell().storeRef(bomb).storeRef(bomb).endCell()
    const clock = manualClock(1_777_000_000_000)
    const chain = createWorld(clock)
    chain.set(wallet, { data: bomb })
    const endpoint = createScriptedEndpoint(chain)
    const access = createToncenter(
      { endpoints: [{ url: 'http://one', requestsPerSecond: 100 }] },
      { clock, random: seededRandom(1), log: silentLog, metrics: noMetrics, post: endpoint.post },
    )
    await expect(until(clock, access.getAccount(wallet))).rejects.toMatchObject({
      code: 'chain.bad-answer',
      message: expect.stringContaining('unfolds'),
    })
  })
})

describe('asking endpoints', () => {
  test('no more than its rate goes to an endpoint, and too long a queue is refused', async () => {
    const clock = manualClock()
    const rate = createRateLimit(2, clock)
    let taken = 0
    const waits = Array.from({ length: 20 }, () => rate.take().then(() => taken++))
    await new Promise((resolve) => setImmediate(resolve))
    expect(taken).toBe(2)
    for (let s = 1; s <= 5; s++) {
      clock.advance(1_000)
      await new Promise((resolve) => setImmediate(resolve))
      expect(taken).toBe(2 + 2 * s)
    }
    const refused = Array.from({ length: 20 }, () => rate.take())
    await expect(Promise.all(refused)).rejects.toMatchObject({ code: 'chain.unavailable' })
    clock.advance(60_000)
    await Promise.all(waits)
    await Promise.allSettled(refused)
  })

  test('a failing endpoint rests longer each time, and one success mends it', () => {
    const clock = manualClock()
    const circuit = createCircuit(clock, { bytes: (n) => new Uint8Array(n), fraction: () => 0.5 })
    circuit.failed()
    circuit.failed()
    expect(circuit.restMs()).toBe(0)
    circuit.failed()
    expect(circuit.restMs()).toBe(2_000)
    clock.advance(2_000)
    circuit.failed()
    expect(circuit.restMs()).toBe(4_000)
    // Questions that were under way with that one.
    for (let i = 0; i < 50; i++) circuit.failed()
    expect(circuit.restMs()).toBe(4_000)
    for (let i = 0; i < 50; i++) {
      clock.advance(circuit.restMs())
      circuit.failed()
    }
    expect(circuit.restMs()).toBe(60_000)
    clock.advance(60_000)
    circuit.succeeded()
    circuit.failed()
    expect(circuit.restMs()).toBe(0)
    circuit.askedTooOften(86_400_000)
    expect(circuit.restMs()).toBe(60_000)
  })

  test('an endpoint that is asked too often is left alone for as long as it says', async () => {
    let fault: Fault = 'too many'
    const { clock, access, endpoints } = scripted([() => fault, () => 'none'])
    await until(clock, access.getAccount(wallet))
    expect(endpoints[0]?.requests).toHaveLength(1)
    fault = 'none'
    await until(clock, access.getAccount(wallet))
    expect(endpoints[0]?.requests).toHaveLength(1)
    clock.advance(2_000)
    await until(clock, access.getAccount(wallet))
    expect(endpoints[0]?.requests).toHaveLength(2)
  })

  test('a message goes through every endpoint that is well', async () => {
    const { clock, access, endpoints, chain } = scripted([() => 'none', () => 'message lost', () => 'no connection'])
    const message = internalMessage({ to: receiver, valueNano: TON, body: Cell.EMPTY, bounce: false })
    const validUntilS = Math.floor(clock.now() / 1000) + 60
    const order = { subwallet: 0, validUntilS, seqno: 0, transfers: [{ mode: 0 as const, message }] }
    const sent = await until(clock, access.sendBoc(externalMessage(wallet, signWalletOrder(order, key))))
    expect(sent).toEqual({ accepted: true })
    expect(endpoints.map((e) => e.requests.length)).toEqual([1, 1, 1])
    expect(chain.paid.map((p) => p.body)).toEqual([toHex(Cell.EMPTY.hash())])
  })

  test('a configuration without endpoints, or with one that must be cross-checked, is refused', () => {
    expect(() => open([])).toThrow(expect.objectContaining({ code: 'config.ton-endpoints' }))
    expect(() => open(['http://x'], { crossCheck: true })).toThrow(
      expect.objectContaining({ code: 'config.ton-endpoints' }),
    )
  })
})
