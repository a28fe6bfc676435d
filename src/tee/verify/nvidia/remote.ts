/**
 * Answers of NVIDIA's remote attestation service: an overall token and one per GPU, bound to it by their digests. They are
 * worth what the keys are worth that are passed in: who fetches the key set must know that it is NVIDIA's. Tokens of local
 * verifiers are no evidence for anyone else and are refused for their algorithm. Browser-safe.
 * Source: spec/attestation-snp-gpu.md, "Remote attestation service"; RFC 7515; RFC 9711.
 */
import { CocoonError, fromBase64, toHex, utf8 } from '../../../util/index.ts'
import { evidenceError } from '../../quote/evidence-reader.ts'
import { GPU_ERRORS, type GpuErrorCode } from '../../quote/nvidia-errors.ts'
import { parseCertificate, type VerifyCrypto } from '../../x509/index.ts'
import { wholeSeconds } from '../chain.ts'
import { Checklist, type Verification } from '../checks.ts'
import { DEFAULT_CLOCK_SKEW_MS, need } from './verify-manifest.ts'

/** A claim set as the service wrote it. */
export type RemoteClaims = Readonly<Record<string, unknown>>

interface Token {
  readonly keyId: string
  readonly claims: RemoteClaims
  /** Header and payload as signed. */
  readonly signed: Uint8Array
  /** r ‖ s. */
  readonly signature: Uint8Array
  readonly compact: string
}

export interface DetachedEat {
  readonly overall: Token
  readonly tokenByGpu: ReadonlyMap<string, Token>
}

/** From the service's key set. */
export interface RemoteKey {
  readonly keyId: string
  /** SubjectPublicKeyInfo, P-384. */
  readonly spki: Uint8Array
}

export interface RemoteExpectations {
  /** 32 bytes that were ours to choose. */
  readonly nonce: Uint8Array
}

export const NRAS_ISSUER = 'https://nras.attestation.nvidia.com'
/** Real answers have 4 kB for one GPU. */
const MAX_EAT_CHARACTERS = 256 * 1024
const MAX_GPUS = 32
/** Signing certificates live two days; a set holds the last few. */
const MAX_KEYS = 64
const SIGNATURE_BYTES = 96

/** What must be true in the claims of each GPU; absent is not true. */
const MUST_BE_TRUE = [
  'secboot',
  'x-nvidia-gpu-arch-check',
  'x-nvidia-gpu-attestation-report-parsed',
  'x-nvidia-gpu-attestation-report-nonce-match',
  'x-nvidia-gpu-attestation-report-signature-verified',
  'x-nvidia-gpu-attestation-report-cert-chain-fwid-match',
  'x-nvidia-gpu-driver-rim-fetched',
  'x-nvidia-gpu-driver-rim-schema-validated',
  'x-nvidia-gpu-driver-rim-signature-verified',
  'x-nvidia-gpu-driver-rim-version-match',
  'x-nvidia-gpu-driver-rim-measurements-available',
  'x-nvidia-gpu-vbios-rim-fetched',
  'x-nvidia-gpu-vbios-rim-schema-validated',
  'x-nvidia-gpu-vbios-rim-signature-verified',
  'x-nvidia-gpu-vbios-rim-version-match',
  'x-nvidia-gpu-vbios-rim-measurements-available',
  'x-nvidia-gpu-vbios-index-no-conflict',
] as const
const CHAINS = [
  'x-nvidia-gpu-attestation-report-cert-chain',
  'x-nvidia-gpu-driver-rim-cert-chain',
  'x-nvidia-gpu-vbios-rim-cert-chain',
] as const

/** `[["JWT", overall], {"GPU-0": token, …}]`. Throws `attestation.gpu-token-format` with the field. */
export function parseDetachedEat(json: string): DetachedEat {
  if (json.length > MAX_EAT_CHARACTERS) throw formatError('length', MAX_EAT_CHARACTERS)
  const outer = parseJson(json, 'json')
  if (!Array.isArray(outer) || outer.length !== 2) throw formatError('list')
  const [first, gpus] = outer as [unknown, unknown]
  if (!Array.isArray(first) || first.length !== 2 || first[0] !== 'JWT') throw formatError('overall')
  if (!isRecord(gpus)) throw formatError('gpus')
  const entries = Object.entries(gpus)
  if (entries.length === 0 || entries.length > MAX_GPUS) throw formatError('gpus')
  return {
    overall: parseToken(first[1], 'overall'),
    tokenByGpu: new Map(entries.map(([name, token]) => [name, parseToken(token, name)])),
  }
}

