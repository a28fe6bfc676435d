/** Damaged answers about revocation and damaged claims: nothing of what is signed may change and still be believed. */
import { createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { examineClaims } from '../../src/tee/assess/index.ts'
import { EMPTY_BUNDLE } from '../../src/tee/collateral/index.ts'
import { encodeClaims, signedClaims } from '../../src/tee/quote/index.ts'
import { examineOcsp } from '../../src/tee/verify/ocsp.ts'
import { nodeVerifyCrypto } from '../../src/tee/x509/crypto-node.ts'
import { type Certificate, parseCertificate, parseOcspResponse } from '../../src/tee/x509/index.ts'
import { CocoonError, equalBytes } from '../../src/util/index.ts'
import { certificatesIn, rememberingGood, vectorBytes } from '../support/attestation-vectors.ts'
import { changeAnyhow, pick, seededDraw } from '../support/mutations.ts'

const bytesOf = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../../spec/vectors/ocsp/${name}`, import.meta.url)))
const ANSWERS = ['good-nonce.der', 'good-key-id.der', 'good-by-issuer.der', 'revoked.der', 'unknown.der'] as const
const NOW_MS = Date.parse('2026-11-22T00:00:00Z')

/** Changes whole answers in any way, `count` times. Returns how often each code was the answer; throws on a find. */
export async function mutateAnswers(seed: number, count: number): Promise<Record<string, number>> {
  const draw = seededDraw(seed)
  const crypto = rememberingGood(nodeVerifyCrypto)
  const [issuer, subject] = ['issuer.crt', 'subject.crt'].map((name) => parseCertificate(bytesOf(name))) as [
    Certificate,
    Certificate,
  ]
  const answers = ANSWERS.map(bytesOf)
  const codes: Record<string, number> = {}
  for (let i = 0; i < count; ) {
    const genuine = pick(answers, i)
    const changed = changeAnyhow(genuine, draw)
    if (equalBytes(changed, genuine)) continue
    const code = await codeOf(async () => {
      const response = parseOcspResponse(changed)
      const { fault, said } = await examineOcsp(response, subject, issuer, { crypto, nowMs: NOW_MS, clockSkewMs: 0 })
      // Nobody has signed which certificates stand behind the signature: more of them than are needed change nothing.
      const before = parseOcspResponse(genuine)
      const isSame = equalBytes(response.tbs, before.tbs) && JSON.stringify(said) === JSON.stringify(before.answers[0])
      return fault ?? (isSame ? 'same' : null)
    })
    if (code === null) throw new Error(`seed ${seed}: mutation ${i} of ${ANSWERS[i % ANSWERS.length]} is believed`)
    codes[code] = (codes[code] ?? 0) + 1
    i++
  }
  return codes
}

/** Changes claims, or the signature over them, in any way. The GPU in them is a real one, over another nonce: only claims are asked. */
export async function mutateClaims(seed: number, count: number): Promise<Record<string, number>> {
  const draw = seededDraw(seed)
  const privateKey = createPrivateKey({
    key: Buffer.from(`302e020100300506032b657004220420${'07'.repeat(32)}`, 'hex'),
    format: 'der',
    type: 'pkcs8',
  })
  const spki = new Uint8Array(createPublicKey(privateKey).export({ format: 'der', type: 'spki' }))
  const certificate = {
    key: spki.subarray(-32),
    keyAlgorithm: spki.subarray(2, 9),
    notBeforeMs: NOW_MS - 3_600_000,
    notAfterMs: NOW_MS + 3_600_000,
  } as Certificate
  const claims = encodeClaims({
    publicKey: certificate.key,
    issuedAtMs: NOW_MS,
    provider: null,
    region: 'eu',
    gpus: [
      { report: vectorBytes('gpu/hopper-580-report.bin'), certificates: certificatesIn('gpu/hopper-580-chain.pem') },
    ],
  })
  const signature = new Uint8Array(sign(null, signedClaims(claims), privateKey))
  const options = { crypto: nodeVerifyCrypto, bundle: EMPTY_BUNDLE, nowMs: NOW_MS }
  const codes: Record<string, number> = {}
  for (let i = 0; i < count; ) {
    const inClaims = i % 8 !== 0
    const by = {
      claims: inClaims ? changeAnyhow(claims, draw) : claims,
      signature: inClaims ? signature : changeAnyhow(signature, draw),
    }
    if (equalBytes(by.claims, claims) && equalBytes(by.signature, signature)) continue
    const { groups, facts } = await examineClaims(by, certificate, options)
    const code = groups[0]?.checks.find((check) => check.outcome === 'failed')?.code
    if (facts !== null || code === undefined) throw new Error(`seed ${seed}: mutation ${i} of claims is believed`)
    codes[code] = (codes[code] ?? 0) + 1
    i++
  }
  return codes
}

async function codeOf(run: () => Promise<string | null>): Promise<string | null> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof CocoonError && error.family === 'attestation') return error.code
    throw error
  }
}
