/** What the chain does with messages, blocks, time and history, seen over HTTP. */
import { Address, Cell } from '@ton/core'
import { expect, test } from 'vitest'
import { manualClock, systemClock } from '../../src/util/index.ts'
import {
  boc,
  call,
  compileRelay,
  deploy,
  type Local,
  refuseBody,
  relayBody,
  startLocal,
  talkTo,
  TON,
  tick,
  v2,
} from './support.ts'

const A_DAY = 24 * 60 * 60

type Contract = ReturnType<Awaited<ReturnType<typeof compileRelay>>>

async function twoRelays(options: object = {}): Promise<{ local: Local; left: Contract; right: Contract }> {
  const local = await startLocal(options)
  const relay = await compileRelay()
  const [left, right] = [relay(1), relay(2)]
  await deploy(local, left)
  await deploy(local, right)
  return { local, left, right }
}

const read = async (local: Local, address: Address, method: string): Promise<bigint> =>
  (await local.client.runMethod(address, method)).stack.readBigNumber()

test('a message takes a block for every hop, and the states in between can be seen', async () => {
  const { local, left, right } = await twoRelays()
  const before = (await local.status()).seqno as number
  await local.faucet(left.address, TON, { body: boc(relayBody(3, right.address)) })
  const accountsByBlock: string[][] = []
  for (let i = 1; i <= 5; i++) {
    await local.order('mine')
    const found = (await v2(local.url, 'getBlockTransactions', { workchain: 0, seqno: before + i })) as unknown as {
      transactions: { account: string }[]
    }
    accountsByBlock.push(found.transactions.map((t) => t.account))
    const isUnderWay = i < 4
    expect([i, (await local.status()).idle]).toEqual([i, !isUnderWay])
    expect(await read(local, right.address, 'arrived')).toBe(isUnderWay ? 0n : 1n)
  }
  const [l, r] = [left.address.toRawString(), right.address.toRawString()]
  expect(accountsByBlock).toEqual([[l], [r], [l], [r], []])
})

test('a message that its contract refuses bounces to the sender with the money that is left', async () => {
  const { local, left, right } = await twoRelays()
  await local.faucet(right.address, TON, { body: boc(refuseBody(4242)) })
  await local.settle()
  const [refused] = await local.client.getTransactions(right.address, { limit: 1 })
  expect(refused?.description).toMatchObject({ aborted: true, computePhase: { exitCode: 4242 } })
  // Minted money does not bounce. What a contract sends does: nobody lives at this address.
  const nobody = new Address(0, Buffer.alloc(32, 0x99))
  await local.faucet(left.address, TON, { body: boc(relayBody(1, nobody)) })
  await local.settle()
  expect(await read(local, left.address, 'bounced')).toBe(1n)
  expect(await local.client.getBalance(nobody)).toBe(0n)
  const [bounced] = await local.client.getTransactions(left.address, { limit: 1 })
  expect(bounced?.inMessage?.info).toMatchObject({ type: 'internal', bounced: true })
})

test('an external message that is refused leaves no trace and costs nothing', async () => {
  const { local, left } = await twoRelays()
  const balance = await local.client.getBalance(left.address)
  const sent = await call(local.url, '/api/v2/sendBoc', { boc: boc(tick(left, 1, 77)) })
  expect(sent).toMatchObject({ status: 500, body: { ok: false, error: expect.stringContaining('exitcode=77') } })
  await local.order('mine')
  expect(await local.client.getBalance(left.address)).toBe(balance)
  expect(await local.status()).toMatchObject({ pool: 0, refused: 0 })
})

test('the same external message sent twice before a block is taken once', async () => {
  const { local, left } = await twoRelays()
  for (let i = 0; i < 2; i++)
    expect((await call(local.url, '/api/v2/sendBoc', { boc: boc(tick(left, 5)) })).status).toBe(200)
  await local.settle()
  expect(await read(local, left.address, 'counted')).toBe(1n)
})

test('on a cadence blocks come by the clock, and a message waits for the next', async () => {
  const clock = manualClock()
  const local = await startLocal({ blockIntervalMs: 1_000 }, clock)
  const relay = (await compileRelay())(1)
  const seqno = async (): Promise<number> => (await local.status()).seqno as number
  const first = await seqno()
  await local.faucet(relay.address, TON)
  expect(await local.client.getBalance(relay.address)).toBe(0n)
  clock.advance(999)
  expect(await seqno()).toBe(first)
  clock.advance(1)
  await expect.poll(seqno).toBe(first + 1)
  expect(await local.client.getBalance(relay.address)).toBe(TON)
})

test('with no interval a message is in a block at once, and no block is made without one', async () => {
  const local = await startLocal({ blockIntervalMs: 0 }, systemClock)
  const { left, right } = { left: (await compileRelay())(1), right: (await compileRelay())(2) }
  await deploy(local, left)
  await deploy(local, right)
  await local.faucet(left.address, TON, { body: boc(relayBody(3, right.address)) })
  await expect.poll(() => read(local, right.address, 'arrived')).toBe(1n)
  const { seqno } = await local.status()
  expect((await local.status()).idle).toBe(true)
  expect((await local.status()).seqno).toBe(seqno)
})

