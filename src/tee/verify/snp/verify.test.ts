import { expect, test } from 'vitest'
import { LENIENT_SNP, STRICT_SNP } from '../../../../test/support/attestation-vectors.ts'
import { AT, CHIP_ID, createTestGuest, type GuestChanges, wrappedChipId } from '../../../../test/support/snp-guest.ts'
import {
  authority,
  createTestKey,
  ia5,
  integer,
  TEST_NOW_MS,
  TEST_UNTIL_MS,
} from '../../../../test/support/test-pki.ts'
import type { SnpTcb } from '../../quote/snp-tcb.ts'
import { nodeVerifyCrypto } from '../../x509/crypto-node.ts'
import { verifiedOrThrow } from '../checks.ts'
import type { SnpExpectations } from './guest.ts'
import { type SnpContext, snpImageHash, verifySnp } from './verify.ts'

const guest = createTestGuest()
const other = createTestKey('rsa')

async function verify(
  changes: GuestChanges = {},
  expected: Partial<SnpExpectations> = {},
  context: Partial<SnpContext> = {},
) {
  const { evidence, collateral, roots } = guest(changes)
  const expectations: SnpExpectations = { ...STRICT_SNP, crl: 'required', ...expected }
  return verifySnp(evidence, collateral, expectations, {
    crypto: nodeVerifyCrypto,
    nowMs: TEST_NOW_MS,
    roots,
    ...context,
  })
}

async function codeOf(...args: Parameters<typeof verify>): Promise<string> {
  const result = await verify(...args)
  return result.ok ? 'ok' : result.code
}

test('a VCEK with its list verifies, and every check is listed with its inputs', async () => {
  const result = await verify()
  expect(result.checks.map((c) => `${c.id} ${c.outcome}`)).toEqual([
    'snp-report passed',
    'snp-signing-key passed',
    'snp-chain passed',
    'snp-product passed',
    'snp-dates passed',
    'snp-crl passed',
    'snp-revocation passed',
    'snp-tcb passed',
    'snp-chip-id passed',
    'snp-report-signature passed',
    'snp-debug passed',
    'snp-migration passed',
    'snp-vmpl passed',
    'snp-platform passed',
    'snp-minimum-tcb info',
    'snp-measurement info',
    'snp-host-data info',
    'snp-report-data info',
  ])
  const facts = verifiedOrThrow(result)
  expect(facts).toMatchObject({ product: 'Milan', signingKey: 'vcek', earliestExpiryMs: TEST_UNTIL_MS })
  expect(facts.imageHash).toBe(await snpImageHash(nodeVerifyCrypto, facts.report.measurement))
})

test('a VLEK verifies with a masked chip, and names its provider', async () => {
  expect(await verify({ kind: 'vlek' })).toMatchObject({
    ok: true,
    facts: { signingKey: 'vlek', providerId: 'A Cloud' },
  })
})

test('the image hash of a measurement of zeros is the one that no registry may list', async () => {
  expect(await snpImageHash(nodeVerifyCrypto, new Uint8Array(48))).toBe(
    'b5fdab78d8947eacc864bfeecb4d2100780e5afe1cd8efafb124887913ac49fa',
  )
})

test('the hardware id may stand in an OCTET STRING', async () => {
  expect(await codeOf({ leafExtensions: { '4': wrappedChipId } })).toBe('ok')
})

