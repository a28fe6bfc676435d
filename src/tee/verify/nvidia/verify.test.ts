import { describe, expect, test } from 'vitest'
import {
  createTestDevice,
  type DeviceChanges,
  FWID,
  type ManifestChanges,
  NONCE,
} from '../../../../test/support/gpu-device.ts'
import {
  authority,
  createTestKey,
  integer,
  TEST_FROM_MS,
  TEST_NOW_MS,
  TEST_UNTIL_MS,
} from '../../../../test/support/test-pki.ts'
import { fromHex } from '../../../util/index.ts'
import { nodeVerifyCrypto } from '../../x509/crypto-node.ts'
import { oid, octetString, sequence } from '../../x509/der.ts'
import { verifiedOrThrow } from '../checks.ts'
import { type GpuContext, type GpuExpectations, verifyGpu } from './verify.ts'

const device = createTestDevice()
const other = createTestKey('p384')

const STRICT: GpuExpectations = {
  nonce: NONCE,
  manifests: 'required',
  revocation: 'required',
  fwid: 'required',
  architectures: ['hopper'],
  features: ['single'],
}

async function verify(
  changes: DeviceChanges = {},
  expected: Partial<GpuExpectations> = {},
  context: Partial<GpuContext> = {},
) {
  const { proof, collateral, deviceRoots, manifestRoots } = await device(changes)
  return verifyGpu(
    proof,
    collateral,
    { ...STRICT, ...expected },
    { crypto: nodeVerifyCrypto, nowMs: TEST_NOW_MS, deviceRoots, manifestRoots, ...context },
  )
}

const NOBODY = { 0: 'none', 1: 'none', 2: 'none' } as const

async function codesOf(...args: Parameters<typeof verify>): Promise<string[]> {
  const { checks } = await verify(...args)
  return checks.flatMap((check) => (check.outcome === 'failed' ? [String(check.code)] : []))
}

test('a GPU with both manifests verifies, and every check is listed', async () => {
  const result = await verify()
  expect(result.checks.map((c) => `${c.id} ${c.outcome}`)).toEqual([
    'gpu-report passed',
    'gpu-chain passed',
    'gpu-dates passed',
    'gpu-revocation passed',
    'gpu-fwid passed',
    'gpu-nonce passed',
    'gpu-report-signature passed',
    ...['driver', 'vbios'].flatMap((what) => [
      `gpu-${what}-manifest passed`,
      `gpu-${what}-manifest-digest passed`,
      `gpu-${what}-manifest-signature passed`,
      `gpu-${what}-manifest-chain passed`,
      `gpu-${what}-manifest-dates passed`,
      `gpu-${what}-manifest-revocation passed`,
      `gpu-${what}-version passed`,
      `gpu-${what}-measurements passed`,
    ]),
    'gpu-manifest-conflict passed',
    'gpu-architecture passed',
    'gpu-feature passed',
  ])
  expect(verifiedOrThrow(result)).toMatchObject({
    chip: 'GH100',
    architecture: 'hopper',
    driverVersion: '550.1',
    vbiosVersion: '96.00.5E.00.01',
    measurementsCompared: 4,
    // Of NVIDIA's answers.
    earliestExpiryMs: TEST_NOW_MS + 86_400_000,
  })
})

