/**
 * A network whose proxy demands GPUs of its workers, on processors and GPUs that exist in tests only: eight workers with one thing wrong
 * each, and one good. Everything else is what nodes do: claims behind the handshake, manifests and answers about revocation over HTTP.
 */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CollateralServer, serveCollateral } from '../../src/attest/index.ts'
import {
  BUILT_IN_POLICIES,
  type CollateralItem,
  type GpuEvidence,
  type GpuSource,
  gpuNonceFor,
  nodeVerifyCrypto,
  openIdentity,
  type Policy,
  writePem,
} from '../../src/tee/index.ts'
import type { TlsIdentity } from '../../src/transport/index.ts'
import { type Clock, silentLog, systemClock, toHex, utf8 } from '../../src/util/index.ts'
import { createTestPlatform } from '../support/attested-peers.ts'
import { NOW_MS } from '../support/dcap-maker.ts'
import { itemsOfGpu } from '../support/gpu-collateral.ts'
import { createTestDevice, type DeviceChanges, type TestGpu } from '../support/gpu-device.ts'
import { startNetwork, type TestNetwork, until } from '../support/network.ts'
import { type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

const clock: Clock = {
  now: () => systemClock.now() + offsetMs,
  after: (delayMs, run) => systemClock.after(delayMs, run),
}
const offsetMs = NOW_MS - Date.now()
const platform = createTestPlatform()
const device = createTestDevice()
const REVOKED_CHIP = 0x66
/** Some hundred P-384 signatures in one process, on a machine that may be busy. */
const LONG_MS = 60_000

/** A machine with these GPUs, which answers every nonce that it is asked. */
function gpuSource(chips: readonly number[], nonceOf = (nonce: Uint8Array): Uint8Array => nonce): GpuSource {
  return {
    description: 'GPUs of the tests',
    async collect(nonce) {
      const gpus = await Promise.all(chips.map((chip) => device({ chip, nonce: nonceOf(nonce) })))
      return gpus.map(
        ({ proof }): GpuEvidence => ({
          architecture: 'HOPPER',
          nonce,
          report: proof.report,
          certificates: utf8(proof.certificates.map((one) => writePem(one)).join('')),
        }),
      )
    },
  }
}

async function identityWith(gpus: GpuSource | null, region: string | null = 'eu'): Promise<TlsIdentity> {
  const identity = await openIdentity({
    source: platform.source(),
    clock,
    log: silentLog,
    random: randomBytes,
    stated: { region },
    ...(gpus === null ? {} : { gpus }),
  })
  identity.close()
  return identity
}

const bad = {
  'a region that is not allowed': 'attestation.region',
  'no word of its region': 'attestation.region',
  'no GPU': 'attestation.gpu-required',
  'a GPU that answers another nonce': 'attestation.gpu-nonce',
  'one GPU that stands for two': 'attestation.gpu-repeated',
  'a revoked GPU': 'attestation.gpu-revoked',
  'claims of another key': 'attestation.claims-key',
  'claims with a changed byte': 'attestation.claims-signature',
} as const
type Wrong = keyof typeof bad

async function identityOf(wrong: Wrong): Promise<TlsIdentity> {
  switch (wrong) {
    case 'a region that is not allowed':
      return identityWith(gpuSource([1]), 'moon')
    case 'no word of its region':
      return identityWith(gpuSource([1]), null)
    case 'no GPU':
      return identityWith(null)
    case 'a GPU that answers another nonce':
      return identityWith(gpuSource([2], () => new Uint8Array(32)))
    case 'one GPU that stands for two':
      return identityWith(gpuSource([3, 3]))
    case 'a revoked GPU':
      return identityWith(gpuSource([REVOKED_CHIP]))
    case 'claims of another key': {
      const [own, other] = [await identityWith(null), await identityWith(gpuSource([1]))]
      return { current: () => ({ ...own.current(), claims: other.current().claims ?? null }) }
    }
    case 'claims with a changed byte': {
      const own = (await identityWith(gpuSource([1]))).current()
      const claims = Uint8Array.from(own.claims?.claims ?? [])
      // In the time at which they were made, behind the key.
      claims[4 + 2 + 5 + 32 + 5] = (claims[4 + 2 + 5 + 32 + 5] as number) ^ 1
      return { current: () => ({ ...own, claims: { claims, signature: own.claims?.signature as Uint8Array } }) }
    }
  }
}

const itemsOf = async (changes: DeviceChanges): Promise<readonly CollateralItem[]> => itemsOfGpu(await device(changes))
let engine: ScriptedEngine
let badEngine: ScriptedEngine
let collateral: CollateralServer
let network: TestNetwork
let published: readonly CollateralItem[] = []

/** One GPU each, and NVIDIA's answer about it; the newest is served. */
async function publish(changes: DeviceChanges): Promise<void> {
  published = [...published, ...(await itemsOf(changes))]
}

const DEMANDING: Policy = {
  ...BUILT_IN_POLICIES.mainnet,
  name: 'with-gpus',
  gpu: { ...BUILT_IN_POLICIES.mainnet.gpu, required: true },
  regions: ['eu'],
}
const peers = () => {
  const { peers: known } = network.attestation.proxy.status()
  if (known === null) throw new Error('the proxy judges nobody')
  return known
}
/** The newest refusal of each code. */
const refusals = (): readonly string[] => peers().refused.map(({ code }) => code ?? 'none')

beforeAll(async () => {
  engine = await startScriptedEngine()
  badEngine = await startScriptedEngine()
  for (const chip of [1, 2, 3, 5]) await publish({ chip })
  await publish({ chip: REVOKED_CHIP, answers: { device: { 0: { status: 'revoked' } } } })
  // Made once: every call would sign it anew.
  const intel = platform.bundle().items
  const bundle = () => ({ madeAtMs: 0, items: [...intel, ...published] })
  collateral = await serveCollateral({ host: '127.0.0.1', port: 0, bundle })
  const { deviceRoots, manifestRoots } = (await device()) satisfies TestGpu
  network = await startNetwork({
    engineUrl: engine.url,
    clock,
    source: platform.source(),
    gpus: gpuSource([1, 5]),
    http: true,
    policies: { proxy: DEMANDING },
    attestation: {
      intelServer: collateral.url,
      amdServer: 'off',
      nvidiaServer: collateral.url,
      nvidiaOcspServer: collateral.url,
      region: 'eu',
    },
    registry: { proxy_hashes: [platform.imageHash], worker_hashes: [platform.imageHash] },
    cocoon: {
      evidence: 'real',
      check_hashes: false,
      test_roots: {
        intel: toHex(platform.rootKey),
        nvidia_devices: deviceRoots,
        nvidia_manifests: manifestRoots,
      },
    },
  })
  for (const wrong of Object.keys(bad) as Wrong[])
    network.startWorker({ model: 'test-model' }, badEngine.url, await identityOf(wrong))
})
afterAll(async () => {
  await network.close()
  await collateral.close()
  await Promise.all([engine.close(), badEngine.close()])
})

async function ask(): Promise<number> {
  const reply = await fetch(`${network.baseURL}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'test-model', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 16 }),
  })
  await reply.text()
  return reply.status
}

test('of nine workers only the one whose GPUs prove themselves is ever used, and the status says why for each', async () => {
  const due = Object.values(bad)
  await until(() => due.every((code) => refusals().includes(code)), 'each code is there', LONG_MS)
  const { workers } = network.proxy.status()
  expect(workers.map(({ gpus, evidence }) => ({ gpus, evidence }))).toEqual([
    {
      evidence: 'verified',
      gpus: [1, 5].map(() => ({ chip: 'GH100', driver: '550.1', vbios: '96.00.5E.00.01', mode: 'single' })),
    },
  ])
  for (let i = 0; i < 5; i++) expect(await ask()).toBe(200)
  expect(badEngine.seen).toEqual([])
  for (const { code, reason, assessment } of peers().refused) {
    expect(reason).toMatch(/\.$/)
    const failed = assessment.groups.flatMap(({ checks }) => checks).find((check) => check.outcome === 'failed')
    expect(failed?.code).toBe(code)
  }
})

test('a worker without GPUs hears what it lacks', async () => {
  await until(
    () => network.workers.some((worker) => worker.status().proxies.some((p) => p.lastFailure?.includes('gpuSource'))),
    'the refusal has come',
    LONG_MS,
  )
})

test('a client sees who works behind the proxy, and judges the GPUs itself', async () => {
  const behind = () => network.client.status().proxies.flatMap(({ workers }) => workers)
  await until(() => behind().length === 1, 'the client has looked', LONG_MS)
  expect(behind()).toEqual([
    expect.objectContaining({
      model: 'test-model',
      evidence: 'verified',
      code: null,
      gpus: [expect.anything(), expect.anything()],
    }),
  ])
})

test('when NVIDIA revokes a GPU, the open connection of its worker ends with that reason', async () => {
  await publish({ chip: 5, answers: { device: { 0: { status: 'revoked', fromMs: clock.now() } } } })
  await network.attestation.proxy.collateral?.refresh()
  await until(() => network.proxy.status().workers.length === 0, 'the worker is gone', LONG_MS)
  const last = peers().refused.filter(({ wasOpen, code }) => wasOpen && code === 'attestation.gpu-revoked')
  expect(last.length).toBeGreaterThan(0)
})

test('the nonce of a GPU is that of the key and of its place', async () => {
  const key = new Uint8Array(32).fill(9)
  const nonces = await Promise.all([0, 1].map((i) => gpuNonceFor(nodeVerifyCrypto, key, i)))
  expect(new Set(nonces.map(toHex)).size).toBe(2)
})
