import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  BASIC_CA,
  extension,
  makeCertificate,
  makeCrl,
  makeKey,
  nameOf,
  NOW_MS,
  pem,
  signRaw,
} from '../../../test/support/dcap-maker.ts'
import { vector } from '../../../test/support/dcap-vectors.ts'
import { seededDraw } from '../../../test/support/mutations.ts'
import { concatBytes, equalBytes, fromHex, toHex, utf8 } from '../../util/index.ts'
import { parseCertificate } from './certificate.ts'
import { MAX_CRL_BYTES, parseCrl, serialText } from './crl.ts'
import { nodeVerifyCrypto } from './crypto-node.ts'
import { type VerifyCrypto, webVerifyCrypto } from './crypto.ts'
import {
  bitString,
  der,
  DerReader,
  octetString,
  oid,
  printableString,
  sequence,
  TAG,
  unsignedInteger,
  utcTime,
  utf8String,
} from './der.ts'
import { extensionOf } from './extensions.ts'
import { commonNameOf, nameAttributes } from './name.ts'
import { MAX_PEM_BLOCKS, readPem } from './pem.ts'
import { ecdsaRaw, isSignedBy, schemeOf } from './signature.ts'

const ROOT_PEM = vector('collateral/chain/intel-sgx-root-ca.pem')
const PCK_CRL = vector('collateral/crl/pck-platform-20260316-98da.der')
const rootDer = readPem(ROOT_PEM)[0] as Uint8Array

const key = makeKey()
const serialOf = (n: number): Uint8Array =>
  Uint8Array.of(n >>> 24, n >>> 16, n >>> 8, n).subarray(Math.clz32(n | 1) >>> 3)
const certificate = (more: readonly Uint8Array[] = []): Uint8Array =>
  makeCertificate({
    ...{ subject: 'A', issuer: 'A', serial: 128, key, signedBy: key, isCa: true, more },
    ...{ notBeforeMs: NOW_MS, notAfterMs: NOW_MS + 1000 },
  })
const crl = (revoked: readonly number[], nextUpdateMs: number | null = NOW_MS + 1000): Uint8Array =>
  makeCrl({ issuer: 'A', signedBy: key, thisUpdateMs: NOW_MS, nextUpdateMs, revoked, extensions: [] })

describe('a certificate', () => {
  test('Intel’s root is read as it is known', () => {
    const root = parseCertificate(rootDer)
    expect(serialText(root.serial)).toBe('22650cd65a9d3489f383b49552bf501b392706ac')
    expect(nameAttributes(root.subject).map(({ value }) => value)).toEqual([
      'Intel SGX Root CA',
      'Intel Corporation',
      'Santa Clara',
      'CA',
      'US',
    ])
    expect(new Date(root.notAfterMs).toISOString()).toBe('2049-12-31T23:59:59.000Z')
    expect(toHex(root.key).slice(0, 18)).toBe('040ba9c4c0c0c86193')
    expect(equalBytes(root.issuer, root.subject)).toBe(true)
    expect(schemeOf(root)).toBe('ecdsa-p256-sha256')
    expect(root.extensions.filter((one) => one.critical).map((one) => one.oid)).toEqual(['2.5.29.15', '2.5.29.19'])
    expect(extensionOf(root, '2.5.29.99')).toBeNull()
  })

  test('every proper prefix, and anything behind it, is malformed', () => {
    const malformed = expect.objectContaining({ code: 'attestation.certificate-malformed' })
    for (let length = 0; length < rootDer.length; length++)
      expect(() => parseCertificate(rootDer.subarray(0, length))).toThrow(malformed)
    expect(() => parseCertificate(concatBytes(rootDer, Uint8Array.of(0)))).toThrow(malformed)
  })

  test.each([
    [
      'an indefinite length',
      (bytes: Uint8Array) => concatBytes(Uint8Array.of(0x30, 0x80), bytes.subarray(4), new Uint8Array(2)),
    ],
    [
      'a length in more bytes than it needs',
      (bytes: Uint8Array) => concatBytes(Uint8Array.of(0x30, 0x83, 0), bytes.subarray(2)),
    ],
    [
      'a length of 4 GiB',
      (bytes: Uint8Array) => concatBytes(Uint8Array.of(0x30, 0x84, 255, 255, 255, 255), bytes.subarray(4)),
    ],
    ['another tag', (bytes: Uint8Array) => concatBytes(Uint8Array.of(0x31), bytes.subarray(1))],
    ['more than 64 KiB', (bytes: Uint8Array) => concatBytes(bytes, new Uint8Array(65_536))],
  ])('%s is malformed', (_, change) => {
    expect(() => parseCertificate(change(rootDer))).toThrow(
      expect.objectContaining({ code: 'attestation.certificate-malformed' }),
    )
  })

  test('the same extension twice has a code of its own', () => {
    expect(() => parseCertificate(certificate([BASIC_CA]))).toThrow(
      expect.objectContaining({ code: 'attestation.certificate-duplicate-extension' }),
    )
  })

  test('more extensions than anybody has are malformed', () => {
    const many = Array.from({ length: 31 }, (_, i) => extension(`1.2.3.${i}`, false, new Uint8Array(1)))
    expect(() => parseCertificate(certificate(many))).toThrow(
      expect.objectContaining({ code: 'attestation.certificate-malformed' }),
    )
  })
})