test('time travel is seen by contracts and by blocks, and storage is paid for it', async () => {
  const { local, left } = await twoRelays()
  const before = Number(await read(local, left.address, 'now'))
  await local.order('time', { advanceSeconds: 365 * A_DAY })
  expect(Number(await read(local, left.address, 'now'))).toBe(before + 365 * A_DAY)
  const header = await v2(local.url, 'getBlockHeader', { workchain: 0, seqno: (await local.status()).seqno })
  expect(header.gen_utime).toBe(before + 365 * A_DAY)

  await call(local.url, '/api/v2/sendBoc', { boc: boc(tick(left, 1)) })
  await local.settle()
  const [latest] = (await v2(local.url, 'getTransactions', {
    address: left.address.toString(),
    limit: 1,
  })) as unknown as {
    storage_fee: string
  }[]
  expect(Number(latest?.storage_fee)).toBeGreaterThan(1_000_000)

  await local.order('time', { now: before + 400 * A_DAY })
  expect(Number(await read(local, left.address, 'now'))).toBe(before + 400 * A_DAY)
  await expect(local.order('time', { now: before })).rejects.toThrow('422')
})

test('an account is answered as of any of the last blocks', async () => {
  const local = await startLocal()
  const address = new Address(0, Buffer.alloc(32, 3))
  const balances: unknown[] = []
  for (let i = 0; i < 4; i++) {
    await local.faucet(address, TON)
    await local.order('mine')
  }
  const last = (await local.status()).seqno as number
  for (let seqno = last - 4; seqno <= last; seqno++)
    balances.push(await v2(local.url, 'getAddressBalance', { address: address.toString(), seqno }))
  expect(balances).toEqual(['0', '1000000000', '2000000000', '3000000000', '4000000000'])
})

test('history is trimmed per account and in all, and what is left is still linked', async () => {
  const { local, left, right } = await twoRelays({
    keepTransactionsPerAccount: 16,
    keepTransactions: 64,
    keepBlocks: 256,
  })
  for (let i = 0; i < 60; i++) await call(local.url, '/api/v2/sendBoc', { boc: boc(tick(left, i)) })
  await local.settle()
  const own = await local.client.getTransactions(left.address, { limit: 100 })
  expect(own).toHaveLength(16)
  for (const [i, t] of own.slice(1).entries()) expect(own[i]?.prevTransactionLt).toBe(t.lt)
  expect(await read(local, left.address, 'counted')).toBe(60n)
  // The deployment of both, long ago: one is trimmed for its account, the other is not.
  expect(await local.client.getTransactions(right.address, { limit: 100 })).toHaveLength(1)

  for (let i = 0; i < 100; i++) await local.faucet(new Address(0, Buffer.alloc(32, i)), TON)
  await local.settle()
  expect(await local.status()).toMatchObject({ transactions: 64 })
  await local.order('mine', { blocks: 300 })
  expect(await local.status()).toMatchObject({ blocks: 256 })
  const missing = await call(local.url, '/api/v2/getBlockHeader', { workchain: -1, seqno: 1 })
  expect(missing).toMatchObject({ status: 500, body: { ok: false, code: 500 } })
})

test('money is neither made nor lost but by faucet, fees and what is under way', async () => {
  const { local, left, right } = await twoRelays()
  await local.faucet(left.address, 5n * TON, { body: boc(relayBody(9, right.address)) })
  await local.settle()
  let fees = 0n
  for (const relay of [left, right])
    for (const t of await local.client.getTransactions(relay.address, { limit: 100 })) {
      fees += t.totalFees.coins
      // Forwarding is paid when sent: what of it is not in the fees is the message’s own.
      for (const m of t.outMessages.values()) if (m.info.type === 'internal') fees += m.info.forwardFee
    }
  const left_ = await local.client.getBalance(left.address)
  const right_ = await local.client.getBalance(right.address)
  expect(left_ + right_ + fees).toBe(25n * TON)
})

test('the chain answers while it is busy with a long block', async () => {
  const { local, left, right } = await twoRelays()
  for (let i = 0; i < 100; i++) await local.faucet(left.address, TON, { body: boc(relayBody(1, right.address)) })
  const before = (await local.status()).seqno
  const mined = local.order('mine')
  // Whole blocks only: until it is done the one before is the last.
  const seen = new Set<unknown>()
  for (let i = 0; i < 5; i++) seen.add((await talkTo(local.url).status()).seqno)
  await mined
  expect(seen.has(before)).toBe(true)
  expect(await read(local, right.address, 'arrived')).toBe(0n)
  await local.settle()
  expect(await read(local, right.address, 'arrived')).toBe(100n)
})

test('a transaction’s bytes are the ones its hash names', async () => {
  const { local, left } = await twoRelays()
  const [shown] = (await v2(local.url, 'getTransactions', { address: left.address.toString() })) as unknown as {
    data: string
    transaction_id: { hash: string }
  }[]
  expect(
    Cell.fromBase64(shown?.data ?? '')
      .hash()
      .toString('base64'),
  ).toBe(shown?.transaction_id.hash)
})
