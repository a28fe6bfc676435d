/**
 * What a node claims beside its certificate, in a form that it signs with the certificate's key: evidence of its GPUs. Browser-safe.
 * Layout: spec/attestation-snp-gpu.md, "Claims".
 */
import { concatBytes, equalBytes, utf8 } from '../../util/index.ts'
import { DerReader, TAG } from '../x509/index.ts'
import { CLAIMS_ERRORS } from './claims-errors.ts'
import { EvidenceReader } from './evidence-reader.ts'

export interface Claims {
  /** 32 bytes, Ed25519. */
  readonly publicKey: Uint8Array
  /** By the clock of who claims. */
  readonly issuedAtMs: number
  /** In the order of the nonces that they answer. */
  readonly gpus: readonly GpuProof[]
  /** Words of the node's operator, which nobody certifies; null where they say nothing. */
  readonly provider: string | null
  readonly region: string | null
}

/** Claims, and the key's signature over `signedClaims` of them. */
export interface SignedClaims {
  readonly claims: Uint8Array
  readonly signature: Uint8Array
}

/** A GPU's report and the certificates of its key. */
export interface GpuProof {
  /** SPDM request ‖ response. */
  readonly report: Uint8Array
  /** DER, leaf first, root last. */
  readonly certificates: readonly Uint8Array[]
}

/** Sixteen GPUs and switches, 9 kB each, with room. */
export const MAX_CLAIMS_BYTES = 256 * 1024
const MAX_GPUS = 16
const MAGIC = utf8('CCL2')
const VERSION = 2
const TYPE = { publicKey: 1, gpu: 2, issuedAt: 3, provider: 6, region: 7 } as const
/** As policies write them. */
const WORD = /^[\x21-\x7e]{1,64}$/
const PUBLIC_KEY_BYTES = 32
const MAX_CHAIN = 8
/** Before what is signed: the same key signs certificates. */
const SIGNED_PREFIX = utf8('cocoon-claims-2')

/** What the key signs. */
export const signedClaims = (claims: Uint8Array): Uint8Array => concatBytes(SIGNED_PREFIX, claims)

export function encodeClaims({ publicKey, issuedAtMs, gpus, provider, region }: Claims): Uint8Array {
  const entries = [
    entry(TYPE.publicKey, publicKey),
    entry(TYPE.issuedAt, u64(issuedAtMs)),
    ...(provider === null ? [] : [entry(TYPE.provider, utf8(provider))]),
    ...(region === null ? [] : [entry(TYPE.region, utf8(region))]),
    ...gpus.map(({ report, certificates }) =>
      entry(TYPE.gpu, concatBytes(u32(report.length), report, ...certificates)),
    ),
  ]
  return concatBytes(MAGIC, Uint8Array.of(VERSION, entries.length), ...entries)
}

/** Throws `attestation.claims-malformed` with the field and the offset. What is read encodes to the same bytes. */
export function parseClaims(bytes: Uint8Array): Claims {
  const reader = new EvidenceReader(bytes, MALFORMED)
  if (bytes.length > MAX_CLAIMS_BYTES) throw reader.refuse('length', MAX_CLAIMS_BYTES)
  if (!equalBytes(reader.bytes(MAGIC.length, 'magic'), MAGIC)) throw reader.refuse('magic', 0)
  if (reader.u8('version') !== VERSION) throw reader.refuse('version', reader.at - 1)
  const count = reader.u8('count')
  if (count < 2 || count > 4 + MAX_GPUS) throw reader.refuse('count', reader.at - 1)
  const publicKey = partOf(reader, 'publicKey', TYPE.publicKey).rest('publicKey', PUBLIC_KEY_BYTES)
  const time = partOf(reader, 'issuedAt', TYPE.issuedAt)
  const issuedAt = time.u64('issuedAt')
  time.finish('issuedAt')
  if (issuedAt > MAX_TIME_MS) throw reader.refuse('issuedAt', reader.at - 8)
  const provider = wordOf(reader, 'provider', TYPE.provider)
  const region = wordOf(reader, 'region', TYPE.region)
  const gpuCount = count - 2 - (provider === null ? 0 : 1) - (region === null ? 0 : 1)
  if (gpuCount < 0 || gpuCount > MAX_GPUS) throw reader.refuse('count', MAGIC.length + 1)
  const gpus = Array.from({ length: gpuCount }, (_, i) => readGpu(partOf(reader, `gpus.${i}`, TYPE.gpu), i))
  reader.finish('claims')
  return { publicKey, issuedAtMs: Number(issuedAt), gpus, provider, region }
}

const MALFORMED = {
  code: 'attestation.claims-malformed',
  sentence: CLAIMS_ERRORS['attestation.claims-malformed'],
} as const
/** The last moment that a Date can be. */
const MAX_TIME_MS = 8_640_000_000_000_000n

function partOf(reader: EvidenceReader, field: string, type: number): EvidenceReader {
  const { at } = reader
  if (reader.u8(field) !== type) throw reader.refuse(field, at)
  return reader.part(reader.u32(field), field)
}

/** The next entry where it is of this type, else null. */
function wordOf(reader: EvidenceReader, field: string, type: number): string | null {
  if (reader.left === 0 || reader.peek() !== type) return null
  const { at } = reader
  const word = new TextDecoder('latin1').decode(partOf(reader, field, type).rest(field))
  if (!WORD.test(word)) throw reader.refuse(field, at)
  return word
}

function readGpu(part: EvidenceReader, i: number): GpuProof {
  const report = part.bytes(part.u32(`gpus.${i}.report`), `gpus.${i}.report`)
  const { at } = part
  const whole = part.rest(`gpus.${i}.certificates`)
  try {
    const list = new DerReader(whole, 'certificates')
    const certificates: Uint8Array[] = []
    while (list.more && certificates.length < MAX_CHAIN) certificates.push(list.read(TAG.sequence).whole)
    list.end()
    return { report, certificates }
  } catch {
    throw part.refuse(`gpus.${i}.certificates`, at)
  }
}

const u32 = (n: number): Uint8Array => Uint8Array.of(n & 0xff, (n >>> 8) & 0xff, (n >>> 16) & 0xff, n >>> 24)
const u64 = (n: number): Uint8Array => concatBytes(u32((n % 2 ** 32) | 0), u32(Math.floor(n / 2 ** 32)))
const entry = (type: number, bytes: Uint8Array): Uint8Array =>
  concatBytes(Uint8Array.of(type), u32(bytes.length), bytes)
