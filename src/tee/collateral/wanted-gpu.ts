/**
 * What GPUs' evidence needs of what NVIDIA publishes: manifests, and answers about revocation. Nobody has verified the evidence
 * yet, so this says where to look and proves nothing. Browser-safe.
 */
import { utf8 } from '../../util/index.ts'
import { driverManifestName, type GpuProof, parseGpuReport, vbiosManifestName } from '../quote/index.ts'
import { faultOfChain } from '../verify/chain.ts'
import { NVIDIA_DEVICE_ROOT } from '../verify/nvidia/index.ts'
import { chipOf } from '../verify/nvidia/leaf.ts'
import { deviceLinks, type Link } from '../verify/nvidia/revocation.ts'
import { type Certificate, ocspCertIdOf, parseCertificate, type VerifyCrypto, writePem } from '../x509/index.ts'
import type { CollateralBundle } from './bundle.ts'
import { ocspLabels } from './item.ts'
import { linksOfManifest } from './select.ts'
import { type CollateralWant, nothingIfUnreadable } from './wanted.ts'

/** Whose certificates the manifests have shows only when they are there: ask again with a bundle that has them. */
export async function wantsOfGpu(
  crypto: Pick<VerifyCrypto, 'sha384'>,
  { report, certificates }: GpuProof,
  bundle: CollateralBundle,
): Promise<readonly CollateralWant[]> {
  try {
    const chain = certificates.map(parseCertificate)
    const [leaf] = chain
    if (leaf === undefined) return []
    const parsed = parseGpuReport(report)
    const ids = [driverManifestName(parsed, chipOf(leaf)), vbiosManifestName(parsed)].filter((id) => id !== null)
    const held = bundle.items.filter((item) => item.type === 'nvidia-manifest' && ids.includes(item.labels['id'] ?? ''))
    const chains = [chainsOf(deviceLinks(chain)), ...held.map((item) => chainsOf(linksOfManifest(item.body)))]
    const answers = await Promise.all(chains.flat().map((one) => wantOf(crypto, one)))
    return [...ids.map((id): CollateralWant => ({ type: 'nvidia-manifest', labels: { id } })), ...answers]
  } catch (error) {
    return nothingIfUnreadable(error)
  }
}

/** Whether NVIDIA's root has certified the device. Nothing should be fetched on a stranger's word. */
export async function isCertifiedGpu(
  crypto: VerifyCrypto,
  { certificates }: Pick<GpuProof, 'certificates'>,
  deviceRoots: readonly string[] = [NVIDIA_DEVICE_ROOT],
): Promise<boolean> {
  try {
    return (await faultOfChain(crypto, certificates.map(parseCertificate), deviceRoots)) === null
  } catch (error) {
    nothingIfUnreadable(error)
    return false
  }
}

interface LinkInChain extends Link {
  /** From the issuer to the root. */
  readonly over: readonly Certificate[]
}

const chainsOf = (links: readonly Link[]): readonly LinkInChain[] =>
  links.map((link, i) => ({ ...link, over: links.slice(i).map(({ issuer }) => issuer) }))

async function wantOf(
  crypto: Pick<VerifyCrypto, 'sha384'>,
  { certificate, issuer, over }: LinkInChain,
): Promise<CollateralWant> {
  const certId = await ocspCertIdOf(crypto, certificate, issuer)
  const issuerChain = utf8(over.map((one) => writePem(one.whole)).join(''))
  return { type: 'nvidia-ocsp', labels: ocspLabels(certId, issuer), issuerChain }
}
