/** Every fault that can be ordered is seen by a caller, and is gone when it is cleared. */
import { Address } from '@ton/core'
import { expect, test } from 'vitest'
import { manualClock } from '../../src/util/index.ts'
import { boc, call, clientOf, compileRelay, deploy, startLocal, talkTo, TON, tick } from './support.ts'

const ACCOUNT = new Address(0, Buffer.alloc(32, 0x77))

test('late blocks come late by as much', async () => {
  const clock = manualClock()
  const local = await startLocal({ blockIntervalMs: 1_000 }, clock)
  const seqno = async (): Promise<number> => (await local.status()).seqno as number
  await local.order('faults', { lateBlocksMs: 5_000 })
  const first = await seqno()
  // The one that was due already is on time.
  clock.advance(1_000)
  await expect.poll(seqno).toBe(first + 1)
  clock.advance(5_999)
  expect(await seqno()).toBe(first + 1)
  clock.advance(1)
  await expect.poll(seqno).toBe(first + 2)
})

test('a lost message is acknowledged and never seen again; the next one is not lost', async () => {
  const local = await startLocal()
  const relay = (await compileRelay())(1)
  await deploy(local, relay)
  await local.order('faults', { loseMessages: { next: 1 } })
  for (const nonce of [1, 2])
    expect((await call(local.url, '/api/v2/sendBoc', { boc: boc(tick(relay, nonce)) })).status).toBe(200)
  await local.settle()
  expect((await local.client.runMethod(relay.address, 'counted')).stack.readNumber()).toBe(1)
  expect(await faultsOf(local.url)).toMatchObject({ loseMessages: { next: 0 } })

  await local.order('faults', { loseMessages: { probability: 1 } })
  await local.client.sendFile(tick(relay, 3).toBoc())
  await local.settle()
  expect((await local.client.runMethod(relay.address, 'counted')).stack.readNumber()).toBe(1)
})

test('stale replies are those of so many blocks ago, consistently', async () => {
  const local = await startLocal()
  for (let i = 0; i < 4; i++) {
    await local.faucet(ACCOUNT, TON)
    await local.order('mine')
  }
  const { latestSeqno } = await local.client.getMasterchainInfo()
  await local.order('faults', { staleReplies: { blocks: 2 } })
  expect((await local.client.getMasterchainInfo()).latestSeqno).toBe(latestSeqno - 2)
  expect(await local.client.getBalance(ACCOUNT)).toBe(2n * TON)
  expect(await local.client.getTransactions(ACCOUNT, { limit: 10 })).toHaveLength(2)
  const v3 = await call(local.url, `/api/v3/transactions?account=${ACCOUNT}`)
  expect((v3.body as unknown as { transactions: unknown[] }).transactions).toHaveLength(2)
  await clear(local.url)
  expect(await local.client.getBalance(ACCOUNT)).toBe(4n * TON)
})

test('failing and limited replies have toncenter’s status and shape', async () => {
  const clock = manualClock()
  const local = await startLocal({}, clock)
  const path = `/api/v2/getAddressBalance?address=${ACCOUNT}`
  await local.order('faults', { failReplies: { next: 2, status: 502 } })
  expect(await call(local.url, path)).toMatchObject({ status: 502, body: { ok: false, code: 502 } })
  expect((await call(local.url, '/api/v3/masterchainInfo')).status).toBe(502)
  expect((await call(local.url, path)).status).toBe(200)

  await local.order('faults', { rateLimitPerSecond: 2, failReplies: null })
  const statuses = async (): Promise<number[]> => {
    const replies: number[] = []
    for (let i = 0; i < 4; i++) replies.push((await call(local.url, path)).status)
    return replies
  }
  expect(await statuses()).toEqual([200, 200, 429, 429])
  clock.advance(1_000)
  expect(await statuses()).toEqual([200, 200, 429, 429])
  expect((await call(local.url, path)).body).toMatchObject({ ok: false, code: 429, error: 'Ratelimit exceed' })
})

test('slow replies wait for the clock', async () => {
  const clock = manualClock()
  const local = await startLocal({}, clock)
  await local.order('faults', { slowRepliesMs: 60_000 })
  let isAnswered = false
  const slow = local.client.getBalance(ACCOUNT).then(() => (isAnswered = true))
  // The devnet’s own calls are not slowed, so this one passes it.
  await local.status()
  expect(isAnswered).toBe(false)
  await expect
    .poll(() => {
      clock.advance(60_000)
      return isAnswered
    })
    .toBe(true)
  await slow
})

test('two endpoints differ in freshness, each by its own order', async () => {
  const local = await startLocal({ forkPort: 0 })
  const forkUrl = local.devnet.forkUrl ?? ''
  for (let i = 0; i < 3; i++) {
    await local.faucet(ACCOUNT, TON)
    await local.order('mine')
  }
  const second = talkTo(forkUrl)
  await second.order('faults', { staleReplies: { blocks: 1 } })
  expect(await local.client.getBalance(ACCOUNT)).toBe(3n * TON)
  expect(await second.client.getBalance(ACCOUNT)).toBe(2n * TON)
  const ids = await Promise.all([rootHashAt(local.url, 2), rootHashAt(forkUrl, 2)])
  expect(ids[0]).toBe(ids[1])
})

test('forked endpoints go their own ways: same numbers, other blocks, other balances, and one truth again afterwards', async () => {
  const local = await startLocal({ forkPort: 0 })
  const forkUrl = local.devnet.forkUrl ?? ''
  const second = talkTo(forkUrl)
  await local.faucet(ACCOUNT, TON)
  await local.order('mine')
  const { seqno } = await local.status()
  await local.order('faults', { forkEndpoints: true })
  expect(await second.client.getBalance(ACCOUNT)).toBe(TON)
  await second.faucet(ACCOUNT, 5n * TON)
  await local.order('mine')
  await second.order('mine')
  expect(await local.client.getBalance(ACCOUNT)).toBe(TON)
  expect(await second.client.getBalance(ACCOUNT)).toBe(6n * TON)
  const next = (seqno as number) + 1
  expect(await rootHashAt(forkUrl, seqno as number)).toBe(await rootHashAt(local.url, seqno as number))
  expect(await rootHashAt(forkUrl, next)).not.toBe(await rootHashAt(local.url, next))

  await second.order('faults', { forkEndpoints: false })
  expect(await clientOf(forkUrl).getBalance(ACCOUNT)).toBe(TON)
  expect(await rootHashAt(forkUrl, next)).toBe(await rootHashAt(local.url, next))
})

test('a fork needs a second endpoint, and an unknown fault is refused by name', async () => {
  const local = await startLocal()
  await expect(local.order('faults', { forkEndpoints: true })).rejects.toThrow(/422.*forkPort/)
  await expect(local.order('faults', { latBlocksMs: 1 })).rejects.toThrow(/422.*latBlocksMs/)
  await expect(local.order('faults', { lateBlocksMs: -1 })).rejects.toThrow(/422.*lateBlocksMs/)
})

const faultsOf = async (url: string): Promise<unknown> => (await call(url, '/devnet/faults')).body.result
const clear = (url: string): Promise<Response> => fetch(`${url}/devnet/faults`, { method: 'DELETE' })

async function rootHashAt(url: string, seqno: number): Promise<unknown> {
  const { body } = await call(url, `/api/v2/lookupBlock?workchain=0&seqno=${seqno}`)
  return (body.result as { root_hash?: unknown } | undefined)?.root_hash
}