describe('a revocation list', () => {
  test('Intel’s is read as it is known', () => {
    const list = parseCrl(PCK_CRL)
    expect(list.revoked.count).toBe(57)
    expect(new Date(list.thisUpdateMs).toISOString()).toBe('2026-03-16T22:34:05.000Z')
    expect(new Date(list.nextUpdateMs as number).toISOString()).toBe('2026-04-15T22:34:05.000Z')
    expect(commonNameOf(list.issuer)).toBe('Intel SGX PCK Platform CA')
  })

  test('serials are found however their sign byte is written', () => {
    const { revoked } = parseCrl(crl([128, 5]))
    expect(revoked.count).toBe(2)
    for (const serial of ['80', '0080', '05', '0005']) expect(revoked.revokedAtMs(fromHex(serial))).toBe(NOW_MS)
    for (const serial of ['', '00', '04', '8005', '81', '000080']) expect(revoked.has(fromHex(serial))).toBe(false)
    expect(serialText(parseCertificate(certificate()).serial)).toBe('80')
  })

  test('may say nothing about its end, and then says null', () => {
    expect(parseCrl(crl([], null))).toMatchObject({ nextUpdateMs: null, revoked: { count: 0 } })
  })

  test('every proper prefix, and anything behind it, is malformed', () => {
    const bytes = crl([1, 2, 3])
    const malformed = expect.objectContaining({ code: 'attestation.crl-malformed' })
    for (let length = 0; length < bytes.length; length++)
      expect(() => parseCrl(bytes.subarray(0, length))).toThrow(malformed)
    expect(() => parseCrl(concatBytes(bytes, Uint8Array.of(0)))).toThrow(malformed)
    expect(() => parseCrl(new Uint8Array(MAX_CRL_BYTES + 1))).toThrow(malformed)
  })

  test('of any list in any order, every serial is found with its time, and no other', () => {
    const draw = seededDraw(1)
    for (let round = 0; round < 50; round++) {
      const serials = [...new Set(Array.from({ length: draw(60) }, () => draw(2 ** (1 + draw(24)))))]
      const { revoked } = parseCrl(crl(serials))
      expect(revoked.count).toBe(serials.length)
      for (const serial of serials) expect(revoked.revokedAtMs(serialOf(serial))).toBe(NOW_MS)
      for (let other = 0; other < 300; other++) expect(revoked.has(serialOf(other))).toBe(serials.includes(other))
    }
  })

  test('what was read stays when the buffer it was read from is used again', () => {
    const bytes = Buffer.from(crl([77, 5]))
    const { revoked } = parseCrl(bytes)
    bytes.fill(0)
    expect(revoked.revokedAtMs(Uint8Array.of(77))).toBe(NOW_MS)
  })

  test('the same serial twice is malformed', () => {
    expect(() => parseCrl(crl([7, 8, 7]))).toThrow(expect.objectContaining({ code: 'attestation.crl-malformed' }))
  })

  test('an entry with a critical extension is malformed: it may be about another issuer', () => {
    const entry = sequence(
      unsignedInteger(Uint8Array.of(5)),
      utcTime(NOW_MS),
      sequence(extension('2.5.29.29', true, octetString(new Uint8Array()))),
    )
    const algorithm = sequence(oid('1.2.840.10045.4.3.2'))
    const tbs = sequence(unsignedInteger(Uint8Array.of(1)), algorithm, nameOf('A'), utcTime(NOW_MS), sequence(entry))
    expect(() => parseCrl(sequence(tbs, algorithm, bitString(new Uint8Array(70))))).toThrow(
      expect.objectContaining({ code: 'attestation.crl-malformed' }),
    )
  })
})

