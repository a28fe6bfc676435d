/** NVIDIA's answers about revocation, asked for over real HTTP of responders that exist in tests only. */
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { itemsOfGpu } from '../../test/support/gpu-collateral.ts'
import { createTestDevice, type DeviceChanges, type TestGpu } from '../../test/support/gpu-device.ts'
import { createTestRefusal } from '../../test/support/ocsp-maker.ts'
import { TEST_NOW_MS } from '../../test/support/test-pki.ts'
import {
  type CollateralItem,
  type CollateralWant,
  encodeBundle,
  nodeVerifyCrypto,
  parseBundle,
  parseOcspRequest,
  wantOfItem,
  wantsOfGpu,
} from '../tee/index.ts'
import { manualClock, seededRandom, silentLog } from '../util/index.ts'
import { type CollateralKeeper, createCollateralKeeper } from './keeper.ts'
import { serveCollateral } from './serve.ts'
import { requestFor, VENDOR_SERVERS } from './vendors.ts'

const HOUR_MS = 3_600_000
const device = createTestDevice()

const closing: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

interface Kept {
  readonly keeper: CollateralKeeper
  readonly clock: ReturnType<typeof manualClock>
  readonly asked: string[]
  serve(gpu: TestGpu): void
}

async function createKeeper(gpu: TestGpu): Promise<Kept> {
  const clock = manualClock(TEST_NOW_MS)
  const asked: string[] = []
  let items = itemsOfGpu(gpu)
  const server = await serveCollateral({
    host: '127.0.0.1',
    port: 0,
    bundle: () => ({ madeAtMs: 0, items }),
    onRequest: (path, status) => asked.push(`${status} ${path}`),
  })
  closing.push(() => server.close())
  const keeper = keeperAt(clock, server.url, gpu)
  return { keeper, clock, asked, serve: (next) => (items = itemsOfGpu(next)) }
}

function keeperAt(clock: Kept['clock'], url: string, { deviceRoots, manifestRoots }: TestGpu): CollateralKeeper {
  const keeper = createCollateralKeeper(
    { clock, random: seededRandom(1), log: silentLog },
    {
      servers: { intel: null, amd: null, nvidia: url, nvidiaOcsp: url },
      path: null,
      refreshEveryMs: 24 * HOUR_MS,
      roots: { nvidiaDevices: deviceRoots, nvidiaManifests: manifestRoots },
    },
  )
  closing.push(() => keeper.close())
  return keeper
}

const wantsOf = ({ proof }: TestGpu, keeper: CollateralKeeper): Promise<readonly CollateralWant[]> =>
  wantsOfGpu(nodeVerifyCrypto, proof, keeper.current())

/** As a node does: what the manifests hang on shows when they are there. */
async function supplyAll(gpu: TestGpu, { keeper, clock }: Pick<Kept, 'keeper' | 'clock'>): Promise<void> {
  for (let round = 0; round < 2; round++) await keeper.supply(await wantsOf(gpu, keeper), clock.now())
}

const answersIn = (keeper: CollateralKeeper): readonly CollateralItem[] =>
  keeper.current().items.filter(({ type }) => type === 'nvidia-ocsp')
const untilTrue = async (isTrue: () => boolean): Promise<void> => {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve))
}

test('a GPU’s manifests and nine answers are fetched: three of the device, three of each manifest’s chain, which is one', async () => {
  const gpu = await device()
  const kept = await createKeeper(gpu)
  await supplyAll(gpu, kept)
  expect(kept.keeper.status().failures).toEqual([])
  expect(answersIn(kept.keeper).map(({ labels }) => labels['issuer'])).toEqual(
    expect.arrayContaining(['provisioner', 'identity', 'device root', 'L3', 'CA', 'root']),
  )
  expect(kept.keeper.current().items.length).toBe(2 + 6)
  expect(kept.asked.filter((line) => line === '200 /').length).toBe(6)
  expect(kept.keeper.supply(await wantsOf(gpu, kept.keeper), TEST_NOW_MS)).toBeNull()
})

test('a bundle with answers reads back as what was written, and is refused when a label lies', async () => {
  const bundle = { madeAtMs: TEST_NOW_MS, items: itemsOfGpu(await device()) }
  expect(parseBundle(encodeBundle(bundle))).toEqual(bundle)
  const raw = JSON.parse(encodeBundle(bundle)) as { items: { type: string; labels: Record<string, string> }[] }
  const one = raw.items.find(({ type }) => type === 'nvidia-ocsp')
  Object.assign(one?.labels ?? {}, { serial: 'ff' })
  expect(() => parseBundle(JSON.stringify(raw))).toThrow(expect.objectContaining({ code: 'config.collateral-bundle' }))
})

const LIES: readonly (readonly [what: string, changes: DeviceChanges['answers'], reason: RegExp])[] = [
  ['has expired', { device: { 0: { fromMs: TEST_NOW_MS - 48 * HOUR_MS } } }, /has expired/],
  ['is of tomorrow', { device: { 0: { fromMs: TEST_NOW_MS + 24 * HOUR_MS } } }, /not valid before/],
  [
    'is by a responder that was not certified for it',
    { device: { 0: { responder: { extensions: [] } } } },
    /certified/,
  ],
  ['has no end', { device: { 0: { untilMs: null } } }, /until when it holds/],
]

