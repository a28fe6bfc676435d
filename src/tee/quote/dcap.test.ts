import { describe, expect, test } from 'vitest'
import { concatBytes, toHex } from '../../util/index.ts'
import { makeWorld } from '../../../test/support/dcap-maker.ts'
import { dcapQuotes, vector } from '../../../test/support/dcap-vectors.ts'
import { MAX_QUOTE_BYTES, parseDcapQuote } from './dcap.ts'
import { decodeSgxAttributes } from './sgx.ts'
import { decodeTdAttributes } from './tdx.ts'

const TDX_FIELDS = [
  'teeTcbSvn',
  'mrSeam',
  'mrSignerSeam',
  'seamAttributes',
  'tdAttributes',
  'xfam',
  'mrTd',
  'mrConfigId',
  'mrOwner',
  'mrOwnerConfig',
  'reportData',
] as const
const SGX_FIELDS = ['cpuSvn', 'attributes', 'mrEnclave', 'mrSigner', 'reportData'] as const
const V4 = 'tdx/v4-cocoon-reference.bin'
const V5 = 'tdx/v5-90c06f-uptodate.bin'
const SGX = 'sgx/v3-00606a-outofdate.bin'

/** A copy with some bytes replaced, or cut. */
const changed = (file: string, at: number, ...bytes: number[]): Uint8Array => {
  const copy = vector(file)
  copy.set(bytes, at)
  return copy
}

describe('real quotes', () => {
  test.each(Object.entries(dcapQuotes))('%s: every field is that of the index', (file, index) => {
    const quote = parseDcapQuote(vector(file))
    expect(quote.version).toBe(index['version'])
    expect(toHex(quote.userData)).toBe(index['userData'])
    expect(quote.quoteBytes).toBe(index['quoteLength'])
    expect(quote.trailing.bytes).toBe(index['trailingBytes'])
    expect(quote.signed).toHaveLength(index['signedLength'] as number)
    expect(quote.qeAuthenticationData).toHaveLength(index['qeAuthDataLength'] as number)
    expect(quote.certificationData.type).toBe(index['certificationDataType'])
    const { qeReport } = quote
    expect({
      mrSigner: toHex(qeReport.mrSigner),
      isvProdId: qeReport.isvProdId,
      isvSvn: qeReport.isvSvn,
      reportDataFirst32: toHex(qeReport.reportData.subarray(0, 32)),
    }).toEqual(index['qeReport'])
    const { body } = quote
    if (body.tee === 'sgx') {
      for (const field of SGX_FIELDS) expect([field, toHex(body.report[field])]).toEqual([field, index[field]])
      return
    }
    for (const field of TDX_FIELDS) expect([field, toHex(body.report[field])]).toEqual([field, index[field]])
    expect(body.report.rtmrs.map(toHex)).toEqual(index['rtmr'])
    const { later } = body.report
    expect(later === null ? undefined : toHex(later.teeTcbSvn2)).toBe(index['teeTcbSvn2'])
    expect(later === null ? undefined : toHex(later.mrServiceTd)).toBe(index['mrServiceTd'])
  })

  test('a quote of version 3 has the SVNs of its header, later ones reserve them', () => {
    expect(parseDcapQuote(vector(SGX)).headerSvns).toEqual({ qeSvn: 9, pceSvn: 13 })
    expect(parseDcapQuote(vector(V4)).headerSvns).toBeNull()
  })

  test('the value does not change when the caller reuses the buffer', () => {
    const bytes = vector(V4)
    const quote = parseDcapQuote(bytes)
    const before = JSON.stringify(quote)
    bytes.fill(0)
    expect(JSON.stringify(quote)).toBe(before)
  })
})

describe('an extended 1.5 body', () => {
  test('is read to its last byte', () => {
    const { body, signed } = parseDcapQuote(makeWorld({ version: 5, form: '1.5-extended' }).quote)
    expect(signed).toHaveLength(54 + 885)
    expect(body).toMatchObject({ form: '1.5-extended', report: { extended: { vmId: 0 } } })
  })
})

