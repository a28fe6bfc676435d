import { generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { concatBytes, manualClock, toHex, utf8 } from '../../util/index.ts'
import { SIMULATED_SEV_IMAGE_HASH, SIMULATED_TDX_IMAGE_HASH } from '../policy/evidence.ts'
import { createCertificate, extension } from './create.ts'
import {
  bitString,
  der,
  explicitTag,
  implicitTag,
  octetString,
  oid,
  sequence,
  TAG,
  unsignedInteger,
  utcTime,
  utf8String,
} from '../x509/der.ts'
import { OID } from './oids.ts'
import { createIdentity } from './identity.ts'
import { createVerifier } from './verifier.ts'
import type { TlsRole } from './rules.ts'
import { reportDataOf, verifyRatls } from './verify.ts'

const NOW = Date.UTC(2026, 10, 21, 12)
const HOUR = 3_600_000
const DAY = 24 * HOUR

interface Made {
  readonly publicKey: Uint8Array
  readonly privateKey: KeyObject
}

function ed25519(): Made {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  return { publicKey: Uint8Array.from(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)), privateKey }
}

const KEY = ed25519()
const ALGORITHM = sequence(oid(OID.ed25519))
const nameOf = (common: string): Uint8Array => sequence(der(TAG.set, sequence(oid(OID.commonName), utf8String(common))))
const dns = (name: string): Uint8Array => der(implicitTag(2), utf8(name))
const bits = (byte: number, unused: number): Uint8Array => der(TAG.bitString, Uint8Array.of(unused, byte))

const BASIC = extension(OID.basicConstraints, true, sequence())
const USAGE = extension(OID.keyUsage, true, bits(0x80, 7))
const PURPOSES = extension(OID.extKeyUsage, true, sequence(oid(OID.serverAuth), oid(OID.clientAuth)))
const NAMES = extension(OID.subjectAltName, false, sequence(dns('localhost'), dns('127.0.0.1')))
const QUOTE = extension(OID.tdxQuote, true, reportDataOf(KEY.publicKey))
const CLAIMS = extension(OID.tdxClaims, true, KEY.publicKey)
const USUAL = [BASIC, USAGE, PURPOSES, NAMES]

interface Parts {
  readonly version?: Uint8Array
  readonly serial?: Uint8Array
  readonly issuer?: Uint8Array
  readonly subject?: Uint8Array
  readonly notBeforeMs?: number
  readonly notAfterMs?: number
  readonly spki?: Uint8Array
  readonly extensions?: readonly Uint8Array[]
  readonly signWith?: KeyObject
  readonly rest?: Uint8Array
}

/** A certificate that is good unless a part says otherwise. */
function make(parts: Parts = {}): Uint8Array {
  const subject = parts.subject ?? nameOf('localhost')
  const tbs = sequence(
    parts.version ?? new Uint8Array(0),
    parts.serial ?? unsignedInteger(randomBytes(16)),
    ALGORITHM,
    parts.issuer ?? subject,
    sequence(utcTime(parts.notBeforeMs ?? NOW - HOUR), utcTime(parts.notAfterMs ?? NOW + 23 * HOUR)),
    subject,
    parts.spki ?? sequence(ALGORITHM, bitString(KEY.publicKey)),
    der(explicitTag(3), sequence(...(parts.extensions ?? [QUOTE, CLAIMS, ...USUAL]))),
    parts.rest ?? new Uint8Array(0),
  )
  return sequence(tbs, ALGORITHM, bitString(sign(null, tbs, parts.signWith ?? KEY.privateKey)))
}

const BOTH: readonly TlsRole[] = ['server', 'client']
const code = (run: () => unknown): string => {
  try {
    run()
    return 'accepted'
  } catch (error) {
    return (error as { code: string }).code
  }
}
const verdict = (certificate: Uint8Array, role: TlsRole): string => code(() => verifyRatls(certificate, role, NOW))

const any = createVerifier({ accept: ['none'] })
const simulated = createVerifier({ accept: ['simulated'] })

