/** Answers about revocation that are wrong in one way each, by responders that exist in tests only. */
import { expect, test } from 'vitest'
import { createTestAnswer, createTestRefusal, MAY_ANSWER, type TestAnswer } from '../../../test/support/ocsp-maker.ts'
import {
  authority,
  createTestCertificate,
  createTestKey,
  TEST_FROM_MS,
  TEST_NOW_MS,
  type TestExtension,
} from '../../../test/support/test-pki.ts'
import { flipBit, seededDraw } from '../../../test/support/mutations.ts'
import { fromHex } from '../../util/index.ts'
import { nodeVerifyCrypto } from '../x509/crypto-node.ts'
import { sequence, oid } from '../x509/der.ts'
import { type OcspResponse, parseCertificate, parseOcspRequest, parseOcspResponse } from '../x509/index.ts'
import { examineOcsp, type OcspFinding } from './ocsp.ts'

const DAY_MS = 86_400_000
const [rootKey, subjectKey, strangerKey] = [createTestKey('p384'), createTestKey('p384'), createTestKey('p384')]
const root = createTestCertificate({
  subject: 'root',
  issuer: 'root',
  key: rootKey,
  signer: rootKey,
  extensions: authority(),
})
const certificateOf = (serial: number): Uint8Array =>
  createTestCertificate({
    subject: 'subject',
    issuer: 'root',
    key: subjectKey,
    signer: rootKey,
    serial: Uint8Array.of(serial),
    extensions: authority(),
  })
const certificate = certificateOf(7)
const GOOD: TestAnswer = { certificate, issuer: root, issuerKey: rootKey }

const examine = (response: OcspResponse, nowMs = TEST_NOW_MS): Promise<OcspFinding> =>
  examineOcsp(response, parseCertificate(certificate), parseCertificate(root), {
    crypto: nodeVerifyCrypto,
    nowMs,
    clockSkewMs: 300_000,
  })
const faultOf = async (changes: Partial<TestAnswer>, nowMs?: number): Promise<string | null> =>
  (await examine(parseOcspResponse(await createTestAnswer({ ...GOOD, ...changes })), nowMs)).fault

const without = (extension: string): readonly TestExtension[] => MAY_ANSWER.filter((one) => one.oid !== extension)
const OTHER_USE = { oid: '2.5.29.37', critical: true, value: sequence(oid('1.3.6.1.5.5.7.3.1')) }
const MAY_CERTIFY = { oid: '2.5.29.15', critical: true, value: fromHex('03020106') }

test.each(['delegated', 'issuer'] as const)(
  'an answer that the %s signs is believed, whatever it says',
  async (signer) => {
    for (const status of ['good', 'revoked', 'on-hold', 'unknown'] as const)
      expect(await faultOf({ signer, status })).toBeNull()
  },
)

const REFUSED: readonly (readonly [what: string, changes: Partial<TestAnswer>, code: string])[] = [
  ['about another certificate', { certificate: certificateOf(8) }, 'other-certificate'],
  ['that says it twice', { times: 2 }, 'other-certificate'],
  ['that says nothing', { times: 0 }, 'other-certificate'],
  ['by a responder of another issuer', { issuerKey: strangerKey }, 'responder'],
  ['by a responder without extendedKeyUsage', { responder: { extensions: without('2.5.29.37') } }, 'responder'],
  ['by a responder for servers', { responder: { extensions: [...without('2.5.29.37'), OTHER_USE] } }, 'responder'],
  [
    'by a responder that may not sign data',
    { responder: { extensions: [...without('2.5.29.15'), MAY_CERTIFY] } },
    'responder',
  ],
  [
    'by a responder that is an authority',
    { responder: { extensions: [...MAY_ANSWER, ...authority().slice(0, 1)] } },
    'responder',
  ],
  [
    'by a responder with an unknown critical extension',
    { responder: { extensions: [...MAY_ANSWER, { oid: '1.2.3', critical: true, value: fromHex('0500') }] } },
    'responder',
  ],
  ['by a responder that has expired', { responder: { untilMs: TEST_NOW_MS - 1000 } }, 'responder-expired'],
  ['by a responder of tomorrow', { responder: { fromMs: TEST_NOW_MS + DAY_MS } }, 'responder-expired'],
  ['with another key’s signature', { wrongKey: strangerKey }, 'signature'],
  ['with another key’s signature in the issuer’s name', { signer: 'issuer', wrongKey: strangerKey }, 'signature'],
  ['of tomorrow', { fromMs: TEST_NOW_MS + DAY_MS }, 'not-yet-valid'],
  ['without an end', { untilMs: null }, 'expired'],
  ['that has ended', { fromMs: TEST_FROM_MS, untilMs: TEST_NOW_MS - 1000 }, 'expired'],
]