describe('names', () => {
  test('two common names are none, and none is none', () => {
    const cn = (value: string): Uint8Array => der(TAG.set, sequence(oid('2.5.4.3'), utf8String(value)))
    expect(commonNameOf(sequence(cn('a')))).toBe('a')
    expect(commonNameOf(sequence(cn('a'), cn('b')))).toBeNull()
    expect(commonNameOf(sequence())).toBeNull()
  })

  test.each([
    ['a number for a string', der(TAG.integer, Uint8Array.of(1))],
    ['text that is not UTF-8', der(TAG.utf8String, Uint8Array.of(0xff))],
    ['a novel', printableString('x'.repeat(1025))],
  ])('%s is malformed', (_, value) => {
    expect(() => commonNameOf(sequence(der(TAG.set, sequence(oid('2.5.4.3'), value))))).toThrow(
      expect.objectContaining({ code: 'attestation.certificate-malformed' }),
    )
  })
})

describe('PEM', () => {
  const block = pem(Uint8Array.of(1, 2, 3))

  test.each([
    ['one block', block, 1],
    ['two blocks', block + block, 2],
    ['white space around', ` \r\n\t${block}\n\n${block}\r\n`, 2],
    ['a NUL at the end', `${block}\0`, 1],
    ['lines that end in CR LF', block.replaceAll('\n', '\r\n'), 1],
    ['no line ends at all', block.replaceAll('\n', ''), 1],
  ])('%s is read', (_, text, count) => {
    expect(readPem(text)).toEqual(Array.from({ length: count }, () => Uint8Array.of(1, 2, 3)))
    expect(readPem(utf8(text))).toHaveLength(count)
  })

  test.each([
    ['nothing', '', 0],
    ['white space only', ' \n', 2],
    ['text before', `x${block}`, 0],
    ['text behind', `${block}x`, block.length],
    ['another label', block.replaceAll('CERTIFICATE', 'PRIVATE KEY'), 0],
    ['an end that does not fit', block.replace('END CERTIFICATE', 'END X509 CRL'), 0],
    ['no end', block.slice(0, 30), 0],
    ['an empty block', '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----', 0],
    ['a character that is not Base64', block.replace('AQID', 'AQ-D'), 0],
    ['padding in the middle', block.replace('AQID', 'A=ID'), 0],
    ['Base64 without its padding', block.replace('AQID', 'AQIDAA'), 0],
    ['bits left over by padding', block.replace('AQID', 'AQI='.replace('I', 'J')), 0],
    ['headers', block.replace('\n', '\nProc-Type: 4\n\n'), 0],
    ['two NULs', `${block}\0\0`, block.length],
    ['too many blocks', block.repeat(MAX_PEM_BLOCKS + 1), block.length * MAX_PEM_BLOCKS],
  ])('%s is refused where it begins', (_, text, at) => {
    expect(() => readPem(text)).toThrow(
      expect.objectContaining({ code: 'attestation.pem-malformed', info: expect.objectContaining({ at }) }),
    )
  })
})

describe('ECDSA signatures in DER', () => {
  const raw = (hex: string): string => toHex(ecdsaRaw(fromHex(hex), 32))

  test('become r ‖ s, padded on the left', () => {
    expect(raw('3006020101020102')).toBe(`${'00'.repeat(31)}01${'00'.repeat(31)}02`)
    expect(raw(`3007020200ff020101`)).toBe(`${'00'.repeat(31)}ff${'00'.repeat(31)}01`)
  })

  test.each([
    ['negative', '30060201ff020101'],
    ['padded without need', '300702020001020101'],
    ['empty', '30050200020101'],
    ['too long for the curve', `30260221${'01'.repeat(33)}020101`],
    ['three numbers', '3009020101020101020101'],
    ['one number', '3003020101'],
    ['trailing bytes', '300602010102010100'],
  ])('%s numbers are refused', (_, hex) => {
    expect(() => raw(hex)).toThrow(expect.objectContaining({ code: 'attestation.signature-malformed' }))
  })
})