describe('refused, with the field and where it begins', () => {
  test.each([
    ['quote-version-unsupported', 'version 2', changed(V4, 0, 2), 'version', 0],
    ['quote-version-unsupported', 'version 6', changed(V4, 0, 6), 'version', 0],
    ['quote-version-unsupported', 'version 0x0104', changed(V4, 1, 1), 'version', 0],
    ['attestation-key-type-unsupported', 'P-384', changed(V4, 2, 3), 'attestationKeyType', 2],
    ['tee-type-unsupported', 'a TEE of the future', changed(V4, 4, 0x82), 'teeType', 4],
    ['tee-type-unsupported', 'TDX in version 3', changed(SGX, 4, 0x81), 'teeType', 4],
    ['qe-vendor', 'another vendor', changed(V4, 12, 0), 'qeVendorId', 12],
    ['quote-malformed', 'SGX in a quote with a TDX body', changed(V4, 4, 0), 'signatureData', 436],
    ['quote-malformed', 'a body type of the future', changed(V5, 48, 5), 'bodyType', 48],
    ['quote-malformed', 'an SGX body in a TDX quote', changed(V5, 48, 1), 'bodyType', 48],
    ['quote-malformed', 'a body size that is not the type’s', changed(V5, 50, 0x87), 'bodySize', 50],
    ['quote-malformed', 'a 1.0 body of 1.5 size', changed(V5, 48, 2), 'bodySize', 50],
    [
      'quote-malformed',
      'signature data that is longer than the quote',
      changed(V4, 632, 0xff, 0xff),
      'signatureData',
      636,
    ],
    ['quote-malformed', 'signature data of 4 GiB', changed(V4, 632, 0xff, 0xff, 0xff, 0xff), 'signatureData', 636],
    ['quote-malformed', 'signature data one byte short', changed(V5, 702, 0xcb), 'certificationData', 840],
    ['certification-data-type', 'an outer type other than 6', changed(V4, 764, 5), 'certificationDataType', 764],
    ['quote-malformed', 'an outer size that leaves something', changed(V4, 766, 0), 'signatureData', 4866],
    ['certification-data-type', 'a wrapper within the wrapper', changed(V4, 1252, 6), 'certificationDataType', 1252],
    ['certification-data-type', 'an unknown inner type', changed(V4, 1252, 8), 'certificationDataType', 1252],
    ['quote-malformed', 'an inner size that leaves something', changed(V4, 1254, 0), 'signatureData', 4842],
  ])('%s: %s', (code, _, bytes, field, offset) => {
    expect(() => parseDcapQuote(bytes)).toThrow(
      expect.objectContaining({ code: `attestation.${code}`, info: expect.objectContaining({ field, offset }) }),
    )
  })

  test('a quote above 32768 bytes, however it is filled', () => {
    const padding = (length: number): Uint8Array => concatBytes(vector(V5), new Uint8Array(length - vector(V5).length))
    expect(parseDcapQuote(padding(MAX_QUOTE_BYTES)).trailing).toEqual({ bytes: MAX_QUOTE_BYTES - 5006, isZero: true })
    expect(() => parseDcapQuote(padding(MAX_QUOTE_BYTES + 1))).toThrow(
      expect.objectContaining({ code: 'attestation.quote-too-large' }),
    )
  })

  test.each([V4, V5, SGX])('every proper prefix of %s', (file) => {
    const bytes = vector(file)
    const { quoteBytes } = parseDcapQuote(bytes)
    for (let length = 0; length < quoteBytes; length++)
      expect(() => parseDcapQuote(bytes.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'attestation.quote-malformed' }),
      )
    expect(parseDcapQuote(bytes.subarray(0, quoteBytes)).trailing).toEqual({ bytes: 0, isZero: true })
  })
})

test('bytes behind the quote are counted, and told to be zero or not', () => {
  expect(parseDcapQuote(vector(V4)).trailing).toEqual({ bytes: 70, isZero: true })
  expect(parseDcapQuote(vector('tdx/v4-50806f-unsupported-level.bin')).trailing).toEqual({ bytes: 39, isZero: false })
})

test('attributes of a guest: named bits, and the rest', () => {
  expect(decodeTdAttributes(Uint8Array.of(0x01, 0, 0, 0xf0, 0, 0, 0, 0x80))).toEqual({
    debug: true,
    septVeDisable: true,
    migratable: true,
    protectionKeys: true,
    keyLocker: true,
    perfmon: true,
    otherBits: '0000000000000000',
  })
  expect(decodeTdAttributes(Uint8Array.of(0x82, 0, 1, 0x08, 0, 0, 0, 0x40))).toMatchObject({
    debug: false,
    septVeDisable: false,
    otherBits: '4000000008010082',
  })
})

test('attributes of an enclave', () => {
  expect(decodeSgxAttributes(Uint8Array.of(0x37, ...Array<number>(15).fill(0)))).toEqual({
    debug: true,
    mode64Bit: true,
    provisionKey: true,
    launchKey: true,
    keySeparation: false,
  })
})
