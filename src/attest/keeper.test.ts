import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { createTestPlatform } from '../../test/support/attested-peers.ts'
import { DAY_MS, iso, NOW_MS, pem } from '../../test/support/dcap-maker.ts'
import { createTestGuest } from '../../test/support/snp-guest.ts'
import { TEST_NOW_MS } from '../../test/support/test-pki.ts'
import { type CollateralBundle, collateralItem, type CollateralWant, parseBundle, wantsOfReport } from '../tee/index.ts'
import { manualClock, seededRandom, silentLog, utf8 } from '../util/index.ts'
import { httpGet, type VendorGet } from './http-get.ts'
import { createCollateralKeeper, type CollateralKeeper, type KeeperOptions } from './keeper.ts'
import { serveCollateral } from './serve.ts'

const HOUR_MS = 3_600_000
const platform = createTestPlatform()
const FMSPC = '00a0b1c2d3e4'
const WANTS: readonly CollateralWant[] = [
  { type: 'intel-tcb-info', labels: { tee: 'tdx', fmspc: FMSPC } },
  { type: 'intel-qe-identity', labels: { tee: 'tdx' } },
  { type: 'intel-pck-crl', labels: { issuer: 'Intel SGX PCK Platform CA' } },
  { type: 'intel-root-crl', labels: {} },
]

const closing: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

interface Kept {
  readonly keeper: CollateralKeeper
  readonly clock: ReturnType<typeof manualClock>
  /** Paths that were asked for, with the status of the answer. */
  readonly asked: string[]
  serve(bundle: CollateralBundle): void
}

/** A keeper beside a collateral server on loopback. */
async function createKeeper(
  bundle: CollateralBundle,
  options: Partial<KeeperOptions> = {},
  startMs = NOW_MS,
): Promise<Kept> {
  const clock = manualClock(startMs)
  const asked: string[] = []
  let served = bundle
  const server = await serveCollateral({
    host: '127.0.0.1',
    port: 0,
    bundle: () => served,
    onRequest: (path, status) => asked.push(`${status} ${path}`),
  })
  const keeper = createCollateralKeeper(
    { clock, random: seededRandom(1), log: silentLog },
    {
      servers: { intel: server.url, amd: server.url, nvidia: null, nvidiaOcsp: null },
      path: null,
      refreshEveryMs: 24 * HOUR_MS,
      roots: { intel: platform.rootKey },
      ...options,
    },
  )
  closing.push(
    () => server.close(),
    () => keeper.close(),
  )
  return { keeper, clock, asked, serve: (next) => (served = next) }
}

/** A server that answers every request in one way. */
async function answering(answer: http.RequestListener): Promise<string> {
  const server = http.createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => new Promise<void>((resolve) => void server.close(() => resolve())))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Where a server was and none is. */
async function closedPort(): Promise<string> {
  const server = await serveCollateral({ host: '127.0.0.1', port: 0, bundle: () => platform.bundle() })
  await server.close()
  return server.url
}

/** Lets requests that nobody awaits come to their end. */
const untilTrue = async (isTrue: () => boolean): Promise<void> => {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve))
}

const tcbInfoOf = ({ keeper }: Kept) => keeper.current().items.find((item) => item.type === 'intel-tcb-info')

describe('what a peer needs', () => {
  test('is fetched over HTTP once, however many wait, and then is there', async () => {
    const { keeper, asked } = await createKeeper(platform.bundle())
    let told = 0
    keeper.subscribe(() => told++)
    await Promise.all([keeper.supply(WANTS, NOW_MS), keeper.supply(WANTS, NOW_MS)])
    expect(asked.toSorted()).toEqual([
      '200 /sgx/certification/v4/pckcrl?ca=platform&encoding=der',
      '200 /sgx/certification/v4/rootcacrl',
      '200 /tdx/certification/v4/qe/identity',
      `200 /tdx/certification/v4/tcb?fmspc=${FMSPC}`,
    ])
    expect(keeper.current().items.length).toBe(4)
    expect(keeper.supply(WANTS, NOW_MS)).toBeNull()
    expect(told).toBeGreaterThan(0)
    expect(keeper.status()).toMatchObject({ items: 4, failures: [] })
  })

  test('and a dead server does not have is waited for once, then not for half a minute', async () => {
    const { keeper, clock } = await createKeeper(platform.bundle(), {
      servers: { intel: await closedPort(), amd: null, nvidia: null, nvidiaOcsp: null },
    })
    await keeper.supply(WANTS, clock.now())
    expect(keeper.status().failures.map((failure) => failure.reason)).toEqual(
      Array.from({ length: 4 }, () => expect.stringContaining('ECONNREFUSED')),
    )
    expect(keeper.supply(WANTS, clock.now())).toBeNull()
    clock.advance(30_000)
    expect(keeper.supply(WANTS, clock.now())).not.toBeNull()
  })

  test('is not asked for where no server is configured', async () => {
    const { keeper, asked } = await createKeeper(platform.bundle(), {
      servers: { intel: null, amd: null, nvidia: null, nvidiaOcsp: null },
    })
    expect(keeper.supply(WANTS, NOW_MS)).toBeNull()
    expect(asked).toEqual([])
  })

  test('is asked for at most sixty times a minute, whatever peers name', async () => {
    const asked: string[] = []
    const { keeper, clock } = await createKeeper(platform.bundle())
    keeper.close()
    const get: VendorGet = async (url) => {
      asked.push(url)
      throw new Error('nothing here')
    }
    const capped = createCollateralKeeper(
      { clock, random: seededRandom(1), log: silentLog, get },
      {
        servers: { intel: 'http://x', amd: null, nvidia: null, nvidiaOcsp: null },
        path: null,
        refreshEveryMs: HOUR_MS,
      },
    )
    closing.push(() => capped.close())
    const want = (i: number): CollateralWant[] => [
      { type: 'intel-tcb-info', labels: { tee: 'tdx', fmspc: i.toString(16).padStart(12, '0') } },
    ]
    for (let i = 0; i < 100; i++) await capped.supply(want(i), clock.now())
    expect(asked.length).toBe(60)
    clock.advance(60_000)
    await capped.supply(want(100), clock.now())
    expect(asked.length).toBe(61)
  })
})