test.each<[string, DeviceChanges, string]>([
  ['a leaf that is an authority', { leaf: { extensions: authority() } }, 'gpu-chain'],
  ['a leaf signed by another key', { leaf: { signer: other } }, 'gpu-chain'],
  ['a chain of four', { certificates: 4 }, 'gpu-certificate-format'],
  ['an expired leaf', { leaf: { untilMs: TEST_NOW_MS - 1000 } }, 'gpu-certificate-expired'],
  ['a leaf of tomorrow', { leaf: { fromMs: TEST_NOW_MS + 86_400_000 } }, 'gpu-certificate-not-yet-valid'],
  ['a leaf for other firmware', { fwid: FWID.map((b) => b ^ 1) }, 'gpu-fwid'],
  ['a leaf without firmware id', { fwid: null }, 'gpu-fwid-missing'],
  ['a report without firmware id', { opaque: { 20: null } }, 'gpu-fwid-missing'],
  ['a GPU in a group', { opaque: { 36: Uint8Array.of(1, 0) } }, 'gpu-feature'],
  ['a GPU that does not state its mode', { opaque: { 36: null } }, 'gpu-feature'],
  ['a chip of another line', { leaf: { subject: 'GB100 A01 GSP FMC LF' } }, 'gpu-architecture'],
  ['a device of another kind', { leaf: { subject: 'XY A01' } }, 'gpu-architecture'],
  ['no driver manifest', { driver: 'none' }, 'gpu-rim-missing'],
  ['no VBIOS manifest', { vbios: 'none' }, 'gpu-rim-missing'],
  ['a manifest of another driver', { driver: { version: '550.2' } }, 'gpu-rim-version'],
  ['a manifest of another VBIOS', { vbios: { version: '96.00.5E.00.02' } }, 'gpu-rim-version'],
  ['a value that the manifest does not have', { driver: { values: { 0: ['02', '03'] } } }, 'gpu-measurement'],
  ['a value of a block that the report lacks', { driver: { values: { 0: ['01'], 7: ['08'] } } }, 'gpu-measurement'],
  ['manifests that claim the same block', { driver: { values: { 1: ['02'] } } }, 'gpu-rim-conflict'],
])('%s is refused for exactly that', async (_, changes, code) => {
  expect((await codesOf(changes))[0]).toBe(`attestation.${code}`)
})

const NOT_ACTIVE = (xml: string): string => xml.replaceAll('active="True"', 'active="False"')
const replace =
  (what: string | RegExp, by: string) =>
  (xml: string): string => {
    const edited = xml.replace(what, by)
    if (edited === xml) throw new Error(`the manifest has no ${String(what)}`)
    return edited
  }

