/** Collateral bundles made of the recorded collateral below `spec/vectors`. */
import { type CollateralBundle, type CollateralItem, collateralItem } from '../../src/tee/collateral/index.ts'
import { readPem } from '../../src/tee/x509/index.ts'
import { certificatesIn, vectorBytes } from './attestation-vectors.ts'
import { type DcapCase, dcapCases, vector } from './dcap-vectors.ts'

/** What one case was verified with, at its time. */
export function itemsOfCase({ collateral: c }: DcapCase): CollateralItem[] {
  const issuerChain = vector(c.tcbSigningChain)
  return [
    collateralItem({ type: 'intel-tcb-info', body: vector(c.tcbInfo), issuerChain }),
    collateralItem({ type: 'intel-qe-identity', body: vector(c.qeIdentity), issuerChain }),
    collateralItem({ type: 'intel-pck-crl', body: vector(c.pckCrl) }),
    collateralItem({ type: 'intel-root-crl', body: vector(c.rootCaCrl) }),
  ]
}

export const bundleOf = (...cases: readonly DcapCase[]): CollateralBundle => ({
  madeAtMs: Date.parse('2026-07-01T00:00:00Z'),
  items: cases.flatMap(itemsOfCase),
})

/** Everything recorded of platforms that Intel's own root certifies: many editions of the same things. */
export const everyIntelItem = (): CollateralItem[] => {
  const byContent = new Map<string, CollateralItem>()
  for (const one of dcapCases)
    if (one.collateral.root.startsWith('collateral/chain/'))
      itemsOfCase(one).forEach((item, i) => {
        const { tcbInfo, qeIdentity, pckCrl, rootCaCrl } = one.collateral
        byContent.set([tcbInfo, qeIdentity, pckCrl, rootCaCrl][i] as string, item)
      })
  return [...byContent.values()]
}

/** Chains, and the leaves of the recorded reports. No list of revocations was recorded. */
export const amdItems = (): CollateralItem[] => [
  ...['milan', 'milan-vlek', 'genoa', 'turin'].map((name) =>
    collateralItem({ type: 'amd-chain', body: vectorBytes(`snp/chain/${name}.pem`) }),
  ),
  ...['v2-milan-gosevguest.leaf.der', 'v2-milan-trustee.leaf.der', 'v3-genoa-ms.leaf.pem', 'v5-turin-ms.leaf.pem'].map(
    (name) => collateralItem({ type: 'amd-leaf', body: certificatesIn(`snp/${name}`)[0] as Uint8Array }),
  ),
]

export const nvidiaItems = (): CollateralItem[] => [
  collateralItem({
    type: 'nvidia-manifest',
    body: vectorBytes('gpu/rim/driver-gh100-550.144.03.xml'),
    id: 'NV_GPU_DRIVER_GH100_550.144.03',
  }),
  collateralItem({
    type: 'nvidia-manifest',
    body: vectorBytes('gpu/rim/vbios-1010-0200-882-96005e0001.xml'),
    id: 'NV_GPU_VBIOS_1010_0200_882_96005E0001',
  }),
]

/** DER of the first certificate in PEM. */
export const derOf = (pem: Uint8Array): Uint8Array => readPem(pem)[0] as Uint8Array