describe('a lying server', () => {
  const good = platform.bundle()
  const other = createTestPlatform().bundle()

  test('cannot bring in what another root signed', async () => {
    const { keeper } = await createKeeper(other)
    await keeper.supply(WANTS, NOW_MS)
    expect(keeper.current().items).toEqual([])
    expect(keeper.status().failures.length).toBe(4)
  })

  test('cannot take away what is held, with nothing, with forgeries or with older things', async () => {
    const newer = platform.bundle({ tcbInfo: { tcbEvaluationDataNumber: 21 } })
    const kept = await createKeeper(newer)
    const { keeper, serve } = kept
    await keeper.supply(WANTS, NOW_MS)
    const held = keeper.current().items
    const older = platform.bundle({
      pckCrl: { thisUpdateMs: NOW_MS - 10 * DAY_MS, revoked: [] },
      qeIdentity: { tcbEvaluationDataNumber: 3 },
    })
    for (const lie of [{ madeAtMs: 0, items: [] }, other, older]) {
      serve(lie)
      await keeper.refresh()
      expect(keeper.current().items).toBe(held)
    }
    expect(tcbInfoOf(kept)?.labels['evaluation']).toBe('21')
  })

  test('cannot bring in what has expired', async () => {
    const bundle = platform.bundle({ tcbInfo: { nextUpdate: iso(NOW_MS - HOUR_MS) } })
    const kept = await createKeeper(bundle)
    await kept.keeper.supply(WANTS, NOW_MS)
    expect(tcbInfoOf(kept)).toBeUndefined()
    expect(kept.keeper.status().failures).toMatchObject([{ reason: expect.stringContaining('expired') }])
  })

  test('cannot answer with another platform than was asked for', async () => {
    const item = good.items[0]
    const url = await answering((_, reply) =>
      reply
        .writeHead(200, {
          'TCB-Info-Issuer-Chain': encodeURIComponent(new TextDecoder().decode(item?.issuerChain ?? new Uint8Array())),
        })
        .end(item?.body),
    )
    const { keeper } = await createKeeper(good, { servers: { intel: url, amd: null, nvidia: null, nvidiaOcsp: null } })
    await keeper.supply([{ type: 'intel-tcb-info', labels: { tee: 'tdx', fmspc: 'ffffffffffff' } }], NOW_MS)
    expect(keeper.current().items).toEqual([])
    expect(keeper.status().failures).toMatchObject([{ reason: expect.stringContaining('something else') }])
  })

  test.each<[string, http.RequestListener, RegExp]>([
    ['404', (_, reply) => reply.writeHead(404).end(), /answered 404/],
    ['a redirect', (_, reply) => reply.writeHead(302, { location: '/x' }).end(), /unexpected redirect/],
    ['more than a megabyte', (_, reply) => reply.end(Buffer.alloc(1024 * 1024 + 1)), /larger than/],
    [
      'half an answer',
      (_, reply) => void reply.writeHead(200, { 'content-length': '10' }).write('x', () => reply.destroy()),
      /other side closed|terminated|UND_ERR_SOCKET/,
    ],
    ['noise', (_, reply) => reply.end(Buffer.alloc(100, 0xa5)), /strict DER|JSON|header/],
  ])('that answers with %s is a failure in words', async (_, answer, words) => {
    const url = await answering(answer)
    const { keeper } = await createKeeper(good, { servers: { intel: url, amd: null, nvidia: null, nvidiaOcsp: null } })
    const failed = await keeper.refresh(WANTS)
    expect(failed.length).toBe(4)
    for (const { reason } of failed) expect(reason).toMatch(words)
    expect(keeper.current().items).toEqual([])
  })

  test('that falls silent is given up when nobody waits any more', async () => {
    const url = await answering(() => undefined)
    const stop = new AbortController()
    const fetching = httpGet(`${url}/x`, stop.signal)
    stop.abort()
    await expect(fetching).rejects.toMatchObject({ code: 'attestation.collateral-unavailable' })
  })
})