describe('certificates that are odd and good', () => {
  const p = new Uint8Array(0)
  test.each<[string, Parts]>([
    ['version 1 with extensions', { version: p }],
    ['version 3', { version: der(explicitTag(0), unsignedInteger(Uint8Array.of(2))) }],
    ['no claims', { extensions: [QUOTE, ...USUAL] }],
    [
      'private extensions that are not critical',
      {
        extensions: [
          extension(OID.tdxQuote, false, reportDataOf(KEY.publicKey)),
          extension(OID.tdxClaims, false, KEY.publicKey),
          ...USUAL,
        ],
      },
    ],
    ['no extKeyUsage and no basicConstraints', { extensions: [NAMES] }],
    [
      'a CA',
      { extensions: [extension(OID.basicConstraints, true, sequence(der(TAG.boolean, Uint8Array.of(0xff)))), NAMES] },
    ],
    ['serial 0', { serial: unsignedInteger(Uint8Array.of(0)) }],
    ['an unknown extension that is not critical', { extensions: [...USUAL, extension('1.2.3.4', false, p)] }],
    ['an empty name', { subject: sequence() }],
    ['two days of validity', { notBeforeMs: NOW - DAY, notAfterMs: NOW + DAY }],
  ])('%s: accepted in both roles', (_, parts) => {
    for (const role of BOTH) expect(verdict(make(parts), role)).toBe('accepted')
  })

  test.each<[string, Parts, string, string]>([
    [
      'extKeyUsage serverAuth only',
      { extensions: [extension(OID.extKeyUsage, true, sequence(oid(OID.serverAuth))), NAMES] },
      'accepted',
      'attestation.certificate-purpose',
    ],
    [
      'extKeyUsage clientAuth only',
      { extensions: [extension(OID.extKeyUsage, true, sequence(oid(OID.clientAuth))), NAMES] },
      'attestation.certificate-purpose',
      'accepted',
    ],
    ['no subjectAltName', { extensions: [BASIC] }, 'attestation.certificate-name', 'accepted'],
    [
      'an iPAddress only',
      {
        extensions: [extension(OID.subjectAltName, false, sequence(der(implicitTag(7), Uint8Array.of(127, 0, 0, 1))))],
      },
      'attestation.certificate-name',
      'accepted',
    ],
    [
      'a dNSName that only begins with the address',
      { extensions: [extension(OID.subjectAltName, false, sequence(dns('127.0.0.1.example')))] },
      'attestation.certificate-name',
      'accepted',
    ],
  ])('%s: judged by the role', (_, parts, asServer, asClient) => {
    expect(BOTH.map((role) => verdict(make(parts), role))).toEqual([asServer, asClient])
  })
})

