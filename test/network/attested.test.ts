/**
 * A network whose evidence is real, of hardware that exists in tests only: six workers with one thing wrong each, and one good.
 * Everything else is what nodes do: collateral over HTTP, verification in the handshake on both sides, the operations endpoint.
 */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createOpsApi, createPrometheusMetrics, opsApiOptions } from '../../src/api/index.ts'
import { type CollateralServer, serveCollateral } from '../../src/attest/index.ts'
import { certify, createNodeKey } from '../../src/tee/ratls/create.ts'
import { type CollateralBundle, createIdentity, createVerifier, openIdentity } from '../../src/tee/index.ts'
import { dial, listen, type TlsIdentity } from '../../src/transport/index.ts'
import { type Clock, silentLog, systemClock, systemRandom, toHex } from '../../src/util/index.ts'
import { statusOf } from '../../src/cli/roles.ts'
import { createTestPlatform } from '../support/attested-peers.ts'
import { DAY_MS, NOW_MS, type WorldParts } from '../support/dcap-maker.ts'
import { startNetwork, type TestNetwork, until } from '../support/network.ts'
import { type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

/** The time at which the hardware of the tests is good, going on as time does. */
function clockFrom(startMs: number): Clock {
  const offsetMs = startMs - Date.now()
  return { now: () => systemClock.now() + offsetMs, after: (delayMs, run) => systemClock.after(delayMs, run) }
}

const clock = clockFrom(NOW_MS)
const platform = createTestPlatform()
const REVOKED_SERIAL = 0x77

const bad = {
  'wrong measurement': 'attestation.image-hash',
  'expired certificate': 'attestation.certificate-expired',
  'simulated evidence': 'attestation.simulated-not-accepted',
  'key not bound to its quote': 'attestation.report-data',
  'revoked PCK': 'attestation.pck-revoked',
  'debug TD': 'attestation.debug',
} as const
type Wrong = keyof typeof bad

async function identityOf(wrong: Wrong): Promise<TlsIdentity> {
  const quoting = async (parts: Partial<WorldParts>, at: Clock = clock): Promise<TlsIdentity> => {
    const identity = await openIdentity({
      source: platform.source(parts),
      clock: at,
      log: silentLog,
      random: randomBytes,
    })
    identity.close()
    return identity
  }
  switch (wrong) {
    case 'wrong measurement':
      return quoting({ registers: [6, 6, 6, 0, 2, 3, 4, 5] })
    case 'expired certificate':
      return quoting({}, clockFrom(NOW_MS - DAY_MS))
    case 'simulated evidence':
      return createIdentity({ evidence: 'simulated', clock })
    case 'key not bound to its quote': {
      const [own, other] = [createNodeKey(randomBytes), createNodeKey(randomBytes)]
      const evidence = await platform.source().quote(other.reportData, new AbortController().signal)
      const pair = certify(own, evidence, clock.now(), randomBytes)
      return { current: () => pair }
    }
    case 'revoked PCK':
      return quoting({ leaf: { serial: REVOKED_SERIAL } })
    case 'debug TD':
      return quoting({ tdAttributes: Uint8Array.of(1, 0, 0, 0x10, 0, 0, 0, 0) })
  }
}

interface StatusRecord {
  readonly code: string | null
  readonly reason: string | null
  readonly evidence: string
  readonly remote: string
  readonly assessment: {
    readonly groups: readonly { readonly checks: readonly { readonly outcome: string; readonly detail: string }[] }[]
  }
}

let engine: ScriptedEngine
let badEngine: ScriptedEngine
let collateral: CollateralServer
let network: TestNetwork
let published: CollateralBundle = platform.bundle({ pckCrl: { revoked: [REVOKED_SERIAL] } })
let ops: ReturnType<typeof createOpsApi>
let opsUrl: string

const proxyStatus = async (): Promise<{
  readonly workers: readonly { readonly evidence: string; readonly enabled: boolean }[]
  readonly attestation: {
    readonly peers: { readonly accepted: readonly StatusRecord[]; readonly refused: readonly StatusRecord[] }
    readonly collateral: { readonly items: number }
  }
}> => (await fetch(`${opsUrl}/status`)).json() as never

async function ask(): Promise<{ readonly status: number; readonly evidence: string | null }> {
  const body = { model: 'test-model', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 16 }
  const reply = await fetch(`${network.baseURL}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  await reply.text()
  return { status: reply.status, evidence: reply.headers.get('x-cocoon-evidence') }
}

beforeAll(async () => {
  engine = await startScriptedEngine()
  badEngine = await startScriptedEngine()
  collateral = await serveCollateral({ host: '127.0.0.1', port: 0, bundle: () => published })
  network = await startNetwork({
    engineUrl: engine.url,
    clock,
    source: platform.source(),
    http: true,
    attestation: { intelServer: collateral.url, amdServer: 'off', nvidiaServer: 'off' },
    registry: { proxy_hashes: [platform.imageHash], worker_hashes: [platform.imageHash] },
    cocoon: { evidence: 'real', check_hashes: false, test_roots: { intel: toHex(platform.rootKey) } },
  })
  for (const wrong of Object.keys(bad) as Wrong[])
    network.startWorker({ model: 'test-model' }, badEngine.url, await identityOf(wrong))
  ops = createOpsApi(
    {
      ops: {
        ready: () => network.proxy.ready(),
        status: () => statusOf(network.proxy, network.attestation.proxy),
        jsonstats: () => network.proxy.jsonstats(),
        metricsText: () => Promise.resolve(''),
      },
      clock,
      random: systemRandom,
      log: silentLog,
      metrics: createPrometheusMetrics({ prefix: 'cocoon_' }),
    },
    opsApiOptions.parse({ port: 0 }),
  )
  opsUrl = await ops.listen()
})
afterAll(async () => {
  await ops.close()
  await network.close()
  await collateral.close()
  await Promise.all([engine.close(), badEngine.close()])
})

describe('of seven workers', () => {
  test('only the good one is ever used', async () => {
    const refusals = Object.keys(bad).length
    await until(async () => (await proxyStatus()).attestation.peers.refused.length === refusals, 'six are refused')
    const { workers, attestation } = await proxyStatus()
    expect(workers).toMatchObject([{ evidence: 'verified', enabled: true }])
    expect(attestation.peers.accepted).toMatchObject([{ evidence: 'verified', code: null }])
    for (let i = 0; i < 5; i++) expect(await ask()).toEqual({ status: 200, evidence: 'verified' })
    expect(engine.seen.length).toBe(5)
    expect(badEngine.seen).toEqual([])
  })

  test('the proxy’s /status says of each other one why it is not, with the check that failed', async () => {
    const { refused } = (await proxyStatus()).attestation.peers
    expect(new Set(refused.map((one) => one.code))).toEqual(new Set(Object.values(bad)))
    for (const { evidence, reason, assessment } of refused) {
      expect(evidence).toBe('refused')
      const checks = assessment.groups.flatMap((group) => group.checks)
      expect(reason).toBe(checks.find((check) => check.outcome === 'failed')?.detail)
    }
  })

  test('the refused ones are told nothing but a closed door, and say so', () => {
    for (const worker of network.workers.slice(1))
      expect(worker.status().proxies).toMatchObject([{ ready: false, evidence: null }])
  })
})

test('the client takes the proxy for its evidence, which it has verified as well', () => {
  expect(network.client.status().proxies).toMatchObject([{ ready: true, evidence: 'verified' }])
  const { peers, network: rules } = network.attestation.client.status()
  expect(rules).toEqual({ evidence: 'real', testRoots: true })
  expect(peers).toMatchObject({ policy: { name: 'mainnet' }, accepted: [{ evidence: 'verified' }], refused: [] })
})

test.each([
  ['another maker', createTestPlatform().source(), 'attestation.pck-root-untrusted'],
  ['another image', platform.source({ registers: [8, 0, 0, 0, 2, 3, 4, 5] }), 'attestation.image-hash'],
])('a proxy of %s is refused by the client, whatever its address', async (_, source, code) => {
  const identity = await openIdentity({ source, clock, log: silentLog, random: randomBytes })
  const session = { message() {}, query() {}, closed() {} }
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    identity,
    verifier: createVerifier({ accept: ['none'] }),
    limits: { powDifficulty: 0 },
    onConnection: () => session,
  })
  const { tls, verifier } = network.attestation.client
  const dialled = dial({ host: '127.0.0.1', port: listener.port, identity: tls, verifier, clock }, () => session)
  await expect(dialled).rejects.toMatchObject({ code })
  expect(network.attestation.client.status().peers?.refused.at(-1)?.code).toBe(code)
  identity.close()
  await listener.close()
})

test('a revocation closes the open connection, with the reason in /status, and nobody serves any more', async () => {
  published = platform.bundle({
    pckCrl: { thisUpdateMs: NOW_MS - 1000, revoked: [REVOKED_SERIAL, 0x00beef01] },
  })
  await network.attestation.proxy.collateral?.refresh()
  await until(async () => (await proxyStatus()).workers.length === 0, 'the good worker is gone')
  const { refused } = (await proxyStatus()).attestation.peers
  expect(refused.filter((one) => one.code === 'attestation.pck-revoked')).toContainEqual(
    expect.objectContaining({ wasOpen: true }),
  )
  expect((await ask()).status).toBe(503)
})