test.each(REFUSED)('an answer %s is refused', async (_, changes, code) => {
  expect(await faultOf(changes)).toBe(`attestation.ocsp-${code}`)
})

test('the last second of an answer still counts, and clocks may differ by the skew at its beginning', async () => {
  expect(await faultOf({}, TEST_NOW_MS + DAY_MS + 999)).toBeNull()
  expect(await faultOf({}, TEST_NOW_MS + DAY_MS + 1000)).toBe('attestation.ocsp-expired')
  expect(await faultOf({}, TEST_NOW_MS - 300_000)).toBeNull()
  expect(await faultOf({}, TEST_NOW_MS - 301_000)).toBe('attestation.ocsp-not-yet-valid')
})

test('what an expired answer said is kept, since revoked was revoked', async () => {
  const answer = await createTestAnswer({ ...GOOD, status: 'revoked' })
  const found = await examine(parseOcspResponse(answer), TEST_NOW_MS + 2 * DAY_MS)
  expect(found).toMatchObject({ fault: 'attestation.ocsp-expired', said: { status: 'revoked', reason: 1 } })
})

test.each([1, 2, 3, 5, 6])('a responder that answers with status %i has not answered', (status) => {
  expect(() => parseOcspResponse(createTestRefusal(status))).toThrow(
    expect.objectContaining({ code: 'attestation.ocsp-refused', info: expect.objectContaining({ status }) }),
  )
})

test('of 500 answers with one bit changed, none is believed', async () => {
  const answer = await createTestAnswer({ ...GOOD, status: 'revoked', nonce: new Uint8Array(16) })
  const draw = seededDraw(20_261_121)
  const codes: Record<string, number> = {}
  for (let i = 0; i < 500; i++) {
    const code = await codeOf(flipBit(answer, 0, answer.length, draw))
    expect(code, `mutation ${i}`).not.toBeNull()
    codes[String(code)] = (codes[String(code)] ?? 0) + 1
  }
  // Every part of it is reached: outer form, what is signed, its signature, the responder's certificate.
  expect(Object.keys(codes).toSorted()).toEqual(
    expect.arrayContaining([
      'attestation.ocsp-malformed',
      'attestation.ocsp-other-certificate',
      'attestation.ocsp-responder',
      'attestation.ocsp-signature',
    ]),
  )
})

async function codeOf(bytes: Uint8Array): Promise<string | null> {
  try {
    return (await examine(parseOcspResponse(bytes))).fault
  } catch (error) {
    return (error as { readonly code: string }).code
  }
}

test('a question by another hash, about two certificates or with a demand is refused', () => {
  const id = (hash: string): Uint8Array =>
    sequence(
      sequence(oid(hash), fromHex('0500')),
      fromHex(`0430${'aa'.repeat(48)}`),
      fromHex(`0430${'bb'.repeat(48)}`),
      fromHex('020107'),
    )
  const SHA384 = '2.16.840.1.101.3.4.2.2'
  const one = sequence(id(SHA384))
  const demand = fromHex('a2123010300e06032a03040101ff040430020500')
  const asking = (...parts: readonly Uint8Array[]): Uint8Array => sequence(sequence(...parts))
  expect(parseOcspRequest(asking(sequence(one))).nonce).toBeNull()
  for (const wrong of [
    asking(sequence(sequence(id('1.3.14.3.2.26')))),
    asking(sequence(one, one)),
    asking(sequence(one), demand),
  ])
    expect(() => parseOcspRequest(wrong)).toThrow(expect.objectContaining({ code: 'attestation.ocsp-malformed' }))
})