describe('certificates that are refused in both roles', () => {
  const other = ed25519()
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'der', type: 'spki' })
  test.each<[string, Parts, string]>([
    ['damaged self-signature', { signWith: other.privateKey }, 'certificate-signature'],
    [
      'unknown critical extension',
      { extensions: [...USUAL, extension('1.2.3.4', true, new Uint8Array(0))] },
      'certificate-critical-extension',
    ],
    ['expired', { notBeforeMs: NOW - DAY, notAfterMs: NOW }, 'certificate-expired'],
    ['not yet valid', { notBeforeMs: NOW + 1000 }, 'certificate-not-yet-valid'],
    ['ten years of validity', { notAfterMs: NOW + 3650 * DAY }, 'certificate-too-long'],
    [
      'codeSigning only',
      { extensions: [extension(OID.extKeyUsage, true, sequence(oid('1.3.6.1.5.5.7.3.3'))), NAMES] },
      'certificate-purpose',
    ],
    ['certSign only', { extensions: [extension(OID.keyUsage, true, bits(0x04, 2)), NAMES] }, 'certificate-purpose'],
    ['issued by another CA', { issuer: nameOf('ca'), signWith: other.privateKey }, 'certificate-not-self-issued'],
    ['issuer other than subject', { issuer: nameOf('other') }, 'certificate-not-self-issued'],
    ['P-256 key', { spki: p256 }, 'certificate-key'],
    ['key of 31 bytes', { spki: sequence(ALGORITHM, bitString(KEY.publicKey.subarray(1))) }, 'certificate-key'],
    [
      'quote of 32769 bytes',
      { extensions: [extension(OID.tdxQuote, true, new Uint8Array(32_769)), NAMES] },
      'quote-too-large',
    ],
    [
      'other claims',
      { extensions: [QUOTE, extension(OID.tdxClaims, true, other.publicKey), ...USUAL] },
      'claims-mismatch',
    ],
    [
      'claims of another length',
      { extensions: [QUOTE, extension(OID.tdxClaims, true, concatBytes(KEY.publicKey, Uint8Array.of(0))), ...USUAL] },
      'claims-mismatch',
    ],
    ['quote twice', { extensions: [QUOTE, QUOTE, ...USUAL] }, 'certificate-duplicate-extension'],
    [
      'TDX and SEV evidence',
      { extensions: [QUOTE, extension(OID.sevReport, true, new Uint8Array(1184)), ...USUAL] },
      'mixed-evidence',
    ],
    ['version 2', { version: der(explicitTag(0), unsignedInteger(Uint8Array.of(1))) }, 'certificate-malformed'],
    ['something behind the extensions', { rest: sequence() }, 'certificate-malformed'],
  ])('%s', (_, parts, expected) => {
    for (const role of BOTH) expect(verdict(make(parts), role)).toBe(`attestation.${expected}`)
  })

  test('a quote of 32768 bytes is not too large', () => {
    const certificate = make({ extensions: [extension(OID.tdxQuote, true, new Uint8Array(32_768)), ...USUAL] })
    expect(any.verify(certificate, 'client', NOW).evidence).toBe('none')
  })

  test('bytes behind the certificate, a cut certificate and no certificate at all', () => {
    const good = make()
    for (const bytes of [concatBytes(good, Uint8Array.of(0)), good.subarray(0, -1), new Uint8Array(0)])
      expect(verdict(bytes, 'server')).toBe('attestation.certificate-malformed')
  })

  test('a certificate with any one bit turned over is refused', () => {
    const good = make()
    fc.assert(
      fc.property(fc.nat(good.length * 8 - 1), (bit) => {
        const bad = Uint8Array.from(good)
        bad[bit >> 3] = (bad[bit >> 3] as number) ^ (1 << (bit & 7))
        expect(verdict(bad, 'server')).toMatch(/^attestation\./)
      }),
      { numRuns: 1000 },
    )
  })

  test('random bytes are refused as malformed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(verdict(bytes, 'client')).toBe('attestation.certificate-malformed')
      }),
    )
  })
})

