import { expect, test } from 'vitest'
import { createRecordingLog } from '../../../../test/support/recording-log.ts'
import { addressAt as at, ROOT_PARAMS as params } from '../../../../test/support/root-params.ts'
import {
  type ChainAccess,
  clientState,
  clientStateInit,
  type SendOutcome,
  type WalletSender,
} from '../../../chain/index.ts'
import { manualClock, type Random, seededRandom } from '../../../util/index.ts'
import { createClientChain, registrationPauseMs } from './client-chain.ts'

const TON = 1_000_000_000n
const proxy = { contract: at(1), ownContract: at(2), publicKey: new Uint8Array(32).fill(3) }

/** A contract without money, and what the client sends because of it. */
async function sentWhen(used: bigint, mostOwedNano: bigint) {
  const clock = manualClock()
  const log = createRecordingLog()
  const sent: string[] = []
  const { code, data } = clientStateInit(params, { owner: at(4), proxy: at(1), proxyPublicKey: proxy.publicKey })
  const account = { address: at(2), status: 'active', code, data, balanceNano: TON, lastLt: 1n, atMs: clock.now() }
  const access = { getAccount: () => Promise.resolve(account) } as unknown as ChainAccess
  const wallet = {
    address: at(4),
    outcomeOf: () => undefined,
    send: ({ id }: { id: string }) => {
      sent.push(id.replace(/-[0-9a-f]+$/, ''))
      return Promise.resolve({ result: 'confirmed', hash: '00' })
    },
  } as unknown as WalletSender
  const chain = createClientChain(
    {
      clock,
      random: seededRandom(1),
      log,
      access,
      wallet,
      secretHash: null,
      params: () => params,
      mostOwedNano: () => mostOwedNano,
    },
    { topUp: true, pollMs: 1_000 },
  )
  chain.note(proxy, { used: 0n, signed: 0n, payment: null })
  chain.note(proxy, { used, signed: 0n, payment: null })
  clock.advance(2_000)
  for (let i = 0; i < 20; i++) await Promise.resolve()
  chain.close()
  return { sent, errors: log.lines.filter((line) => line.startsWith('error')) }
}

test('a proxy that claims no more than the requests can have cost gets its deposit', async () => {
  expect(await sentWhen(1_000n, 20_000n)).toEqual({ sent: ['client-top-up'], errors: [] })
})

test('a proxy that claims more gets nothing more, and the log says so once', async () => {
  const { sent, errors } = await sentWhen(TON, 20_000n)
  expect(sent).toEqual([])
  expect(errors).toHaveLength(1)
  expect(errors[0]).toContain('claim more than all requests can have cost')
})

test('a look around and a registration at the same time put one contract there, not two', async () => {
  const clock = manualClock()
  const answers: (() => void)[] = []
  const nobody = {
    address: at(2),
    status: 'nonexist',
    code: null,
    data: null,
    balanceNano: 0n,
    lastLt: 0n,
    atMs: clock.now(),
  }
  const access = { getAccount: () => new Promise((resolve) => answers.push(() => resolve(nobody))) }
  const sent: { readonly id: string; readonly transfers: readonly unknown[] }[] = []
  const wallet = {
    address: at(4),
    outcomeOf: () => undefined,
    send(order: (typeof sent)[number]) {
      sent.push(order)
      return Promise.resolve({ result: 'confirmed', hash: '00' })
    },
  }
  const deps = { clock, random: seededRandom(1), log: createRecordingLog(), secretHash: null }
  const chain = createClientChain(
    {
      ...deps,
      access: access as unknown as ChainAccess,
      wallet: wallet as unknown as WalletSender,
      params: () => params,
      mostOwedNano: () => 0n,
    },
    { topUp: true, pollMs: 1_000 },
  )
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 30; i++) await Promise.resolve()
  }
  chain.meet(proxy)
  clock.advance(2_000)
  const registered = chain.register(proxy, 7n)
  for (let i = 0; i < 4; i++) {
    await settle()
    clock.advance(1)
    await settle()
    for (const answer of answers.splice(0)) answer()
  }
  await registered
  chain.close()
  expect(sent.map(({ id, transfers }) => [id.replace(/-[0-9a-f]+$/, ''), transfers.length])).toEqual([
    ['client-deploy', 1],
    ['client-register', 1],
  ])
})

