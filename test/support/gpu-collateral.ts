/** What a vendor would publish about a GPU that exists in tests only, and its evidence as NVIDIA's tools write it. */
import { linksOfManifest } from '../../src/tee/collateral/select.ts'
import { type CollateralItem, collateralItem } from '../../src/tee/index.ts'
import { deviceLinks } from '../../src/tee/verify/nvidia/revocation.ts'
import { parseCertificate, parseOcspResponse, writePem } from '../../src/tee/x509/index.ts'
import { equalBytes, toBase64, toHex, utf8 } from '../../src/util/index.ts'
import type { TestGpu } from './gpu-device.ts'

/** Names as the device's report spells them. */
const IDS = { driver: 'NV_GPU_DRIVER_GH100_550.1', vbios: 'NV_GPU_VBIOS_G520_0200_885_96005E0001' } as const

export function itemsOfGpu({ proof, collateral }: TestGpu): readonly CollateralItem[] {
  const { driverManifest, vbiosManifest, answers } = collateral
  const manifest = (body: Uint8Array | null, id: string): CollateralItem[] =>
    body === null ? [] : [collateralItem({ type: 'nvidia-manifest', body, id })]
  const chains = [
    deviceLinks(proof.certificates.map(parseCertificate)),
    linksOfManifest(driverManifest ?? vbiosManifest),
  ]
  return [
    ...manifest(driverManifest, IDS.driver),
    ...manifest(vbiosManifest, IDS.vbios),
    ...answers.map((body) => {
      const serial = parseOcspResponse(body).answers[0]?.certId?.serial as Uint8Array
      const over = chains.flatMap((links) => {
        const at = links.findIndex(({ certificate }) => equalBytes(certificate.serial, serial))
        return at === -1 ? [] : links.slice(at).map(({ issuer }) => writePem(issuer.whole))
      })
      return collateralItem({ type: 'nvidia-ocsp', body, issuerChain: utf8(over.join('')) })
    }),
  ]
}

/** The list that `nvattest` prints. @param nonces as the file says */
export const evidenceJson = (gpus: readonly TestGpu[], nonces: readonly Uint8Array[]): string =>
  JSON.stringify(
    gpus.map(({ proof }, i) => ({
      arch: 'HOPPER',
      nonce: toHex(nonces[i] as Uint8Array),
      evidence: toBase64(proof.report),
      certificate: toBase64(utf8(proof.certificates.map((one) => writePem(one)).join(''))),
    })),
  )
