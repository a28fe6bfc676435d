/** Whether a reference manifest is NVIDIA's and current. No network and no clock. Browser-safe. */
import { CocoonError, equalBytes, toHex } from '../../../util/index.ts'
import { GPU_ERRORS, type GpuErrorCode } from '../../quote/nvidia-errors.ts'
import { type Certificate, parseCertificate, type VerifyCrypto } from '../../x509/index.ts'
import { type ChainProblem, dateFaultOf, faultOfChain, subjectText } from '../chain.ts'
import { Checklist, type Verification } from '../checks.ts'
import { type Manifest, parseManifest, type SignedManifest } from './manifest.ts'
import { NVIDIA_MANIFEST_ROOT } from './roots.ts'

export interface ManifestFacts {
  readonly manifest: Manifest
  /** When the first of its certificates ends; manifests live about two years. */
  readonly earliestExpiryMs: number
  /** Signer first, root last. */
  readonly chain: readonly Certificate[]
}

export interface ManifestContext {
  readonly crypto: VerifyCrypto
  readonly nowMs: number
  /** Default 5 minutes. */
  readonly clockSkewMs?: number
  /** Key pins. Other than NVIDIA's only in tests. */
  readonly manifestRoots?: readonly string[]
}

export const DEFAULT_CLOCK_SKEW_MS = 5 * 60_000
/** Signer, L3, product CA, root. */
const CHAIN_LENGTH = 4

/** `what` (`driver`, `vbios`) begins the ids of the checks. Throws nothing that the input could cause. */
export async function verifyManifest(
  what: string,
  bytes: Uint8Array,
  { crypto, nowMs, clockSkewMs = DEFAULT_CLOCK_SKEW_MS, manifestRoots = [NVIDIA_MANIFEST_ROOT] }: ManifestContext,
): Promise<Verification<ManifestFacts>> {
  const list = new Checklist()
  const id = (part: string): string => `gpu-${what}-manifest${part === '' ? '' : `-${part}`}`
  const read = readManifest(list, id(''), bytes)
  if (read === null) return list.finish<ManifestFacts>(null)
  const { signed, chain } = read
  const { manifest } = signed
  const inputs = { product: manifest.product, version: manifest.version, tagId: manifest.tagId }
  list.require(
    id(''),
    true,
    'attestation.gpu-rim-format',
    { passed: 'The manifest is well formed.', failed: '' },
    inputs,
  )

  const digest = await crypto.sha384(signed.content)
  need(list, id('digest'), equalBytes(digest, signed.contentDigest), 'attestation.gpu-rim-digest', {
    passed: 'The signature’s digest is that of the manifest.',
    inputs: { computed: toHex(digest), stated: toHex(signed.contentDigest) },
  })
  const [signer] = chain
  const key = await crypto.importKey('ecdsa-p384-sha384', signer.spki)
  const isSigned = key !== null && (await key.verify(signed.signature, signed.signed))
  need(list, id('signature'), isSigned, 'attestation.gpu-rim-signature', {
    passed: 'The manifest is signed by its signer.',
    inputs: { signer: subjectText(signer), algorithm: 'ECDSA P-384 with SHA-384, Canonical XML 1.1' },
  })
  const fault = chain.length === CHAIN_LENGTH ? await faultOfChain(crypto, chain, manifestRoots) : SHORT_CHAIN
  need(list, id('chain'), fault === null, codeOfChain(fault?.problem), {
    passed: 'Signer, authorities and pinned root are one chain.',
    inputs: {
      chain: chain.map(subjectText).join(' < '),
      ...(fault === null ? {} : { problem: fault.problem, at: fault.subject }),
    },
  })
  const date = dateFaultOf(chain, nowMs, clockSkewMs)
  need(list, id('dates'), date === null, `attestation.gpu-rim-certificate-${date?.problem ?? 'expired'}`, {
    passed: 'The manifest’s certificates are valid now.',
    inputs: {
      now: new Date(nowMs).toISOString(),
      signerUntil: new Date(signer.notAfterMs).toISOString(),
      ...(date === null ? {} : { at: date.subject }),
    },
  })
  return list.finish<ManifestFacts>({ manifest, chain, earliestExpiryMs: Math.min(...chain.map((c) => c.notAfterMs)) })
}

/** A check whose failure is its code's sentence. */
export function need(
  list: Checklist,
  id: string,
  holds: boolean,
  code: GpuErrorCode,
  {
    passed,
    inputs,
  }: { readonly passed: string; readonly inputs: Readonly<Record<string, string | number | boolean | null>> },
): boolean {
  return list.require(id, holds, code, { passed, failed: GPU_ERRORS[code] }, inputs)
}

const SHORT_CHAIN = { problem: 'issuer', subject: 'not four certificates' } as const

const codeOfChain = (problem: ChainProblem | undefined): GpuErrorCode =>
  problem === 'untrusted-root' ? 'attestation.gpu-rim-root-untrusted' : 'attestation.gpu-rim-chain'

function readManifest(
  list: Checklist,
  id: string,
  bytes: Uint8Array,
): { readonly signed: SignedManifest; readonly chain: readonly [Certificate, ...Certificate[]] } | null {
  try {
    const signed = parseManifest(bytes)
    const [signer, ...others] = signed.certificates.map(parseCertificate)
    if (signer === undefined) throw new CocoonError('bug.manifest-without-certificate')
    return { signed, chain: [signer, ...others] }
  } catch (error) {
    if (!(error instanceof CocoonError) || error.family !== 'attestation') throw error
    const { message: _, ...info } = error.info
    list.fail(id, 'attestation.gpu-rim-format', error.message, info as Record<string, string>)
    return null
  }
}