/**
 * The key set as the service publishes it: `kid` and, first in `x5c`, the certificate with the key. The chain of `x5c` is not
 * looked at: that the set is NVIDIA's follows from where it was fetched. Throws `attestation.gpu-token-format`.
 */
export function parseRemoteKeys(json: string): RemoteKey[] {
  if (json.length > MAX_EAT_CHARACTERS) throw formatError('keys', MAX_EAT_CHARACTERS)
  const set = parseJson(json, 'keys')
  const entries: unknown = isRecord(set) ? set.keys : undefined
  if (!Array.isArray(entries) || entries.length > MAX_KEYS) throw formatError('keys')
  return entries.map((entry: unknown, at) => {
    const { kid, x5c } = isRecord(entry) ? entry : {}
    const certificate: unknown = Array.isArray(x5c) ? x5c[0] : undefined
    if (typeof kid !== 'string' || typeof certificate !== 'string') throw formatError('keys', at)
    try {
      return { keyId: kid, spki: parseCertificate(fromBase64(certificate)).spki }
    } catch {
      throw formatError('keys.x5c', at)
    }
  })
}

/** All checks; the facts are the claims of each GPU by its name. Throws nothing that the input could cause. */
export async function verifyRemote(
  json: string,
  keys: readonly RemoteKey[],
  { nonce }: RemoteExpectations,
  {
    crypto,
    nowMs,
    clockSkewMs = DEFAULT_CLOCK_SKEW_MS,
  }: { readonly crypto: VerifyCrypto; readonly nowMs: number; readonly clockSkewMs?: number },
): Promise<Verification<ReadonlyMap<string, RemoteClaims>>> {
  const list = new Checklist()
  let eat: DetachedEat
  try {
    eat = parseDetachedEat(json)
  } catch (error) {
    if (!(error instanceof CocoonError) || error.family !== 'attestation') throw error
    list.fail('gpu-token', error.code, error.message)
    return list.finish<ReadonlyMap<string, RemoteClaims>>(null)
  }
  const tokens = [['overall', eat.overall] as const, ...eat.tokenByGpu]
  for (const [name, token] of tokens) {
    await checkSignature(list, name, token, keys, crypto)
    checkTimes(list, name, token.claims, nowMs, clockSkewMs)
    checkAddress(list, name, token.claims, toHex(nonce))
  }
  await checkDigests(list, eat, crypto)
  checkClaims(list, eat)
  return list.finish(new Map([...eat.tokenByGpu].map(([name, { claims }]) => [name, claims])))
}

async function checkSignature(
  list: Checklist,
  name: string,
  token: Token,
  keys: readonly RemoteKey[],
  crypto: VerifyCrypto,
): Promise<void> {
  const id = `gpu-token-signature-${name}`
  const inputs = { keyId: token.keyId, algorithm: 'ES384' }
  const named = keys.find((key) => key.keyId === token.keyId)
  if (named === undefined) {
    list.fail(id, 'attestation.gpu-token-key', GPU_ERRORS['attestation.gpu-token-key'], inputs)
    return
  }
  const key = await crypto.importKey('ecdsa-p384-sha384', named.spki)
  const holds = key !== null && (await key.verify(token.signature, token.signed))
  need(list, id, holds, 'attestation.gpu-token-signature', { passed: 'The token is signed by its key.', inputs })
}

function checkTimes(list: Checklist, name: string, claims: RemoteClaims, nowMs: number, skewMs: number): void {
  const [from, until] = [secondsOf(claims.nbf), secondsOf(claims.exp)]
  const now = wholeSeconds(nowMs)
  const isExpired = until === null || now > until
  const code: GpuErrorCode = isExpired ? 'attestation.gpu-token-expired' : 'attestation.gpu-token-not-yet-valid'
  need(list, `gpu-token-dates-${name}`, !isExpired && from !== null && now + skewMs >= from, code, {
    passed: 'The token is valid now.',
    inputs: { now: isoOf(now), from: isoOf(from), until: isoOf(until) },
  })
}

