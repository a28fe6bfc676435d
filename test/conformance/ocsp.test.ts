/** Questions and answers that OpenSSL wrote: ours are the same bytes, and its answers mean what it says. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { examineOcsp } from '../../src/tee/verify/ocsp.ts'
import { nodeVerifyCrypto } from '../../src/tee/x509/crypto-node.ts'
import {
  encodeOcspRequest,
  ocspCertIdOf,
  parseCertificate,
  parseOcspRequest,
  parseOcspResponse,
  webVerifyCrypto,
} from '../../src/tee/x509/index.ts'

const bytes = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../../spec/vectors/ocsp/${name}`, import.meta.url)))
const issuer = parseCertificate(bytes('issuer.crt'))
const subject = parseCertificate(bytes('subject.crt'))
const FROM_MS = Date.parse('2026-11-21T18:45:56Z')
const UNTIL_MS = FROM_MS + 30 * 86_400_000
const context = { crypto: nodeVerifyCrypto, nowMs: FROM_MS, clockSkewMs: 0 }

test.each(['request.der', 'request-nonce.der'])('%s is read, and written again to the same bytes', async (name) => {
  const { nonce } = parseOcspRequest(bytes(name))
  const certId = await ocspCertIdOf(nodeVerifyCrypto, subject, issuer)
  expect(encodeOcspRequest({ certId, nonce })).toEqual(bytes(name))
  expect(nonce?.length).toBe(name === 'request.der' ? undefined : 16)
})

const SAID = [
  ['good-nonce.der', 'good', null],
  ['good-key-id.der', 'good', null],
  ['good-by-issuer.der', 'good', null],
  ['revoked.der', 'revoked', 1],
  ['on-hold.der', 'revoked', 6],
  ['unknown.der', 'unknown', null],
] as const

test.each(SAID)('%s is genuine for its 30 days and says %s, with reason %s', async (name, status, reason) => {
  const response = parseOcspResponse(bytes(name))
  for (const crypto of [nodeVerifyCrypto, webVerifyCrypto()])
    expect(await examineOcsp(response, subject, issuer, { ...context, crypto })).toMatchObject({
      fault: null,
      said: { status, reason, revokedAtMs: status === 'revoked' ? Date.parse('2026-01-01') : null },
      responder: name === 'good-by-issuer.der' ? 'Test issuer' : 'Test responder',
    })
  const at = async (nowMs: number): Promise<string | null> =>
    (await examineOcsp(response, subject, issuer, { ...context, nowMs })).fault
  expect(await at(UNTIL_MS + 999)).toBeNull()
  expect(await at(UNTIL_MS + 1000)).toBe('attestation.ocsp-expired')
  // The responder's certificate begins in the same second, and is looked at first.
  const early = name === 'good-by-issuer.der' ? 'not-yet-valid' : 'responder-expired'
  expect(await at(FROM_MS - 1)).toBe(`attestation.ocsp-${early}`)
})

test('the nonce of the answer is that of the question', () => {
  expect(parseOcspResponse(bytes('good-nonce.der')).nonce).toEqual(parseOcspRequest(bytes('request-nonce.der')).nonce)
  expect(parseOcspResponse(bytes('good-key-id.der')).nonce).toBeNull()
})

test('a certificate of the issuer that is not for answering makes no answer', async () => {
  const found = await examineOcsp(parseOcspResponse(bytes('good-by-nobody.der')), subject, issuer, context)
  expect(found).toEqual({ fault: 'attestation.ocsp-responder', said: null, responder: null })
})

test('an answer about one certificate is none about another', async () => {
  const other = parseCertificate(bytes('responder.crt'))
  const found = await examineOcsp(parseOcspResponse(bytes('good-nonce.der')), other, issuer, context)
  expect(found.fault).toBe('attestation.ocsp-other-certificate')
})