test.each(LIES)('an answer that %s is not kept', async (_, answers, reason) => {
  const gpu = await device()
  const good = itemsOfGpu(gpu)
  const bad = (await device({ answers: answers ?? {} })).collateral.answers[0] as Uint8Array
  const url = await responder(() => bad)
  const keeper = keeperAt(manualClock(TEST_NOW_MS), url, gpu)
  const want = wantOfItem(good.find(({ labels }) => labels['issuer'] === 'provisioner') as CollateralItem)
  expect(await keeper.refresh([want])).toEqual([expect.objectContaining({ reason: expect.stringMatching(reason) })])
  expect(keeper.current().items).toEqual([])
})

test('an answer about another certificate, and a responder that does not answer, are failures in words', async () => {
  const gpu = await device()
  const [first, second] = itemsOfGpu(gpu).filter(({ type }) => type === 'nvidia-ocsp') as [
    CollateralItem,
    CollateralItem,
  ]
  for (const [answer, reason] of [
    [second.body, /something else/],
    [createTestRefusal(6), /does not answer this question/],
    [Uint8Array.of(1, 2, 3), /strict DER/],
  ] as const) {
    const keeper = keeperAt(manualClock(TEST_NOW_MS), await responder(() => answer), gpu)
    expect(await keeper.refresh([wantOfItem(first)])).toEqual([
      expect.objectContaining({ reason: expect.stringMatching(reason) }),
    ])
    expect(keeper.current().items).toEqual([])
  }
})

test('a revocation takes the place of a good answer, and an older good one does not come back', async () => {
  const good = await device({ answers: { device: { 0: { fromMs: TEST_NOW_MS - 2 * HOUR_MS } } } })
  const revoked = await device({ answers: { device: { 0: { status: 'revoked', fromMs: TEST_NOW_MS - HOUR_MS } } } })
  const kept = await createKeeper(good)
  await supplyAll(good, kept)
  const ofChip = (): CollateralItem =>
    answersIn(kept.keeper).find(({ labels }) => labels['issuer'] === 'provisioner') as CollateralItem
  expect(ofChip().validFromMs).toBe(TEST_NOW_MS - 2 * HOUR_MS)
  kept.serve(revoked)
  await kept.keeper.refresh()
  expect(ofChip().validFromMs).toBe(TEST_NOW_MS - HOUR_MS)
  kept.serve(good)
  await kept.keeper.refresh()
  expect(ofChip().validFromMs).toBe(TEST_NOW_MS - HOUR_MS)
})

test('answers are asked for again when three quarters of their day are over, and not when nobody needs them', async () => {
  const gpu = await device()
  const kept = await createKeeper(gpu)
  await supplyAll(gpu, kept)
  const next = 17 * HOUR_MS
  const at = { fromMs: TEST_NOW_MS + next }
  kept.clock.advance(60_000)
  await untilTrue(() => kept.keeper.status().refreshedAt !== null)
  kept.serve(await device({ answers: { device: { 0: at, 1: at, 2: at }, manifests: { 0: at, 1: at, 2: at } } }))
  const before = kept.asked.length
  kept.clock.advance(next)
  expect(kept.asked.length).toBe(before)
  kept.clock.advance(HOUR_MS)
  await untilTrue(() => answersIn(kept.keeper).every(({ validFromMs }) => validFromMs === at.fromMs))
  expect(kept.asked.slice(before)).toEqual(Array.from({ length: 6 }, () => '200 /'))
  // Three days later no GPU has needed them: manifests are still looked after, answers are not.
  const refreshes = kept.keeper.status().refreshedAt
  kept.clock.advance(72 * HOUR_MS)
  await untilTrue(() => kept.keeper.status().refreshedAt !== refreshes)
  const then = kept.asked.length
  kept.clock.advance(24 * HOUR_MS)
  await untilTrue(() => kept.asked.length > then)
  expect(kept.asked.slice(then).every((line) => line.startsWith('200 /v1/rim/'))).toBe(true)
  expect(answersIn(kept.keeper)).toEqual([])
})

test('NVIDIA itself must answer the very question: an answer without our nonce, or with another, is thrown away', async () => {
  const nonce = new Uint8Array(16).fill(7)
  const gpu = await device()
  const [item] = itemsOfGpu(gpu).filter(({ type }) => type === 'nvidia-ocsp') as [CollateralItem]
  const asked = requestFor(wantOfItem(item), VENDOR_SERVERS, nonce)
  expect(asked?.url).toBe('https://ocsp.ndis.nvidia.com/')
  expect(parseOcspRequest(asked?.question as Uint8Array).nonce).toEqual(nonce)
  const read = (body: Uint8Array): CollateralItem | undefined => asked?.read({ body, header: () => null })
  const answerWith = async (echoed: Uint8Array): Promise<Uint8Array> =>
    (await device({ answers: { device: { 0: { nonce: echoed } } } })).collateral.answers[0] as Uint8Array
  expect(() => read(item.body)).toThrow(/another question/)
  const other = await answerWith(new Uint8Array(16))
  expect(() => read(other)).toThrow(/another question/)
  expect(read(await answerWith(nonce))?.labels).toEqual(item.labels)
  // A caching service is asked without one.
  const cached = requestFor(wantOfItem(item), { ...VENDOR_SERVERS, nvidiaOcsp: 'http://127.0.0.1:1/' }, nonce)
  expect([cached?.url, parseOcspRequest(cached?.question as Uint8Array).nonce]).toEqual(['http://127.0.0.1:1/', null])
})

/** A responder with one answer to everything. */
async function responder(answer: () => Uint8Array): Promise<string> {
  const server = http.createServer((request, reply) => {
    request.resume()
    request.on('end', () => reply.end(answer()))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  )
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
