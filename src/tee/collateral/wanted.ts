/**
 * What a piece of evidence needs of what vendors publish, by the labels of items: asked before verifying, so that it can be
 * fetched. Nobody has verified the evidence yet, so this says where to look and proves nothing. Browser-safe.
 */
import { CocoonError, toHex } from '../../util/index.ts'
import { type DcapQuote, parseDcapQuote, parseSnpReport, snpProductOf, snpTcbsOf, tcbQuery } from '../quote/index.ts'
import { faultOfChain } from '../verify/chain.ts'
import { INTEL_SGX_ROOT_KEY } from '../verify/dcap/index.ts'
import { p256Spki } from '../verify/dcap/checking.ts'
import { arrangePckChain, type PckChain, readChain, readPckFacts } from '../verify/dcap/pck.ts'
import { readSnpLeaf } from '../verify/snp/index.ts'
import { commonNameOf, parseCertificate, type VerifyCrypto } from '../x509/index.ts'
import type { CollateralBundle } from './bundle.ts'
import type { CollateralType, ItemLabels } from './item.ts'

/** An item of this type with at least these labels. */
export interface CollateralWant {
  readonly type: CollateralType
  readonly labels: ItemLabels
  /** `nvidia-ocsp` only: PEM of the certificate's issuer and of what stands over it, which a responder does not send. */
  readonly issuerChain?: Uint8Array
}

export interface WantOptions {
  readonly crypto: VerifyCrypto
  /** X ‖ Y; other than Intel's only in tests. */
  readonly intelRoot?: Uint8Array
}

const NOTHING: readonly CollateralWant[] = []

/** Empty for what cannot be read. */
export function wantsOfQuote(bytes: Uint8Array): readonly CollateralWant[] {
  try {
    const quote = parseDcapQuote(bytes)
    const { leaf } = pckChainOf(quote)
    const { tee } = quote.body
    const fmspc = toHex(readPckFacts(leaf).fmspc)
    return [
      { type: 'intel-tcb-info', labels: { tee, fmspc } },
      { type: 'intel-qe-identity', labels: { tee } },
      { type: 'intel-pck-crl', labels: { issuer: commonNameOf(leaf.issuer) ?? toHex(leaf.issuer) } },
      { type: 'intel-root-crl', labels: {} },
    ]
  } catch (error) {
    return nothingIfUnreadable(error)
  }
}

/**
 * Whether the root has certified the platform that the quote names. Anybody may name any: nothing should be fetched on a
 * stranger's word. Whether the platform made this quote is another question.
 */
export async function isCertifiedPlatform(bytes: Uint8Array, options: WantOptions): Promise<boolean> {
  try {
    const { leaf, ca, root } = pckChainOf(parseDcapQuote(bytes))
    const pin = toHex(await options.crypto.sha256(p256Spki(options.intelRoot ?? INTEL_SGX_ROOT_KEY)))
    return (await faultOfChain(options.crypto, [leaf, ca, root], [pin])) === null
  } catch (error) {
    return nothingIfUnreadable(error).length > 0
  }
}

const pckChainOf = ({ certificationData }: DcapQuote): PckChain =>
  arrangePckChain(readChain(certificationData.bytes, 'attestation.pck-chain'))

/** Empty for what cannot be read. @param shownLeaf DER of the chip's certificate, where the peer sent one */
export function wantsOfReport(bytes: Uint8Array, shownLeaf: Uint8Array | null): readonly CollateralWant[] {
  try {
    const report = parseSnpReport(bytes)
    if (report.signingKey === 'none') return NOTHING
    const leaf = shownLeaf === null ? null : readSnpLeaf(parseCertificate(shownLeaf))
    const product = leaf?.product ?? snpProductOf(report)
    if (product === null) return NOTHING
    const kind = leaf?.kind ?? report.signingKey
    const issuer = kind === 'vcek' ? `SEV-${product}` : `SEV-VLEK-${product}`
    const of: CollateralWant[] = [
      { type: 'amd-chain', labels: { issuer } },
      { type: 'amd-crl', labels: { issuer: `ARK-${product}` } },
    ]
    // A VLEK is the provider's, who hands it over; AMD answers for the keys of chips only.
    if (leaf !== null || kind === 'vlek' || report.chipIdMasked) return of
    const hardwareId = toHex(report.chipId.subarray(0, product === 'Turin' ? 8 : 64))
    const tcb = tcbQuery(snpTcbsOf(report, product).reported)
    return [...of, { type: 'amd-leaf', labels: { product, kind, hardwareId, tcb } }]
  } catch (error) {
    return nothingIfUnreadable(error)
  }
}

/** Whether the bundle has an item for it that is valid at this time. */
export function isSupplied({ items }: CollateralBundle, { type, labels }: CollateralWant, nowMs: number): boolean {
  return items.some(
    (item) =>
      item.type === type &&
      nowMs <= item.validUntilMs &&
      Object.entries(labels).every(([name, value]) => item.labels[name] === value),
  )
}

export function nothingIfUnreadable(error: unknown): readonly CollateralWant[] {
  if (error instanceof CocoonError && error.family === 'attestation') return NOTHING
  throw error
}