test.each<[string, ManifestChanges, string]>([
  ['one that was changed', { tamper: replace('01'.repeat(48), '02'.repeat(48)) }, 'gpu-rim-digest'],
  ['one whose digest was changed with it', { tamper: replace(/(?<=<ds:DigestValue>)..../, 'AAAA') }, 'gpu-rim-digest'],
  ['one with another signature', { tamper: replace(/(?<=<ds:SignatureValue>)..../, 'AAAA') }, 'gpu-rim-signature'],
  ['one of another signer', { signer: { key: other } }, 'gpu-rim-signature'],
  ['one whose signer nobody vouches for', { signer: { signer: other } }, 'gpu-rim-chain'],
  ['one whose signer is an authority', { signer: { extensions: authority() } }, 'gpu-rim-chain'],
  ['one whose L3 is no authority', { middle: { extensions: [] } }, 'gpu-rim-chain'],
  ['one without its root', { certificates: 3 }, 'gpu-rim-chain'],
  ['one whose signer has expired', { signer: { untilMs: TEST_NOW_MS - 1000 } }, 'gpu-rim-certificate-expired'],
  ['one of tomorrow', { signer: { fromMs: TEST_NOW_MS + 86_400_000 } }, 'gpu-rim-certificate-not-yet-valid'],
  ['one that compares nothing', { edit: NOT_ACTIVE }, 'gpu-rim-format'],
  ['one with an index twice', { edit: replace('index="3"', 'index="0"') }, 'gpu-rim-format'],
  ['one with an index above 254', { edit: replace('index="3"', 'index="255"') }, 'gpu-rim-format'],
  ['one with an index of another form', { edit: replace('index="3"', 'index="03"') }, 'gpu-rim-format'],
  ['one with a state of another form', { edit: replace('active="True"', 'active="true"') }, 'gpu-rim-format'],
  [
    'one with a condition that is not known',
    { edit: replace('active="True"', 'active="True" unless="x"') },
    'gpu-rim-format',
  ],
  ['one with fewer values than it says', { edit: replace('alternatives="2"', 'alternatives="3"') }, 'gpu-rim-format'],
  ['one with more values than it says', { edit: replace('alternatives="2"', 'alternatives="1"') }, 'gpu-rim-format'],
  ['one with a value of another length', { edit: replace('size="48"', 'size="47"') }, 'gpu-rim-format'],
  ['one whose values are of another kind', { edit: replace(/(?<=xmlns:ns2=")[^"]*/, 'urn:sha256') }, 'gpu-rim-format'],
  ['one without version', { edit: replace(/colloquialVersion="[^"]*"/, '') }, 'gpu-rim-format'],
  ['one with text between its parts', { edit: replace('<ns0:Payload>', 'x<ns0:Payload>') }, 'gpu-rim-format'],
  ['one with a second payload', { edit: replace('<ns0:Payload>', '<ns0:Payload/><ns0:Payload>') }, 'gpu-rim-format'],
  [
    'one with another canonical form',
    { tamper: replace('xml-c14n11"/><ds:SignatureMethod', 'xml-exc-c14n#"/><ds:SignatureMethod') },
    'gpu-rim-format',
  ],
  ['one with a weaker digest', { tamper: replace('xmldsig-more#sha384', 'xmldsig#sha1') }, 'gpu-rim-format'],
  ['one with another signature scheme', { tamper: replace('ecdsa-sha384', 'hmac-sha384') }, 'gpu-rim-format'],
  ['one that signs a part of itself', { tamper: replace('URI=""', 'URI="#a"') }, 'gpu-rim-format'],
  [
    'one with a transform more',
    { tamper: replace('</ds:Transforms>', '<ds:Transform Algorithm="x"/></ds:Transforms>') },
    'gpu-rim-format',
  ],
  [
    'one with a second signature',
    { tamper: replace('</SoftwareIdentity>', '<ds:Signature xmlns:ds="x"/></SoftwareIdentity>') },
    'gpu-rim-format',
  ],
  [
    'one with its signature elsewhere',
    {
      tamper: (xml) =>
        xml
          .replace(/(<ds:Signature .*<\/ds:Signature>)(<\/SoftwareIdentity>)/s, '$2')
          .replace('<ns0:Entity', '<ds:Signature xmlns:ds="x"/><ns0:Entity'),
    },
    'gpu-rim-format',
  ],
  ['one whose Base64 is none', { tamper: replace(/(?<=<ds:SignatureValue>)..../, '~~~~') }, 'gpu-rim-format'],
  ['one whose certificate is none', { tamper: replace(/(?<=<ds:X509Certificate>)..../, 'AAAA') }, 'gpu-rim-format'],
])('of manifests, %s is refused', async (_, driver, code) => {
  expect((await codesOf({ driver }))[0]).toBe(`attestation.${code}`)
})

test('a manifest whose white space inside tags changed is still the same', async () => {
  expect(await codesOf({ driver: { tamper: replace('<ns0:Payload>', '<ns0:Payload \n>') } })).toEqual([])
})

test('a manifest in upper-case hex is the same', async () => {
  expect(await codesOf({ driver: { values: { 0: ['01'], 3: ['EE', '04'] } } })).toEqual([])
})

test('roots of nobody are refused, each for its own chain', async () => {
  expect((await codesOf({}, {}, { deviceRoots: [] }))[0]).toBe('attestation.gpu-root-untrusted')
  expect((await codesOf({}, {}, { manifestRoots: [] }))[0]).toBe('attestation.gpu-rim-root-untrusted')
})

test('the nonce decides, whatever else holds', async () => {
  expect(await codesOf({}, { nonce: new Uint8Array(32) })).toEqual(['attestation.gpu-nonce'])
})

test('index 35 is skipped only while NVDEC0 is disabled', async () => {
  const driver = { values: { 0: ['01'], 35: ['00'] } }
  expect(await codesOf({ driver })).toEqual([])
  expect(await codesOf({ driver, opaque: { 11: Uint8Array.of(0xaa) } })).toEqual(['attestation.gpu-measurement'])
  expect(await codesOf({ driver, opaque: { 11: null } })).toEqual(['attestation.gpu-measurement'])
})

test('the firmware id of Blackwell stands in its TcbInfo; one stated in two ways is none', async () => {
  const fwids = (fwid: Uint8Array): Uint8Array => sequence(oid('2.16.840.1.101.3.4.2.2'), octetString(fwid))
  const list = fwids(FWID)
  const tcbInfo = sequence(fromHex('80024e56'), fromHex('840100'), Uint8Array.of(0xa6, list.length), list)
  const extension = { oid: '2.23.133.5.4.1.1', value: tcbInfo }
  expect(await codesOf({ leaf: { extensions: [extension] } })).toEqual([])
  const both = [extension, { oid: '2.23.133.5.4.1', value: integer(1) }]
  expect(await codesOf({ leaf: { extensions: both } })).toEqual(['attestation.gpu-fwid-missing'])
  const broken = { oid: '2.23.133.5.4.1.1', value: integer(1) }
  expect(await codesOf({ leaf: { extensions: [broken] } }, { fwid: 'if-stated' })).toEqual([
    'attestation.gpu-fwid-missing',
  ])
})

test('dates hold from the first second, less the skew, to the last', async () => {
  const unasked = { answers: { device: NOBODY, manifests: NOBODY } }
  const bare: Partial<GpuExpectations> = { revocation: 'if-given' }
  expect(await codesOf(unasked, bare, { nowMs: TEST_UNTIL_MS })).toEqual([])
  expect(await codesOf(unasked, bare, { nowMs: TEST_FROM_MS - 300_000 })).toEqual([])
  expect((await codesOf(unasked, bare, { nowMs: TEST_UNTIL_MS + 1000 }))[0]).toBe('attestation.gpu-certificate-expired')
})

test('a switch has no driver, and needs no manifest of one; a GPU without driver version does', async () => {
  const leaf = { subject: 'LS_10 A01 FSP FMC LF' }
  const expected = { architectures: ['ls10' as const], features: null }
  const opaque = { 3: null, 36: null }
  const result = await verify({ leaf, opaque, driver: 'none' }, expected)
  expect(result).toMatchObject({ ok: true, facts: { chip: 'LS10', driverVersion: null, measurementsCompared: 2 } })
  expect(await codesOf({ opaque: { 3: null }, driver: 'none' })).toEqual(['attestation.gpu-rim-missing'])
  expect(await codesOf({ opaque: { 3: null } })).toEqual(['attestation.gpu-rim-version'])
})

test('without manifests, where none are required, the result says that nothing was compared', async () => {
  const result = await verify({ driver: 'none', vbios: 'none' }, { manifests: 'if-given' })
  expect(result).toMatchObject({ ok: true, facts: { measurementsCompared: 0 } })
  expect(result.checks.filter((c) => c.outcome === 'info').map((c) => c.id)).toEqual([
    'gpu-driver-manifest',
    'gpu-vbios-manifest',
  ])
})

test('a report that cannot be read is refused with its place', async () => {
  const { proof, collateral, deviceRoots } = await device()
  const result = await verifyGpu({ ...proof, report: proof.report.subarray(1) }, collateral, STRICT, {
    crypto: nodeVerifyCrypto,
    nowMs: TEST_NOW_MS,
    deviceRoots,
  })
  expect(result).toMatchObject({ ok: false, code: 'attestation.gpu-spdm-version', facts: null })
  expect(result.checks.at(-1)?.inputs).toMatchObject({ field: 'request.version', offset: 0 })
})

describe('revocation', () => {
  const DAY_MS = 86_400_000
  const codes = async (
    answers: NonNullable<DeviceChanges['answers']>,
    revocation: 'required' | 'if-given' = 'required',
    nowMs = TEST_NOW_MS,
  ): Promise<string[]> => codesOf({ answers }, { revocation }, { nowMs })

  test.each([
    [0, 'of the chip'],
    [1, 'of the provisioner'],
    [2, 'of the identity'],
  ])('of the device’s link %i, %s, refuses the GPU, whatever the policy', async (link) => {
    for (const demand of ['required', 'if-given'] as const) {
      expect(await codes({ device: { [link]: { status: 'revoked' } } }, demand)).toEqual(['attestation.gpu-revoked'])
      expect(await codes({ device: { [link]: { status: 'on-hold' } } }, demand)).toEqual(['attestation.gpu-on-hold'])
      expect(await codes({ device: { [link]: { status: 'unknown' } } }, demand)).toEqual([
        'attestation.gpu-ocsp-unknown',
      ])
    }
  })

  test('of a link of the manifests refuses both manifests', async () => {
    for (const link of [0, 1, 2])
      expect(await codes({ manifests: { [link]: { status: 'revoked' } } })).toEqual([
        'attestation.gpu-rim-revoked',
        'attestation.gpu-rim-revoked',
      ])
  })

  test('that nobody answered for refuses where it is demanded, and is stated where it is not', async () => {
    expect(await codes({ device: { 1: 'none' } })).toEqual(['attestation.gpu-ocsp-missing'])
    expect(await codes({ manifests: { 2: 'none' } })).toEqual([
      'attestation.gpu-ocsp-missing',
      'attestation.gpu-ocsp-missing',
    ])
    const result = await verify({ answers: { device: { 1: 'none' } } }, { revocation: 'if-given' })
    expect(result.checks.find(({ id }) => id === 'gpu-revocation')).toMatchObject({
      outcome: 'info',
      inputs: { good: 2, at: 'provisioner' },
    })
  })

  test('an answer that has expired proves nothing, and one that said revoked still does', async () => {
    const later = TEST_NOW_MS + 2 * DAY_MS
    expect(await codes({}, 'required', later)).toEqual(Array.from({ length: 3 }, () => 'attestation.ocsp-expired'))
    expect(await codes({}, 'if-given', later)).toEqual([])
    expect(await codes({ device: { 0: { status: 'revoked' } } }, 'if-given', later)).toEqual([
      'attestation.gpu-revoked',
    ])
  })

  test('an answer by nobody’s leave refuses, whatever the policy', async () => {
    for (const demand of ['required', 'if-given'] as const)
      expect(await codes({ device: { 0: { wrongKey: other } } }, demand)).toEqual(['attestation.ocsp-signature'])
  })

  test('the newest of two answers about one certificate counts', async () => {
    const older = await device({ answers: { device: { 0: { fromMs: TEST_NOW_MS - 3_600_000 } } } })
    const newer = await device({ answers: { device: { 0: { status: 'revoked' } } } })
    const answers = [...older.collateral.answers, ...newer.collateral.answers.slice(0, 1)]
    const { proof, collateral, deviceRoots, manifestRoots } = older
    const context = { crypto: nodeVerifyCrypto, nowMs: TEST_NOW_MS, deviceRoots, manifestRoots }
    const result = await verifyGpu(proof, { ...collateral, answers }, STRICT, context)
    expect(result).toMatchObject({ ok: false, code: 'attestation.gpu-revoked' })
  })

  test('what is proven ends with the first answer behind it', async () => {
    const result = await verify({ answers: { manifests: { 1: { untilMs: TEST_NOW_MS + 7_000 } } } })
    expect(verifiedOrThrow(result).earliestExpiryMs).toBe(TEST_NOW_MS + 7_000)
  })

  test('an answer that cannot be read refuses', async () => {
    const { proof, collateral, deviceRoots, manifestRoots } = await device()
    const context = { crypto: nodeVerifyCrypto, nowMs: TEST_NOW_MS, deviceRoots, manifestRoots }
    const answers = [...collateral.answers, Uint8Array.of(0x30, 0)]
    const result = await verifyGpu(proof, { ...collateral, answers }, STRICT, context)
    expect(result).toMatchObject({ ok: false, code: 'attestation.ocsp-malformed' })
  })
})