test('DER: bits that are no whole bytes, and integers that are not the shortest, are refused in certificates', () => {
  const reader = new DerReader(Uint8Array.of(0x1f, 0x81, 0), 'x')
  expect(() => reader.any()).toThrow(expect.objectContaining({ code: 'attestation.certificate-malformed' }))
})

describe.each<[string, VerifyCrypto]>([
  ['node:crypto', nodeVerifyCrypto],
  ['WebCrypto', webVerifyCrypto()],
])('cryptography on %s', (_, crypto) => {
  const message = utf8('message')

  test('hashes', async () => {
    expect(toHex(await crypto.sha256(utf8('abc'))).slice(0, 16)).toBe('ba7816bf8f01cfea')
    expect(toHex(await crypto.sha384(utf8('abc'))).slice(0, 16)).toBe('cb00753f45a35e8b')
  })

  test('P-256: its own signature, nothing else', async () => {
    const imported = await crypto.importKey('ecdsa-p256-sha256', key.spki)
    const signature = signRaw(key, message)
    const verify = async (s: Uint8Array, m: Uint8Array): Promise<unknown> => imported?.verify(s, m)
    expect(await verify(signature, message)).toBe(true)
    expect(await verify(signature, utf8('massage'))).toBe(false)
    expect(await verify(signRaw(makeKey(), message), message)).toBe(false)
    for (const bad of [
      new Uint8Array(),
      new Uint8Array(64),
      new Uint8Array(64).fill(255),
      signature.subarray(1),
      concatBytes(signature, Uint8Array.of(0)),
    ])
      expect(await verify(bad, message)).toBe(false)
  })

  test('P-384 and RSA-PSS', async () => {
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    const ecKey = await crypto.importKey(
      'ecdsa-p384-sha384',
      Uint8Array.from(ec.publicKey.export({ format: 'der', type: 'spki' })),
    )
    const ecSignature = sign('sha384', message, { key: ec.privateKey, dsaEncoding: 'ieee-p1363' })
    expect(await ecKey?.verify(Uint8Array.from(ecSignature), message)).toBe(true)
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const rsaKey = await crypto.importKey(
      'rsa-pss-sha384',
      Uint8Array.from(rsa.publicKey.export({ format: 'der', type: 'spki' })),
    )
    const pss = (saltLength: number): Uint8Array =>
      Uint8Array.from(sign('sha384', message, { key: rsa.privateKey, padding: 6, saltLength }))
    expect(await rsaKey?.verify(pss(48), message)).toBe(true)
    expect(await rsaKey?.verify(pss(32), message)).toBe(false)
    expect(await rsaKey?.verify(new Uint8Array(3), message)).toBe(false)
  })

  test('keys of another kind, off the curve, or no keys are null', async () => {
    const off = Uint8Array.from(key.spki)
    off[off.length - 1] = (off.at(-1) as number) ^ 1
    expect(await crypto.importKey('ecdsa-p256-sha256', off)).toBeNull()
    expect(await crypto.importKey('ecdsa-p384-sha384', key.spki)).toBeNull()
    expect(await crypto.importKey('rsa-pss-sha384', key.spki)).toBeNull()
    expect(await crypto.importKey('ecdsa-p256-sha256', new Uint8Array(9))).toBeNull()
  })

  test('a certificate is signed by its issuer’s key and by no other', async () => {
    const root = parseCertificate(rootDer)
    expect(await isSignedBy(crypto, root, root.spki)).toBe(true)
    expect(await isSignedBy(crypto, root, key.spki)).toBe(false)
    expect(await isSignedBy(crypto, parseCrl(crl([])), key.spki)).toBe(true)
    expect(await isSignedBy(crypto, { ...root, signatureAlgorithm: sequence(oid('1.3.101.112')) }, root.spki)).toBe(
      false,
    )
    expect(await isSignedBy(crypto, { ...root, signature: new Uint8Array(3) }, root.spki)).toBe(false)
  })
})