describe('what is held', () => {
  test('is fetched again after the time that is configured, and a revocation is told', async () => {
    const { keeper, clock, serve, asked } = await createKeeper(platform.bundle())
    await keeper.supply(WANTS, NOW_MS)
    // The first look is soon after the start; the next a day later.
    clock.advance(60_000)
    await untilTrue(() => keeper.status().refreshedAt !== null)
    const before = asked.length
    let told = 0
    keeper.subscribe(() => told++)
    serve(
      platform.bundle({ pckCrl: { thisUpdateMs: NOW_MS + HOUR_MS, nextUpdateMs: NOW_MS + 5 * DAY_MS, revoked: [1] } }),
    )
    clock.advance(21 * HOUR_MS)
    expect(asked.length).toBe(before)
    clock.advance(3 * HOUR_MS)
    await untilTrue(() => told > 0)
    const crl = keeper.current().items.find((item) => item.type === 'intel-pck-crl')
    expect(crl?.validFromMs).toBe(NOW_MS + HOUR_MS)
  })

  test('is tried again sooner when the server is down, and stays in force', async () => {
    const { keeper, clock, serve, asked } = await createKeeper(platform.bundle())
    await keeper.supply(WANTS, NOW_MS)
    serve({ madeAtMs: 0, items: [] })
    clock.advance(60_000)
    await untilTrue(() => keeper.status().refreshedAt !== null)
    expect(keeper.current().items.length).toBe(4)
    expect(keeper.status().failures.length).toBe(4)
    const before = asked.length
    clock.advance(HOUR_MS)
    await untilTrue(() => asked.length > before)
  })

  test('is on disk, and there after a restart; a file that is none is refused by name', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cocoon-collateral-'))
    closing.push(() => rmSync(folder, { recursive: true }))
    const path = join(folder, 'deep', 'bundle.json')
    const { keeper } = await createKeeper(platform.bundle(), { path })
    await keeper.supply(WANTS, NOW_MS)
    expect(parseBundle(readFileSync(path, 'utf8')).items).toEqual(keeper.current().items)
    const again = await createKeeper({ madeAtMs: 0, items: [] }, { path })
    expect(again.keeper.supply(WANTS, NOW_MS)).toBeNull()
    writeFileSync(path, '{}')
    await expect(createKeeper(platform.bundle(), { path })).rejects.toMatchObject({
      code: 'config.collateral-bundle',
      message: expect.stringContaining(path),
    })
  })

  test('of a bundle is taken where it is genuine', async () => {
    const { keeper } = await createKeeper({ madeAtMs: 0, items: [] })
    const foreign = createTestPlatform().bundle().items
    const { taken, refused } = await keeper.merge([...foreign, ...platform.bundle().items])
    expect([taken, refused.length]).toEqual([4, 4])
    expect(await keeper.merge(keeper.current().items)).toEqual({ taken: 0, refused: [] })
  })
})

test('AMD’s chain, list and the certificate of one chip are fetched by what a report says', async () => {
  const { evidence, collateral, roots } = createTestGuest()()
  const bundle = {
    madeAtMs: TEST_NOW_MS,
    items: [
      collateralItem({ type: 'amd-chain', body: utf8(pem(collateral.intermediate, collateral.root)) }),
      collateralItem({ type: 'amd-crl', body: collateral.crl as Uint8Array }),
      collateralItem({ type: 'amd-leaf', body: evidence.leaf }),
    ],
  }
  const { keeper, asked } = await createKeeper(bundle, { roots: { amd: roots } }, TEST_NOW_MS)
  const wants = wantsOfReport(evidence.report, null)
  await keeper.supply(wants, TEST_NOW_MS)
  expect(keeper.status().failures).toEqual([])
  expect(
    keeper
      .current()
      .items.map((item) => item.type)
      .toSorted(),
  ).toEqual(['amd-chain', 'amd-crl', 'amd-leaf'])
  expect(asked.at(-1)).toMatch(/vcek\/v1\/Milan\//)
  expect(asked.some((path) => path.includes('?blSPL=3&teeSPL=0&snpSPL=8&ucodeSPL=209'))).toBe(true)
  // Of other makers nothing is taken.
  const foreign = await createKeeper(bundle, { roots: { amd: [] } }, TEST_NOW_MS)
  await foreign.keeper.supply(wants, TEST_NOW_MS)
  expect(foreign.keeper.current().items).toEqual([])
})
