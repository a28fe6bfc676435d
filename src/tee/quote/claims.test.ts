import { expect, test } from 'vitest'
import { createTestCertificate, createTestKey } from '../../../test/support/test-pki.ts'
import { damage, seededDraw } from '../../../test/support/mutations.ts'
import { CocoonError, concatBytes, fromHex, toHex } from '../../util/index.ts'
import { type Claims, encodeClaims, MAX_CLAIMS_BYTES, parseClaims } from './claims.ts'

const key = createTestKey('p384')
const certificate = createTestCertificate({ subject: 'leaf', issuer: 'root', key, signer: key })
const claims: Claims = {
  publicKey: new Uint8Array(32).fill(7),
  issuedAtMs: Date.parse('2026-06-01T12:00:00.123Z'),
  gpus: [
    { report: Uint8Array.of(1, 2, 3), certificates: [certificate, certificate] },
    { report: new Uint8Array(), certificates: [certificate] },
  ],
  provider: null,
  region: null,
}
const good = encodeClaims(claims)
const refused = (bytes: Uint8Array): unknown => {
  try {
    parseClaims(bytes)
  } catch (error) {
    return error instanceof CocoonError ? [error.code, error.info['field']] : error
  }
  return null
}

test('claims are read as they were written, by the layout of the specification', () => {
  expect(parseClaims(good)).toEqual(claims)
  expect(parseClaims(encodeClaims({ ...claims, gpus: [] })).gpus).toEqual([])
  const head = '43434c32' + '02' + '04' + '01' + '20000000' + '07'.repeat(32) + '03' + '08000000'
  expect(toHex(good.subarray(0, head.length / 2))).toBe(head)
})

const at = 4 + 2 + 5 + 32 + 5 + 8
const changed = (index: number, hex: string): Uint8Array => {
  const bytes = fromHex(hex)
  return concatBytes(good.subarray(0, index), bytes, good.subarray(index + bytes.length))
}

test.each([
  ['nothing', new Uint8Array(), 'magic'],
  ['another magic', changed(0, '43434c33'), 'magic'],
  ['version 1', changed(4, '01'), 'version'],
  ['no key', changed(5, '01'), 'count'],
  ['twenty-one entries', changed(5, '15'), 'count'],
  ['a GPU in the place of the key', changed(6, '02'), 'publicKey'],
  ['a short key', changed(7, '1f'), 'publicKey'],
  ['a time after the end of time', changed(at - 1, '7f'), 'issuedAt'],
  ['a GPU beyond the end', changed(at + 1, 'ffffff7f'), 'gpus.0'],
  ['a report beyond its GPU', changed(at + 5, 'ffffff7f'), 'gpus.0.report'],
  ['a certificate that is none', changed(at + 5 + 4 + 3, '31'), 'gpus.0.certificates'],
  ['more behind the end', concatBytes(good, Uint8Array.of(0)), 'claims'],
  ['too much', new Uint8Array(MAX_CLAIMS_BYTES + 1), 'length'],
])('%s is refused, and the field is named', (_, bytes, field) => {
  expect(refused(bytes)).toEqual(['attestation.claims-malformed', field])
})

test('provider and region are read as they were written, and are words', () => {
  const stated = { ...claims, provider: 'cloud-7', region: 'eu' }
  expect(parseClaims(encodeClaims(stated))).toEqual(stated)
  expect(parseClaims(encodeClaims({ ...claims, gpus: [], region: 'eu' }))).toMatchObject({
    provider: null,
    region: 'eu',
  })
  expect(refused(encodeClaims({ ...claims, region: 'two words' }))).toEqual(['attestation.claims-malformed', 'region'])
  const many = { ...claims, gpus: Array.from({ length: 17 }, () => claims.gpus[1] as (typeof claims.gpus)[number]) }
  expect(refused(encodeClaims(many))).toEqual(['attestation.claims-malformed', 'count'])
})

test('every proper beginning is refused', () => {
  for (let end = 0; end < good.length; end++) expect(refused(good.subarray(0, end))).not.toBeNull()
})

test('what is read of damaged claims encodes to the same bytes', () => {
  const draw = seededDraw(20_261_121)
  let read = 0
  for (let i = 0; i < 3000; i++) {
    const bytes = damage(good, draw)
    try {
      expect(encodeClaims(parseClaims(bytes))).toEqual(bytes)
      read++
    } catch (error) {
      if (!(error instanceof CocoonError)) throw error
      expect(error.code).toBe('attestation.claims-malformed')
    }
  }
  expect(read).toBeGreaterThan(30)
})