describe('policies', () => {
  const data = reportDataOf(KEY.publicKey)
  const structure = concatBytes(new Uint8Array(384), data, new Uint8Array(48))
  const sevReport = concatBytes(new Uint8Array(80), data, new Uint8Array(1184 - 144))
  const withQuote = (quote: Uint8Array): Uint8Array =>
    make({ extensions: [extension(OID.tdxQuote, true, quote), CLAIMS, ...USUAL] })
  const sev = (hash: Uint8Array, report: Uint8Array): Uint8Array =>
    make({
      extensions: [
        extension(OID.sevReportData, true, hash),
        extension(OID.sevReport, true, report),
        extension(OID.sevVcek, true, utf8('pem')),
        ...USUAL,
      ],
    })

  test.each([
    ['64 bytes', withQuote(data), SIMULATED_TDX_IMAGE_HASH],
    ['the 496-byte structure', withQuote(structure), SIMULATED_TDX_IMAGE_HASH],
    ['the SEV form', sev(data, sevReport), SIMULATED_SEV_IMAGE_HASH],
  ])('simulated evidence as %s is simulated under `simulated` and nothing under `none`', (_, certificate, hash) => {
    const peer = simulated.verify(certificate, 'server', NOW)
    expect(peer.evidence).toBe('simulated')
    expect(toHex(peer.imageHash as Uint8Array)).toBe(hash)
    expect(peer.publicKey).toEqual(KEY.publicKey)
    expect(any.verify(certificate, 'server', NOW)).toEqual({
      publicKey: KEY.publicKey,
      evidence: 'none',
      imageHash: null,
    })
  })

  test.each<[string, Uint8Array, string]>([
    ['no evidence', make({ extensions: USUAL }), 'quote-required'],
    ['report data of another key', withQuote(reportDataOf(new Uint8Array(32))), 'report-data'],
    ['another length, as a real quote has', withQuote(new Uint8Array(5006)), 'fake-quote-size'],
    ['an inner OCTET STRING', withQuote(octetString(data)), 'fake-quote-size'],
    [
      'a structure with a measurement',
      withQuote(Uint8Array.from(structure, (byte, at) => (at === 3 ? 1 : byte))),
      'fake-evidence',
    ],
    [
      'an SEV report with a signature',
      sev(
        data,
        Uint8Array.from(sevReport, (byte, at) => (at === 1000 ? 1 : byte)),
      ),
      'fake-evidence',
    ],
    ['an SEV report of another key', sev(data, new Uint8Array(1184)), 'report-data'],
    ['an SEV hash of another key', sev(new Uint8Array(64), sevReport), 'report-data'],
    [
      'an SEV hash without report',
      make({ extensions: [extension(OID.sevReportData, true, data), ...USUAL] }),
      'fake-quote-size',
    ],
  ])('under `simulated`, %s is refused', (_, certificate, expected) => {
    expect(code(() => simulated.verify(certificate, 'server', NOW))).toBe(`attestation.${expected}`)
  })

  test('where both kinds are accepted the stronger one that holds counts', () => {
    const both = createVerifier({ accept: ['none', 'simulated'] })
    expect(both.verify(withQuote(data), 'client', NOW).evidence).toBe('simulated')
    expect(both.verify(make({ extensions: USUAL }), 'client', NOW).evidence).toBe('none')
  })

  test('a policy that accepts nothing is a mistake in the configuration', () => {
    expect(code(() => createVerifier({ accept: [] }))).toBe('config.policy-empty')
  })
})

describe('our own certificates', () => {
  test.each(['none', 'simulated'] as const)(
    '%s: good in both roles, read by Node as well, and version 3',
    (evidence) => {
      const pair = createCertificate({ evidence, nowMs: NOW, random: randomBytes })
      const x509 = new X509Certificate(pair.certificatePem)
      const verifier = createVerifier({ accept: [evidence] })
      for (const role of BOTH) {
        const peer = verifier.verify(x509.raw, role, NOW)
        expect(peer.publicKey).toEqual(pair.publicKey)
        expect(peer.evidence).toBe(evidence)
      }
      expect(x509.verify(x509.publicKey)).toBe(true)
      expect(x509.subjectAltName).toContain('DNS:127.0.0.1')
      expect(code(() => verifier.verify(x509.raw, 'server', NOW + 23 * HOUR))).toBe('attestation.certificate-expired')
      expect(code(() => verifier.verify(x509.raw, 'server', NOW - HOUR - 1000))).toBe(
        'attestation.certificate-not-yet-valid',
      )
    },
  )

  test('the key comes from the randomness that is passed in', () => {
    const random = (count: number): Uint8Array => new Uint8Array(count).fill(0x81)
    const first = createCertificate({ evidence: 'simulated', nowMs: NOW, random })
    expect(createCertificate({ evidence: 'simulated', nowMs: NOW, random })).toEqual(first)
  })

  test('an identity is made anew after an hour, or when the clock went back an hour, and not before', () => {
    const clock = manualClock(NOW)
    const identity = createIdentity({ evidence: 'none', clock })
    const first = identity.current()
    clock.advance(HOUR - 1)
    expect(identity.current()).toBe(first)
    clock.advance(1)
    const second = identity.current()
    expect(second.publicKey).not.toEqual(first.publicKey)
    clock.advance(-HOUR)
    expect(identity.current()).not.toBe(second)
  })
})
