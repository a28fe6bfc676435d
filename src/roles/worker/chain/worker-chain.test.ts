import { expect, test } from 'vitest'
import { createRecordingLog } from '../../../../test/support/recording-log.ts'
import { addressAt as at, ROOT_PARAMS as params } from '../../../../test/support/root-params.ts'
import {
  type Address,
  type ChainAccess,
  proxyStateInit,
  type SendOutcome,
  signingKeyFromSeed,
  signPayment,
  type WalletSender,
  workerContractAddress,
} from '../../../chain/index.ts'
import { manualClock, NANO_PER_TON, seededRandom } from '../../../util/index.ts'
import { createWorkerChain } from './worker-chain.ts'

const AT_MS = 1_777_000_000_000
const key = signingKeyFromSeed(new Uint8Array(32).fill(3))
const owner = at(4)
const contract = at(1)
const ownContract = workerContractAddress(params, { owner, proxy: contract, proxyPublicKey: key.publicKey })
const signed = 10n ** 10n
const work = {
  contract,
  ownContract,
  publicKey: key.publicKey,
  signed,
  payment: signPayment({ kind: 'payout', tokens: signed, contract: ownContract }, key, at(1), 1n),
}

/** A worker that is owed 180 TON, a proxy contract that can pay, and a wallet that outlives processes. */
function createWorld(worker: object = {}) {
  const clock = manualClock(AT_MS)
  const outcomes = new Map<string, SendOutcome>()
  const nobody = { code: null, data: null, balanceNano: 0n, lastLt: 0n, lastHash: '', seqno: 1, atMs: AT_MS }
  const proxy = proxyStateInit(params, { owner: at(7), publicKey: key.publicKey, root: at(8) })
  const accounts = new Map<string, object>([
    [ownContract.toRawString(), { ...nobody, status: 'uninitialized', address: ownContract, ...worker }],
    [
      contract.toRawString(),
      { ...nobody, ...proxy, status: 'active', address: contract, balanceNano: 1_000n * NANO_PER_TON },
    ],
  ])
  let reads = 0
  let hold: Promise<void> | undefined
  const access = {
    async getAccount(address: Address) {
      reads++
      await hold
      return accounts.get(address.toRawString())
    },
  }
  const wallet = {
    address: at(9),
    outcomeOf: (id: string) => outcomes.get(id),
    send({ id }: { readonly id: string }) {
      const outcome: SendOutcome = { result: 'confirmed', lt: 1n, hash: 'ab', atS: AT_MS / 1000, feeNano: 0n }
      outcomes.set(id, outcome)
      return Promise.resolve(outcome)
    },
  }
  const log = createRecordingLog()
  const start = (seed: number) => {
    const chain = createWorkerChain(
      {
        clock,
        random: seededRandom(seed),
        log,
        access: access as unknown as ChainAccess,
        wallet: wallet as unknown as WalletSender,
        owner,
        params: () => params,
      },
      { collectAtTon: 20, collectAfterMs: 86_400_000, pollMs: 1_000 },
    )
    chain.note(work)
    return chain
  }
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms)
    for (let i = 0; i < 40; i++) await Promise.resolve()
  }
  return {
    start,
    pass,
    log,
    sent: () => outcomes.size,
    reads: () => reads,
    holdReads: (until: Promise<void>) => void (hold = until),
  }
}

test('a payout that is worth it is collected once, however often the contract is looked at before it moves', async () => {
  const { start, pass, sent } = createWorld()
  const chain = start(1)
  for (let i = 0; i < 20; i++) await pass(2_000)
  expect(chain.status()).toMatchObject([{ transaction: 'ab', lastError: null }])
  chain.close()
  expect(sent()).toBe(1)
})

test('a worker that dies after it has collected does not collect again when it is back', async () => {
  const { start, pass, sent } = createWorld()
  for (const seed of [1, 2]) {
    const chain = start(seed)
    await pass(2_000)
    chain.close()
  }
  expect(sent()).toBe(1)
})

test('an endpoint that is slower than the time between two looks is not asked twice at once', async () => {
  const { start, pass, reads, holdReads } = createWorld()
  let release = (): void => undefined
  holdReads(new Promise((resolve) => (release = resolve)))
  const chain = start(1)
  for (let i = 0; i < 10; i++) await pass(2_000)
  expect(reads()).toBe(1)
  release()
  await pass(2_000)
  expect(reads()).toBeGreaterThan(1)
  chain.close()
})

test('to a contract that is frozen nothing is sent, and the log says why', async () => {
  const { start, pass, sent, log } = createWorld({ status: 'frozen' })
  const chain = start(1)
  await pass(2_000)
  chain.close()
  expect(sent()).toBe(0)
  expect(log.lines.join('\n')).toMatch(/owes rent and is frozen/)
})
