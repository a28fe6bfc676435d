/**
 * Whether one item is what its vendor signed: asked before anything that a server sent is kept, so that a lying one cannot
 * put something in the place of what holds. Evidence is later verified against the items as if nobody had looked. Browser-safe.
 */
import { CocoonError, equalBytes, toHex, utf8 } from '../../util/index.ts'
import { dateFaultOf, faultOfAuthorities, faultOfChain, keyPinOf } from '../verify/chain.ts'
import { DEFAULT_SKEW_MS, INTEL_SGX_ROOT_KEY, p256Spki } from '../verify/dcap/checking.ts'
import { isSelfIssued, whyNoAuthority } from '../verify/dcap/pck.ts'
import { parseQeIdentity } from '../verify/dcap/qe-identity.ts'
import { parseTcbInfo } from '../verify/dcap/tcb-info.ts'
import { NVIDIA_DEVICE_ROOT, NVIDIA_MANIFEST_ROOT, verifyManifest } from '../verify/nvidia/index.ts'
import { examineOcsp } from '../verify/ocsp.ts'
import { OCSP_ERRORS } from '../verify/ocsp-errors.ts'
import { AMD_ROOTS, type SnpRoot } from '../verify/snp/index.ts'
import {
  type Certificate,
  isSignedBy,
  parseCertificate,
  parseCrl,
  parseOcspResponse,
  readPem,
  type VerifyCrypto,
} from '../x509/index.ts'
import type { CollateralBundle } from './bundle.ts'
import type { CollateralItem } from './item.ts'

export interface ItemContext {
  readonly crypto: VerifyCrypto
  readonly nowMs: number
  /** What is already held: lists of the root, and chains that other items hang on. */
  readonly known: CollateralBundle
  /** Other than the vendors' only in tests. */
  readonly roots?: {
    readonly intel?: Uint8Array
    readonly amd?: readonly SnpRoot[]
    readonly nvidiaDevices?: readonly string[]
    readonly nvidiaManifests?: readonly string[]
  }
}

/** Null when it is genuine and valid now; else why not, in words. Throws nothing that the item could cause. */
export async function faultOfItem(item: CollateralItem, context: ItemContext): Promise<string | null> {
  const { nowMs } = context
  if (nowMs > item.validUntilMs) return `it has expired at ${isoOf(item.validUntilMs)}`
  if (nowMs + DEFAULT_SKEW_MS < item.validFromMs) return `it is not valid before ${isoOf(item.validFromMs)}`
  try {
    return await faultOfSignature(item, context)
  } catch (error) {
    if (error instanceof CocoonError && error.family === 'attestation') return error.message
    throw error
  }
}

function faultOfSignature(item: CollateralItem, context: ItemContext): Promise<string | null> {
  switch (item.type) {
    case 'intel-tcb-info':
      return faultOfSignedJson(item, parseTcbInfo(item.body), context)
    case 'intel-qe-identity':
      return faultOfSignedJson(item, parseQeIdentity(item.body), context)
    case 'intel-root-crl':
      return faultOfRootCrl(item, context)
    case 'intel-pck-crl':
      return faultOfPckCrl(item, context)
    case 'amd-chain':
      return faultOfAmdChain(item, context)
    case 'amd-crl':
      return faultOfAmdCrl(item, context)
    case 'amd-leaf':
      return faultOfAmdLeaf(item, context)
    case 'nvidia-manifest':
      return faultOfManifest(item, context)
    case 'nvidia-ocsp':
      return faultOfAnswer(item, context)
  }
}

const intelSpki = ({ roots }: ItemContext): Uint8Array => p256Spki(roots?.intel ?? INTEL_SGX_ROOT_KEY)

async function faultOfSignedJson(
  { issuerChain }: CollateralItem,
  { signed, signature }: { readonly signed: Uint8Array; readonly signature: Uint8Array },
  context: ItemContext,
): Promise<string | null> {
  const { crypto, known } = context
  const chain = readPem(issuerChain ?? utf8('')).map(parseCertificate)
  const root = chain.find(isSelfIssued)
  const signer = chain.find((certificate) => certificate !== root)
  if (chain.length !== 2 || root === undefined || signer === undefined) return 'its issuer chain is not signer and root'
  const pin = toHex(await crypto.sha256(intelSpki(context)))
  const fault = await faultOfChain(crypto, [signer, root], [pin])
  if (fault !== null) return `its signer is not certified (${fault.problem} at ${fault.subject})`
  const isRevoked = known.items.some(
    (item) => item.type === 'intel-root-crl' && parseCrl(item.body).revoked.has(signer.serial),
  )
  if (isRevoked) return 'its signer is revoked'
  const key = await crypto.importKey('ecdsa-p256-sha256', signer.spki)
  return key !== null && (await key.verify(signature, signed)) ? null : 'its signature is not that of its signer'
}

async function faultOfRootCrl({ body }: CollateralItem, context: ItemContext): Promise<string | null> {
  return (await isSignedBy(context.crypto, parseCrl(body), intelSpki(context))) ? null : 'it is not signed by the root'
}

