/** Recorded sessions of guests with GPUs, on processors and GPUs that exist in tests only. */
import { X509Certificate } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import { createTestPlatform } from '../../../test/support/attested-peers.ts'
import { NOW_MS } from '../../../test/support/dcap-maker.ts'
import { itemsOfGpu } from '../../../test/support/gpu-collateral.ts'
import { createTestDevice, type TestGpu } from '../../../test/support/gpu-device.ts'
import { manualClock, seededRandom, silentLog, utf8 } from '../../util/index.ts'
import type { CollateralBundle } from '../collateral/index.ts'
import { BUILT_IN_POLICIES, type Policy } from '../policy/index.ts'
import { openIdentity } from '../ratls/identity.ts'
import { nodeVerifyCrypto } from '../x509/crypto-node.ts'
import { webVerifyCrypto } from '../x509/index.ts'
import { writePem } from '../x509/pem.ts'
import type { Assessment, AssessOptions } from './assessment.ts'
import { detectEvidence } from './detect.ts'
import { assessEvidence } from './evidence.ts'
import { encodeSession, parseSession, type RecordedSession } from './session.ts'

const platform = createTestPlatform()
const device = createTestDevice()
const DEMANDING: Policy = {
  ...BUILT_IN_POLICIES.mainnet,
  gpu: { ...BUILT_IN_POLICIES.mainnet.gpu, required: true },
}
let session: RecordedSession
let gpu: TestGpu
let bundle: CollateralBundle

beforeAll(async () => {
  gpu = await device()
  bundle = { madeAtMs: NOW_MS, items: [...platform.bundle().items, ...itemsOfGpu(gpu)] }
  const random = seededRandom(7)
  const identity = await openIdentity({
    source: platform.source(),
    gpus: {
      description: 'a GPU of the tests',
      async collect(nonce) {
        const { proof } = await device({ nonce })
        const certificates = utf8(proof.certificates.map((one) => writePem(one)).join(''))
        return [{ architecture: 'HOPPER', nonce, report: proof.report, certificates }]
      },
    },
    clock: manualClock(NOW_MS),
    log: silentLog,
    random: (count) => random.bytes(count),
  })
  identity.close()
  const { certificatePem, claims } = identity.current()
  session = { certificate: new Uint8Array(new X509Certificate(certificatePem).raw), claims }
})

function assess(shown: RecordedSession, over: Partial<AssessOptions> = {}): Promise<Assessment> {
  const found = detectEvidence(utf8(encodeSession(shown)))
  if (found === null || found.form === 'certificate') throw new Error('not detected')
  const { form } = found
  return assessEvidence(
    { ...found, form },
    {
      crypto: nodeVerifyCrypto,
      bundle,
      policy: DEMANDING,
      eventLog: null,
      context: {
        nowMs: NOW_MS,
        allowedImageHashes: new Set([platform.imageHash]),
        networkEvidence: 'real',
        about: 'document',
      },
      roots: { intel: platform.rootKey, nvidiaDevices: gpu.deviceRoots, nvidiaManifests: gpu.manifestRoots },
      ...over,
    },
  )
}

const failed = ({ groups }: Assessment): readonly string[] =>
  groups.flatMap(({ checks }) => checks.filter(({ outcome }) => outcome === 'failed').map(({ id }) => id))

test.each([
  ['Node', nodeVerifyCrypto],
  ['browsers', webVerifyCrypto()],
])('a guest with a GPU is verified under a policy that demands one, with the cryptography of %s', async (_, crypto) => {
  const found = await assess(session, { crypto })
  expect([found.outcome, failed(found)]).toEqual(['verified', []])
  expect(found.groups.map(({ title }) => title)).toEqual([
    'Certificate',
    'Intel TDX quote',
    'Claims',
    'NVIDIA GPU 0',
    'Policy mainnet',
  ])
  expect(found.proven).toContainEqual(expect.stringContaining('genuine NVIDIA GH100'))
  expect(found.notProven).toContainEqual(expect.stringContaining('it was not a connection'))
})

test('without its claims the same guest lacks the GPU', async () => {
  expect(await assess({ ...session, claims: null })).toMatchObject({
    outcome: 'refused',
    code: 'attestation.gpu-required',
  })
})

test('claims are worth nothing beside another certificate, with another signature, or after their time', async () => {
  const { claims } = session
  if (claims === null) throw new Error('no claims')
  const signature = Uint8Array.from(claims.signature)
  signature[0] = (signature[0] as number) ^ 1
  expect((await assess({ ...session, claims: { ...claims, signature } })).code).toBe('attestation.claims-signature')
  const other = await openIdentity({
    source: platform.source(),
    clock: manualClock(NOW_MS),
    log: silentLog,
    random: (count) => seededRandom(8).bytes(count),
  })
  other.close()
  const certificate = new Uint8Array(new X509Certificate(other.current().certificatePem).raw)
  expect((await assess({ certificate, claims })).code).toBe('attestation.claims-key')
  const garbled = { claims: claims.claims.subarray(0, 99), signature: claims.signature }
  expect((await assess({ ...session, claims: garbled })).code).toBe('attestation.claims-malformed')
})

test('a session reads back as it was written, and what is none is refused with the field', async () => {
  expect(parseSession(encodeSession(session))).toEqual(session)
  for (const [text, field] of [
    ['{', 'json'],
    ['{"format":"cocoon-session-1"}', 'certificate'],
    [encodeSession(session).replace('"certificate": "', '"certificate": "*'), 'certificate'],
    [encodeSession({ ...session, claims: null }).replace('null', '{"claims":"AA=="}'), 'claims.signature'],
  ] as const)
    expect(() => parseSession(text)).toThrow(
      expect.objectContaining({ code: 'attestation.session-format', info: expect.objectContaining({ field }) }),
    )
})