/** A process of the client with a wallet that outlives it, and a look at its contract. */
function createWorld(account: object, clockAtMs = 1_777_000_000_000) {
  const clock = manualClock(clockAtMs)
  const outcomes = new Map<string, SendOutcome>()
  const wallet = {
    address: at(4),
    outcomeOf: (id: string) => outcomes.get(id),
    send({ id }: { readonly id: string }) {
      const outcome: SendOutcome = { result: 'confirmed', lt: 1n, hash: '00', atS: CHAIN_MS / 1000, feeNano: 0n }
      outcomes.set(id, outcome)
      return Promise.resolve(outcome)
    },
  }
  const log = createRecordingLog()
  const run = async (random: Random): Promise<void> => {
    const chain = createClientChain(
      {
        clock,
        random,
        log,
        access: { getAccount: () => Promise.resolve(account) } as unknown as ChainAccess,
        wallet: wallet as unknown as WalletSender,
        secretHash: null,
        params: () => params,
        mostOwedNano: () => TON,
      },
      { topUp: true, pollMs: 1_000 },
    )
    chain.meet(proxy)
    clock.advance(2_000)
    for (let i = 0; i < 30; i++) await Promise.resolve()
    chain.close()
  }
  return { run, log, sent: () => [...outcomes.keys()].map((id) => id.replace(/-[0-9a-f]+$/, '')) }
}
const CHAIN_MS = 1_777_000_000_000
const ABSENT = {
  address: at(2),
  status: 'uninitialized',
  code: null,
  data: null,
  balanceNano: 0n,
  lastLt: 0n,
  atMs: CHAIN_MS,
}
const { code, data } = clientStateInit(params, { owner: at(4), proxy: at(1), proxyPublicKey: proxy.publicKey })

test('a client that dies after its deposit has left the wallet does not deposit again when it is back', async () => {
  const { run, sent } = createWorld(ABSENT)
  await run(seededRandom(1))
  await run(seededRandom(2))
  expect(sent()).toEqual(['client-deploy'])
})

test.each([
  ['behind', CHAIN_MS - 86_400_000],
  ['ahead of', CHAIN_MS + 86_400_000],
])(
  'a client whose clock is a day %s the chain’s ends a closing when the contract lets it, and not before',
  async (_, now) => {
    const stored = clientState.loadPrefix(data)
    const closing = (unlockMs: number) => ({
      ...ABSENT,
      status: 'active',
      code,
      data: clientState.storeCell({ ...stored, state: 'closing', unlockTs: unlockMs / 1000 }),
    })
    const early = createWorld(closing(CHAIN_MS + 60_000), now)
    await early.run(seededRandom(1))
    expect(early.sent()).toEqual([])
    const due = createWorld(closing(CHAIN_MS - 60_000), now)
    await due.run(seededRandom(1))
    expect(due.sent()).toEqual(['client-request-refund'])
  },
)

test.each([
  ['is frozen', { ...ABSENT, status: 'frozen' }, /owes rent and is frozen/],
  ['runs another code', { ...ABSENT, status: 'active', code: data, data }, /runs? another code/],
])('to a contract that %s nothing is sent, and the log says why', async (_, account, why) => {
  const { run, sent, log } = createWorld(account)
  await run(seededRandom(1))
  expect(sent()).toEqual([])
  expect(log.lines.join('\n')).toMatch(why)
})

test('a connection that comes and goes registers less and less often', () => {
  const nowMs = 10_000_000
  const pauseAfter = (count: number): number =>
    registrationPauseMs(
      Array.from({ length: count }, () => nowMs),
      nowMs,
    )
  expect([0, 1, 2, 3, 4, 5, 16].map(pauseAfter)).toEqual([0, 0, 0, 15_000, 30_000, 60_000, 600_000])
  expect(
    registrationPauseMs(
      Array.from({ length: 16 }, () => nowMs - 3_600_000),
      nowMs,
    ),
  ).toBe(0)
})