async function faultOfPckCrl({ body, issuerChain }: CollateralItem, context: ItemContext): Promise<string | null> {
  const { crypto } = context
  if (issuerChain === null) return 'the chain of its issuer is missing'
  const chain = readPem(issuerChain).map(parseCertificate)
  const root = chain.find(isSelfIssued)
  const ca = chain.find((certificate) => certificate !== root)
  if (chain.length !== 2 || root === undefined || ca === undefined) return 'its issuer chain is not CA and root'
  if (!equalBytes(root.spki, intelSpki(context))) return 'its chain does not end in the trusted root'
  const isCertified =
    whyNoAuthority(ca) === null &&
    equalBytes(ca.issuer, root.subject) &&
    (await isSignedBy(crypto, ca, root.spki)) &&
    (await isSignedBy(crypto, root, root.spki))
  if (!isCertified) return 'its CA is not certified by the root'
  const crl = parseCrl(body)
  const isOwn = equalBytes(crl.issuer, ca.subject) && (await isSignedBy(crypto, crl, ca.spki))
  return isOwn ? null : 'it is not signed by its CA'
}

/** ASK or ASVK, and ARK. */
const amdChain = ({ body }: CollateralItem): readonly Certificate[] => readPem(body).map(parseCertificate)

async function faultOfAmdChain(item: CollateralItem, { crypto, roots }: ItemContext): Promise<string | null> {
  const [intermediate, root] = amdChain(item)
  if (intermediate === undefined || root === undefined) return 'it is not a chain'
  const pins = (roots?.amd ?? AMD_ROOTS).map((one) => one.keyPin)
  if (!pins.includes(await keyPinOf(crypto, root))) return 'its root is not a trusted one'
  const isChain =
    equalBytes(intermediate.issuer, root.subject) &&
    (await isSignedBy(crypto, root, root.spki)) &&
    (await isSignedBy(crypto, intermediate, root.spki))
  return isChain ? null : 'its intermediate is not certified by its root'
}

/** Hangs on the chain of its product line, which is fetched first. */
async function faultOfAmdCrl({ body, labels }: CollateralItem, { crypto, known }: ItemContext): Promise<string | null> {
  const crl = parseCrl(body)
  for (const chain of known.items.filter(
    (item) => item.type === 'amd-chain' && item.labels['root'] === labels['issuer'],
  )) {
    const root = amdChain(chain)[1] as Certificate
    if (equalBytes(crl.issuer, root.subject) && (await isSignedBy(crypto, crl, root.spki))) return null
  }
  return 'no chain that is held has signed it'
}

async function faultOfAmdLeaf({ body }: CollateralItem, { crypto, known }: ItemContext): Promise<string | null> {
  const leaf = parseCertificate(body)
  for (const chain of known.items.filter((item) => item.type === 'amd-chain')) {
    const issuer = amdChain(chain)[0] as Certificate
    if (equalBytes(leaf.issuer, issuer.subject) && (await isSignedBy(crypto, leaf, issuer.spki))) return null
  }
  return 'no chain that is held has certified it'
}

async function faultOfManifest(
  { body }: CollateralItem,
  { crypto, nowMs, roots }: ItemContext,
): Promise<string | null> {
  const manifestRoots = roots?.nvidiaManifests ?? [NVIDIA_MANIFEST_ROOT]
  const result = await verifyManifest('manifest', body, { crypto, nowMs, manifestRoots })
  return result.ok ? null : `it is not NVIDIA’s (${result.code})`
}

/** What it says is another matter: that a certificate is revoked is as good to know. */
async function faultOfAnswer({ body, issuerChain }: CollateralItem, context: ItemContext): Promise<string | null> {
  const { crypto, nowMs, roots } = context
  const chain = readPem(issuerChain ?? utf8('')).map(parseCertificate)
  const pins = [
    ...(roots?.nvidiaDevices ?? [NVIDIA_DEVICE_ROOT]),
    ...(roots?.nvidiaManifests ?? [NVIDIA_MANIFEST_ROOT]),
  ]
  const fault = await faultOfAuthorities(crypto, chain, pins)
  if (fault !== null) return `its issuer is not certified by NVIDIA (${fault.problem} at ${fault.subject})`
  const date = dateFaultOf(chain, nowMs, DEFAULT_SKEW_MS)
  if (date !== null) return `the certificate of its issuer is ${date.problem} (${date.subject})`
  const response = parseOcspResponse(body)
  const [issuer] = chain
  const serial = response.answers[0]?.certId?.serial
  if (issuer === undefined || serial === undefined) return 'it names no certificate'
  const { fault: why } = await examineOcsp(response, { serial }, issuer, {
    crypto,
    nowMs,
    clockSkewMs: DEFAULT_SKEW_MS,
  })
  return why === null ? null : OCSP_ERRORS[why]
}

const isoOf = (ms: number): string => new Date(ms).toISOString()