test.each<[string, GuestChanges, string]>([
  ['another chip', { leafExtensions: { '4': CHIP_ID.toReversed() } }, 'snp-chip-id'],
  ['a masked chip', { patch: (r) => void r.fill(2, AT.flags, AT.flags + 1) }, 'snp-chip-id'],
  ['a hardware id of 8 bytes on Milan', { leafExtensions: { '4': CHIP_ID.subarray(0, 8) } }, 'snp-leaf-extension'],
  ['a VCEK without hardware id', { leafExtensions: { '4': null } }, 'snp-leaf-extension'],
  ['a VLEK with hardware id', { kind: 'vlek', leafExtensions: { '4': CHIP_ID } }, 'snp-leaf-extension'],
  ['a VLEK without provider', { kind: 'vlek', leafExtensions: { '5': null } }, 'snp-leaf-extension'],
  ['no boot loader version', { leafExtensions: { '3.1': null } }, 'snp-leaf-extension'],
  ['a version above 255', { leafExtensions: { '3.1': integer(256) } }, 'snp-leaf-extension'],
  ['a product of another maker', { leafExtensions: { '2': ia5('Zen') } }, 'snp-product'],
  ['a leaf of Genoa under Milan’s root', { leafExtensions: { '2': ia5('Genoa') } }, 'snp-product'],
  ['a processor of Genoa', { patch: (r) => void (r[AT.cpuid + 1] = 0x11) }, 'snp-product'],
  ['a processor that is not known', { patch: (r) => void (r[AT.cpuid] = 0x1b) }, 'snp-product'],
  ['a leaf with another subject', { leaf: { subject: 'SEV-CEK' } }, 'snp-leaf-extension'],
  ['a report by VLEK with a VCEK', { patch: (r) => void (r[AT.flags] = 4) }, 'snp-signing-key'],
  ['a report that is not signed', { patch: (r) => void (r[AT.flags] = 7 << 2) }, 'snp-signing-key'],
  [
    'a VLEK of the issuer of VCEKs',
    { kind: 'vlek', leaf: { issuer: 'SEV-Milan' }, intermediate: { subject: 'SEV-Milan' } },
    'snp-signing-key',
  ],
  ['older firmware in the leaf', { leafExtensions: { '3.3': integer(7) } }, 'snp-tcb-mismatch'],
  ['newer firmware in the leaf', { leafExtensions: { '3.8': integer(0xd2) } }, 'snp-tcb-mismatch'],
])('%s is refused', async (_, changes, code) => {
  expect(await codeOf(changes)).toBe(`attestation.${code}`)
})

test.each<[string, GuestChanges, string]>([
  ['a leaf signed by another key', { leaf: { signer: other } }, 'snp-chain'],
  ['a leaf that names another issuer', { leaf: { issuer: 'SEV-Genoa' } }, 'snp-chain'],
  ['an intermediate signed by another key', { intermediate: { signer: other } }, 'snp-chain'],
  ['an intermediate that is no authority', { intermediate: { extensions: [] } }, 'snp-chain'],
  [
    'an intermediate that may not sign certificates',
    { intermediate: { extensions: authority().slice(0, 1) } },
    'snp-chain',
  ],
  [
    'an intermediate with a demand that is not understood',
    { intermediate: { extensions: [...authority(0), { oid: '2.5.29.36', critical: true, value: integer(0) }] } },
    'snp-chain',
  ],
  ['an expired leaf', { leaf: { untilMs: TEST_NOW_MS - 1000 } }, 'snp-certificate-expired'],
  ['an expired intermediate', { intermediate: { untilMs: TEST_NOW_MS - 1000 } }, 'snp-certificate-expired'],
  ['a leaf of tomorrow', { leaf: { fromMs: TEST_NOW_MS + 86_400_000 } }, 'snp-certificate-not-yet-valid'],
])('%s is refused', async (_, changes, code) => {
  expect(await codeOf(changes)).toBe(`attestation.${code}`)
})

test.each<[string, NonNullable<GuestChanges['crl']>, string]>([
  ['no list', 'none', 'snp-crl-missing'],
  ['a list of another issuer', { issuer: 'ARK-Genoa' }, 'snp-crl-issuer'],
  ['a list signed by another key', { signer: other }, 'snp-crl-signature'],
  ['an expired list', { untilMs: TEST_NOW_MS - 1000 }, 'snp-crl-expired'],
  ['a list without an end', { untilMs: null }, 'snp-crl-expired'],
  [
    'a list that narrows its scope',
    { extensions: [{ oid: '2.5.29.28', critical: true, value: integer(0) }] },
    'snp-crl-format',
  ],
  ['a list with the intermediate on it', { revoked: [Uint8Array.of(9), Uint8Array.of(1, 0, 1)] }, 'snp-revoked'],
])('%s is refused', async (_, crl, code) => {
  expect(await codeOf({ crl })).toBe(`attestation.${code}`)
})

test('a list is good in its last second; bytes that are none are refused', async () => {
  expect(await codeOf({ crl: { untilMs: TEST_NOW_MS } })).toBe('ok')
  const { evidence, collateral, roots } = guest()
  const context = { crypto: nodeVerifyCrypto, nowMs: TEST_NOW_MS, roots }
  const result = await verifySnp(evidence, { ...collateral, crl: new Uint8Array(9) }, LENIENT_SNP, context)
  expect(result).toMatchObject({ ok: false, code: 'attestation.snp-crl-format' })
})