function checkAddress(list: Checklist, name: string, { iss, eat_nonce: nonce }: RemoteClaims, due: string): void {
  const issuer = typeof iss === 'string' ? iss : null
  need(list, `gpu-token-issuer-${name}`, issuer === NRAS_ISSUER, 'attestation.gpu-token-issuer', {
    passed: 'The token is of NVIDIA’s service.',
    inputs: { issuer },
  })
  const answered = typeof nonce === 'string' ? nonce.toLowerCase() : null
  need(list, `gpu-token-nonce-${name}`, answered === due, 'attestation.gpu-token-nonce', {
    passed: 'The token answers our nonce.',
    inputs: { token: answered, expected: due },
  })
}

/** The overall token names exactly these GPUs, each with SHA-256 over the ASCII of its compact token. */
async function checkDigests(
  list: Checklist,
  { overall, tokenByGpu }: DetachedEat,
  crypto: VerifyCrypto,
): Promise<void> {
  const named = isRecord(overall.claims.submods) ? overall.claims.submods : {}
  const stated = Object.keys(named)
  let holds = stated.length === tokenByGpu.size
  for (const [name, { compact }] of tokenByGpu) {
    const digest = toHex(await crypto.sha256(utf8(compact)))
    holds &&= JSON.stringify(named[name])?.toLowerCase() === `["digest",["sha-256","${digest}"]]`
  }
  need(list, 'gpu-token-digest', holds, 'attestation.gpu-token-digest', {
    passed: 'The overall token names exactly these GPUs’ tokens.',
    inputs: { stated: stated.join(' '), given: [...tokenByGpu.keys()].join(' ') },
  })
}

function checkClaims(list: Checklist, { overall, tokenByGpu }: DetachedEat): void {
  const overallResult = overall.claims['x-nvidia-overall-att-result']
  need(list, 'gpu-token-result', overallResult === true, 'attestation.gpu-token-claims', {
    passed: 'The service’s overall result is good.',
    inputs: { result: String(overallResult) },
  })
  for (const [name, { claims }] of tokenByGpu) {
    const wrong: string[] = MUST_BE_TRUE.filter((claim) => claims[claim] !== true)
    if (claims.measres !== 'success') wrong.push('measres')
    if (claims.dbgstat !== 'disabled') wrong.push('dbgstat')
    wrong.push(...CHAINS.filter((chain) => !isGoodChain(claims[chain])))
    need(list, `gpu-token-claims-${name}`, wrong.length === 0, 'attestation.gpu-token-claims', {
      passed: 'Every claim about the GPU is good.',
      inputs: { wrong: wrong.join(' '), driver: String(claims['x-nvidia-gpu-driver-version']) },
    })
  }
}

const isGoodChain = (chain: unknown): boolean =>
  isRecord(chain) && chain['x-nvidia-cert-status'] === 'valid' && chain['x-nvidia-cert-ocsp-status'] === 'good'

function parseToken(compact: unknown, field: string): Token {
  const parts = typeof compact === 'string' ? compact.split('.') : []
  const [header, payload, signature] = parts
  if (typeof compact !== 'string' || parts.length !== 3 || !/^[A-Za-z0-9_.-]+$/.test(compact)) throw formatError(field)
  const head = parseJson(textOf(header as string, field), field)
  const claims = parseJson(textOf(payload as string, field), field)
  const raw = decode(signature as string, field)
  if (!isRecord(head) || head.alg !== 'ES384' || typeof head.kid !== 'string' || head.crit !== undefined)
    throw formatError(`${field}.header`)
  if (!isRecord(claims) || raw.length !== SIGNATURE_BYTES) throw formatError(field)
  return { keyId: head.kid, claims, signed: utf8(`${header}.${payload}`), signature: raw, compact }
}

function decode(base64: string, field: string): Uint8Array {
  try {
    return fromBase64(base64)
  } catch {
    throw formatError(field)
  }
}

const textOf = (base64: string, field: string): string => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(decode(base64, field))
  } catch {
    throw formatError(field)
  }
}

function parseJson(text: string, field: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw formatError(field)
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const secondsOf = (claim: unknown): number | null =>
  typeof claim === 'number' && Number.isSafeInteger(claim) && claim >= 0 && claim < 1e11 ? claim * 1000 : null

const isoOf = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())

const formatError = (field: string, at = 0): CocoonError =>
  evidenceError('attestation.gpu-token-format', GPU_ERRORS['attestation.gpu-token-format'], field, at)
