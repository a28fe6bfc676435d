import { expect, test } from 'vitest'
import { createTestGuest } from '../../../test/support/snp-guest.ts'
import { vectorBytes } from '../../../test/support/attestation-vectors.ts'
import { isTcbAtLeast, readTcb } from './snp-tcb.ts'
import { parseSnpReport, SNP_REPORT_BYTES, snpProductOf } from './snp.ts'

const { report } = createTestGuest()().evidence
const patched = (at: number, ...bytes: readonly number[]): Uint8Array => {
  const copy = report.slice()
  copy.set(bytes, at)
  return copy
}

test.each<[string, Uint8Array, string, string, number]>([
  ['nothing', new Uint8Array(), 'snp-malformed', 'report', 0],
  ['a byte too few', report.subarray(1), 'snp-malformed', 'report', SNP_REPORT_BYTES - 1],
  ['a byte too many', new Uint8Array([...report, 0]), 'snp-malformed', 'report', SNP_REPORT_BYTES],
  ['version 1', patched(0, 1), 'snp-version-unsupported', 'version', 0],
  ['version 6', patched(0, 6), 'snp-version-unsupported', 'version', 0],
  ['a policy without its fixed bit', patched(0x0a, 1), 'snp-malformed', 'policy', 8],
  ['no signature algorithm', patched(0x34, 0), 'snp-signature-algorithm', 'signatureAlgorithm', 0x34],
  ['an unknown signing key', patched(0x48, 2 << 2), 'snp-malformed', 'signingKey', 0x48],
  ['an unknown flag', patched(0x48, 1 << 5), 'snp-malformed', 'flags', 0x48],
  ['a reserved word', patched(0x4c, 1), 'snp-malformed', 'reserved', 0x4c],
  ['a reserved byte behind the processor', patched(0x19f, 1), 'snp-malformed', 'reserved', 0x18b],
  ['mitigations before version 5', patched(0x1f8, 1), 'snp-malformed', 'reserved', 0x1f8],
  ['the last reserved byte', patched(0x29f, 1), 'snp-malformed', 'reserved', 0x1f8],
  ['r above 48 bytes', patched(0x2a0 + 48, 1), 'snp-malformed', 'signature.r', 0x2a0 + 48],
  ['s above 48 bytes', patched(0x2a0 + 72 + 71, 1), 'snp-malformed', 'signature.s', 0x2a0 + 72 + 48],
  ['something behind the signature', patched(0x49f, 1), 'snp-malformed', 'signature', 0x2a0 + 144],
])('%s is refused with its place', (_, bytes, code, field, offset) => {
  expect(() => parseSnpReport(bytes)).toThrow(
    expect.objectContaining({ code: `attestation.${code}`, info: expect.objectContaining({ field, offset }) }),
  )
})

test('reserved areas may be tolerated, and are then named', () => {
  expect(parseSnpReport(patched(0x4c, 1), { reserved: 'tolerate' }).reservedNonZero).toEqual([0x4c])
  expect(parseSnpReport(patched(0x49, 1), { reserved: 'tolerate' }).reservedNonZero).toEqual([0x48])
})

test('version 2 names no processor; version 5 has mitigations', () => {
  expect(parseSnpReport(vectorBytes('snp/v2-milan-trustee.bin'))).toMatchObject({ cpuid: null, mitigations: null })
  expect(snpProductOf(parseSnpReport(vectorBytes('snp/v2-milan-trustee.bin')))).toBeNull()
  expect(parseSnpReport(vectorBytes('snp/v5-turin-ms.bin')).mitigations).not.toBeNull()
})

test.each([
  [0x19, 0x00, 'Milan'],
  [0x19, 0x0f, 'Milan'],
  [0x19, 0x10, 'Genoa'],
  [0x19, 0x1f, 'Genoa'],
  [0x19, 0x20, null],
  [0x19, 0x9f, null],
  [0x19, 0xa0, 'Genoa'],
  [0x19, 0xaf, 'Genoa'],
  [0x19, 0xb0, null],
  [0x1a, 0x00, 'Turin'],
  [0x1a, 0x1f, 'Turin'],
  [0x1a, 0x20, null],
  [0x18, 0x00, null],
])('a processor of family %i and model %i is %s', (family, model, product) => {
  expect(snpProductOf(parseSnpReport(patched(0x188, family, model)))).toBe(product)
})

test('the bytes of a TCB mean other things on Turin', () => {
  const raw = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
  expect(readTcb(raw, 'Milan')).toEqual({ fmc: null, bootLoader: 1, tee: 2, snp: 7, microcode: 8 })
  expect(readTcb(raw, 'Turin')).toEqual({ fmc: 1, bootLoader: 2, tee: 3, snp: 4, microcode: 8 })
})

test('a TCB reaches a minimum only with every part', () => {
  const tcb = readTcb(Uint8Array.of(1, 1, 1, 1, 0, 0, 0, 1), 'Turin')
  expect(isTcbAtLeast(tcb, tcb)).toBe(true)
  for (const part of ['fmc', 'bootLoader', 'tee', 'snp', 'microcode'] as const)
    expect(isTcbAtLeast(tcb, { ...tcb, [part]: 2 })).toBe(false)
})

test('what was parsed does not change with the buffer', () => {
  const bytes = report.slice()
  const parsed = parseSnpReport(bytes)
  const before = parsed.signed.slice()
  bytes.fill(0xff)
  expect(parsed.signed).toEqual(before)
})
