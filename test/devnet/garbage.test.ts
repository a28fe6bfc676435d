/** Whatever is sent, the answer is an error in the API’s shape, and the chain goes on. */
import { beginCell, Cell, storeMessage, external } from '@ton/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { boc, call, compileRelay, deploy, startLocal, tick } from './support.ts'

const PATHS = [
  'getAddressInformation',
  'getTransactions',
  'runGetMethod',
  'sendBoc',
  'estimateFee',
  'getBlockTransactions',
  'lookupBlock',
  'shards',
  'tryLocateTx',
  'getConfigParam',
  'detectAddress',
]
const POSTS = ['message', 'runGetMethod', 'estimateFee', 'accountStates']

const KEYS = [
  'address',
  'limit',
  'lt',
  'hash',
  'boc',
  'method',
  'stack',
  'body',
  'seqno',
  'workchain',
  'source',
  'config_id',
]

const value = (good: readonly string[]): fc.Arbitrary<unknown> =>
  fc.oneof(fc.constantFrom(...good), fc.jsonValue({ maxDepth: 3 }), fc.string(), fc.integer(), fc.base64String())

test('no call and no value of a parameter brings the server down', async () => {
  const local = await startLocal()
  const relay = (await compileRelay())(1)
  await deploy(local, relay)
  const good = [relay.address.toString(), boc(tick(relay, 1)), 'counted', '0', '-1', '1', 'ff'.repeat(32)]
  const params = fc.dictionary(fc.constantFrom(...KEYS), value(good), { maxKeys: 6 })
  const calls = fc.oneof(
    fc.record({ path: fc.constantFrom(...PATHS.map((p) => `/api/v2/${p}`)), body: params }),
    fc.record({ path: fc.constantFrom(...POSTS.map((p) => `/api/v3/${p}`)), body: params }),
    fc.record({
      path: fc.constant('/jsonRPC'),
      body: fc.record({ method: fc.oneof(fc.constantFrom(...PATHS), fc.string()), params, id: fc.jsonValue() }),
    }),
    fc.record({
      path: fc.constantFrom(
        '/devnet/faucet',
        '/devnet/time',
        '/devnet/faults',
        '/devnet/nothing',
        '/api/v2/__proto__',
        '/api/v2/constructor',
      ),
      body: fc.dictionary(fc.constantFrom('address', 'amount', 'blocks', 'now', 'x'), fc.jsonValue(), { maxKeys: 3 }),
    }),
  )
  await fc.assert(
    fc.asyncProperty(calls, async ({ path, body }) => {
      const reply = await call(local.url, path, body)
      expect([200, 404, 422, 500]).toContain(reply.status)
      if (reply.status !== 200) expect(typeof reply.body.error).toBe('string')
      // A failure that nobody foresaw would be an internal error without a reason.
      expect(reply.body.error ?? '').not.toMatch(/undefined|is not a function|Cannot read/)
    }),
    { numRuns: 400, seed: 5 },
  )
  await local.settle()
  expect((await call(local.url, '/api/v2/getMasterchainInfo')).status).toBe(200)
})

test('bags of cells that are damaged, not messages, or for nowhere are refused', async () => {
  const local = await startLocal()
  const relay = (await compileRelay())(1)
  await deploy(local, relay)
  const whole = tick(relay, 1).toBoc()
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
      const damaged = Buffer.from(whole)
      damaged[at] = (damaged[at] as number) ^ flip
      const reply = await call(local.url, '/api/v2/sendBoc', { boc: damaged.toString('base64') })
      expect([200, 422, 500]).toContain(reply.status)
    }),
    { numRuns: 100, seed: 6 },
  )
  let deep = Cell.EMPTY
  for (let i = 0; i < 600; i++) deep = beginCell().storeRef(deep).endCell()
  const refused = [
    Cell.EMPTY,
    deep,
    beginCell().storeUint(0, 1023).endCell(),
    beginCell()
      .store(storeMessage(external({ to: relay.address, body: deep })))
      .endCell(),
  ]
  for (const cell of refused) expect((await call(local.url, '/api/v2/sendBoc', { boc: boc(cell) })).status).toBe(422)
  await local.settle()
  expect((await local.client.runMethod(relay.address, 'counted')).stack.readNumber()).toBeLessThanOrEqual(100)
})

test('bodies that are no JSON, of another type or too long have a status and an error', async () => {
  const local = await startLocal()
  const send = async (body: string, type = 'application/json'): Promise<number> => {
    const response = await fetch(`${local.url}/api/v2/jsonRPC`, {
      method: 'POST',
      body,
      headers: { 'content-type': type },
    })
    expect(await response.json()).toMatchObject({ ok: false, error: expect.any(String) })
    return response.status
  }
  expect(await send('{"method":')).toBe(400)
  expect(await send('[]')).toBe(422)
  expect(await send('null')).toBe(422)
  expect(await send('{}', 'text/html')).toBe(415)
  expect(await send(`{"method":"${'x'.repeat(2 * 1024 * 1024)}"}`)).toBe(413)
})