test('without a list, where none is required, the result says that revocation was not checked', async () => {
  const result = await verify({ crl: 'none' }, { crl: 'if-given' })
  expect(result.ok && result.checks.find((c) => c.id === 'snp-crl')?.outcome).toBe('info')
})

test('a chain to a root of nobody is refused, though all its signatures hold', async () => {
  const result = await verify({}, {}, { roots: [] })
  expect(result).toMatchObject({ ok: false, code: 'attestation.snp-root-untrusted' })
})

const tcb: SnpTcb = { fmc: null, bootLoader: 3, tee: 0, snp: 8, microcode: 0xd1 }

test.each<[string, GuestChanges, Partial<SnpExpectations>, string]>([
  ['debugging', { patch: (r) => void (r[AT.policy + 2] = 0x0b) }, {}, 'snp-debug'],
  ['a migration agent', { patch: (r) => void (r[AT.policy + 2] = 0x07) }, {}, 'snp-migration'],
  ['another privilege level', { patch: (r) => void (r[AT.vmpl] = 2) }, {}, 'snp-vmpl'],
  ['a machine with SMT', { patch: (r) => void (r[0x40] = 1) }, { platform: ['smt-off'] }, 'snp-platform'],
  ['a machine whose memory nobody checked', {}, { platform: ['alias-check'] }, 'snp-platform'],
  ['a minimum above the boot loader', {}, { minimumTcb: { Milan: { ...tcb, bootLoader: 4 } } }, 'snp-tcb-too-old'],
  ['a minimum above the microcode', {}, { minimumTcb: { Milan: { ...tcb, microcode: 0xd2 } } }, 'snp-tcb-too-old'],
  ['a minimum for other products only', {}, { minimumTcb: { Genoa: tcb } }, 'snp-tcb-too-old'],
  [
    'an older committed TCB',
    { patch: (r) => void (r[AT.committedTcb] = 2) },
    { minimumTcb: { Milan: tcb } },
    'snp-tcb-too-old',
  ],
  ['a measurement off the list', {}, { measurements: ['00'.repeat(48)] }, 'snp-measurement'],
  ['an empty list of measurements', {}, { measurements: [] }, 'snp-measurement'],
  ['other host data', {}, { hostData: '00'.repeat(32) }, 'snp-host-data'],
  ['report data of another key', {}, { reportData: new Uint8Array(64) }, 'snp-report-data'],
])('%s is refused by the policy', async (_, changes, expected, code) => {
  expect(await codeOf(changes, expected)).toBe(`attestation.${code}`)
})

test('what the policy asks for passes', async () => {
  const expected: Partial<SnpExpectations> = {
    platform: ['smt-off'],
    minimumTcb: { Milan: tcb },
    measurements: ['00'.repeat(48), '07'.repeat(48).toUpperCase()],
    hostData: '09'.repeat(32),
    reportData: new Uint8Array(64).fill(5),
  }
  const result = await verify({}, expected)
  expect(result.checks.filter((c) => c.outcome !== 'passed')).toEqual([])
  expect(
    await codeOf(
      { patch: (r) => void (r[AT.policy + 2] = 0x0f) },
      { ...expected, debug: 'allow', migrationAgent: 'allow' },
    ),
  ).toBe('ok')
})

test('a failure does not hide the later ones, and throwing carries the first', async () => {
  const result = await verify({ crl: 'none', patch: (r) => void (r[AT.policy + 2] = 0x0b) })
  expect(result.checks.filter((c) => c.outcome === 'failed').map((c) => c.id)).toEqual(['snp-crl', 'snp-debug'])
  expect(() => verifiedOrThrow(result)).toThrow(expect.objectContaining({ code: 'attestation.snp-crl-missing' }))
})

test('certificates that are none are refused as such', async () => {
  const { evidence, collateral, roots } = guest()
  const context = { crypto: nodeVerifyCrypto, nowMs: TEST_NOW_MS, roots }
  const junk = Uint8Array.of(0x30, 0x03, 1, 2, 3)
  for (const [shown, published] of [
    [{ ...evidence, leaf: junk }, collateral],
    [evidence, { ...collateral, intermediate: junk }],
    [evidence, { ...collateral, root: junk }],
  ] as const)
    expect(await verifySnp(shown, published, LENIENT_SNP, context)).toMatchObject({
      ok: false,
      code: 'attestation.snp-certificate-format',
      facts: null,
    })
})
