import { describe, expect, test } from 'vitest'
import { vectorJson, vectorText } from '../../../../test/support/attestation-vectors.ts'
import { createTestCertificate, createTestKey, signRaw, TEST_NOW_MS } from '../../../../test/support/test-pki.ts'
import { fromHex, toBase64, toHex, utf8 } from '../../../util/index.ts'
import { nodeVerifyCrypto } from '../../x509/crypto-node.ts'
import { NRAS_ISSUER, parseDetachedEat, parseRemoteKeys, verifyRemote } from './remote.ts'

const recorded = vectorText('gpu/nras-hopper-detached-eat.json')
const key = createTestKey('p384')
const stranger = createTestKey('p384')
const NONCE = fromHex('931d8dd0add203ac3d8b4fbde75e115278eefcdceac5b87671a748f32364dfcb')
const goodClaims = vectorJson<Record<string, Record<string, unknown>>>('gpu/nras-hopper-decoded.json')[
  'GPU-0'
] as object
const seconds = TEST_NOW_MS / 1000

const encode = (value: unknown): string =>
  toBase64(typeof value === 'string' ? utf8(value) : utf8(JSON.stringify(value)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '')

function token(claims: object, header: object = { alg: 'ES384', kid: 'k' }, signer = key): string {
  const signed = `${encode(header)}.${encode(claims)}`
  const raw = toBase64(signRaw(signer, utf8(signed)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '')
  return `${signed}.${raw}`
}

interface Changes {
  readonly gpu?: object
  readonly overall?: object
  readonly header?: object
  readonly signer?: typeof key
  readonly digest?: string
}

function answer({ gpu = {}, overall = {}, header, signer, digest }: Changes = {}): string {
  const times = { nbf: seconds - 60, exp: seconds + 3600 }
  const one = token({ ...goodClaims, ...times, ...gpu }, header, signer)
  const hex = digest ?? toHex(nodeVerifyCrypto.sha256(utf8(one)) as Uint8Array)
  const whole = {
    iss: NRAS_ISSUER,
    eat_nonce: toHex(NONCE),
    'x-nvidia-overall-att-result': true,
    submods: { 'GPU-0': ['DIGEST', ['SHA-256', hex]] },
    ...times,
    ...overall,
  }
  return JSON.stringify([['JWT', token(whole, header, signer)], { 'GPU-0': one }])
}

const verify = (json: string, nowMs = TEST_NOW_MS) =>
  verifyRemote(json, [{ keyId: 'k', spki: key.spki }], { nonce: NONCE }, { crypto: nodeVerifyCrypto, nowMs })

test('an answer with everything good verifies, and its claims are the facts', async () => {
  const result = await verify(answer())
  expect(result.checks.filter((c) => c.outcome !== 'passed')).toEqual([])
  expect(result.ok && result.facts.get('GPU-0')?.hwmodel).toBe('GH100 A01 GSP BROM')
})

test.each<[string, Changes, string]>([
  ['a token of another key', { signer: stranger }, 'gpu-token-signature'],
  ['a token that names another key', { header: { alg: 'ES384', kid: 'other' } }, 'gpu-token-key'],
  ['another issuer', { gpu: { iss: 'LOCAL_GPU_VERIFIER' } }, 'gpu-token-issuer'],
  ['another nonce for the GPU', { gpu: { eat_nonce: '00' } }, 'gpu-token-nonce'],
  ['another nonce overall', { overall: { eat_nonce: '00' } }, 'gpu-token-nonce'],
  ['an expired token', { overall: { exp: seconds - 1 } }, 'gpu-token-expired'],
  ['a token without end', { overall: { exp: undefined } }, 'gpu-token-expired'],
  ['a token of later', { overall: { nbf: seconds + 301 } }, 'gpu-token-not-yet-valid'],
  ['another GPU’s token', { digest: '00'.repeat(32) }, 'gpu-token-digest'],
  ['a GPU that the answer lacks', { overall: { submods: {} } }, 'gpu-token-digest'],
  ['a bad overall result', { overall: { 'x-nvidia-overall-att-result': false } }, 'gpu-token-claims'],
  ['a result that is no boolean', { overall: { 'x-nvidia-overall-att-result': 'true' } }, 'gpu-token-claims'],
  ['measurements that differ', { gpu: { measres: 'fail' } }, 'gpu-token-claims'],
  ['no secure boot', { gpu: { secboot: false } }, 'gpu-token-claims'],
  ['debugging', { gpu: { dbgstat: 'enabled' } }, 'gpu-token-claims'],
  ['a claim that is absent', { gpu: { 'x-nvidia-gpu-driver-rim-fetched': undefined } }, 'gpu-token-claims'],
  [
    'a chain on hold',
    {
      gpu: {
        'x-nvidia-gpu-driver-rim-cert-chain': {
          'x-nvidia-cert-status': 'valid',
          'x-nvidia-cert-ocsp-status': 'revoked',
        },
      },
    },
    'gpu-token-claims',
  ],
])('%s is refused', async (_, changes, code) => {
  expect(await verify(answer(changes))).toMatchObject({ ok: false, code: `attestation.${code}` })
})

test.each([
  ['no JSON', '{'],
  ['no list', '{}'],
  ['another first word', answer().replace('"JWT"', '"CWT"')],
  ['no GPU', answer().replace(/\{"GPU-0".*\}\]$/s, '{}]')],
  ['algorithm none', answer({ header: { alg: 'none', kid: 'k' } })],
  ['a symmetric algorithm', answer({ header: { alg: 'HS256', kid: 'k' } })],
  ['a demand that is not understood', answer({ header: { alg: 'ES384', kid: 'k', crit: ['x'] } })],
  ['no key id', answer({ header: { alg: 'ES384' } })],
  ['too much', `${answer()}${' '.repeat(256 * 1024)}`],
])('%s is refused as malformed', async (_, json) => {
  expect(await verify(json)).toMatchObject({ ok: false, code: 'attestation.gpu-token-format', facts: null })
})

test('keys come out of the certificates of a key set, and nothing else does', () => {
  const certificate = createTestCertificate({ subject: 'signer', issuer: 'signer', key, signer: key })
  const set = (entry: object): string => JSON.stringify({ keys: [{ kty: 'EC', ...entry }] })
  const x5c = [toBase64(certificate)]
  expect(parseRemoteKeys(set({ kid: 'k', x5c }))).toEqual([{ keyId: 'k', spki: key.spki }])
  for (const json of [
    '',
    '[]',
    '{}',
    set({ x5c }),
    set({ kid: 'k' }),
    set({ kid: 'k', x5c: [] }),
    set({ kid: 'k', x5c: ['AAAA'] }),
  ])
    expect(() => parseRemoteKeys(json)).toThrow(expect.objectContaining({ code: 'attestation.gpu-token-format' }))
})

describe('the recorded answer', () => {
  const issuedAt = 1_749_601_858_000

  test('holds but for the key, which is not archived, within its hour', async () => {
    const result = await verify(recorded, issuedAt)
    expect(result.checks.filter((c) => c.outcome === 'failed').map((c) => [c.id, c.code])).toEqual([
      ['gpu-token-signature-overall', 'attestation.gpu-token-key'],
      ['gpu-token-signature-GPU-0', 'attestation.gpu-token-key'],
    ])
    const late = await verify(recorded, issuedAt + 3_601_000)
    expect(late.checks.map((c) => c.code)).toContain('attestation.gpu-token-expired')
  })

  test('says what NVIDIA decoded it to', () => {
    expect(parseDetachedEat(recorded).tokenByGpu.get('GPU-0')?.claims).toEqual(goodClaims)
  })
})
