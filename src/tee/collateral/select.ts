/**
 * The items of a bundle that a piece of evidence needs. Of several that fit, one that is valid at the time comes first, then
 * the one of the highest evaluation, then the newest: a verifier should say "expired" where there is nothing better, and
 * never "missing". Browser-safe.
 */
import { CocoonError, equalBytes, toHex } from '../../util/index.ts'
import {
  type DcapQuote,
  driverManifestName,
  type GpuReport,
  snpProductOf,
  type SnpReport,
  snpTcbsOf,
  vbiosManifestName,
} from '../quote/index.ts'
import type { DcapCollateralSource } from '../verify/dcap/index.ts'
import { arrangePckChain, readChain, readPckFacts } from '../verify/dcap/pck.ts'
import { subjectText } from '../verify/chain.ts'
import type { GpuCollateral } from '../verify/nvidia/index.ts'
import { chipOf } from '../verify/nvidia/leaf.ts'
import { parseManifest } from '../verify/nvidia/manifest.ts'
import { deviceLinks, type Link, manifestLinks } from '../verify/nvidia/revocation.ts'
import { readSnpLeaf, type SnpCollateral } from '../verify/snp/index.ts'
import { type Certificate, commonNameOf, parseCertificate, readPem } from '../x509/index.ts'
import type { CollateralBundle } from './bundle.ts'
import type { CollateralItem, CollateralType, ItemLabels } from './item.ts'

/** `missing` says in words what was looked for; empty when everything is there. */
export interface Selected<Collateral> {
  readonly collateral: Collateral | null
  readonly missing: readonly string[]
}

/** For the platform that the quote's PCK chain names. Throws `attestation.pck-*` when that cannot be read. */
export function selectDcapCollateral(
  bundle: CollateralBundle,
  quote: DcapQuote,
  nowMs: number,
): Selected<DcapCollateralSource> {
  const { leaf } = arrangePckChain(readChain(quote.certificationData.bytes, 'attestation.pck-chain'))
  const fmspc = toHex(readPckFacts(leaf).fmspc)
  const { tee } = quote.body
  const pckIssuer = commonNameOf(leaf.issuer) ?? toHex(leaf.issuer)
  const wanted = search(bundle, nowMs)
  const tcbInfo = wanted('intel-tcb-info', { tee, fmspc }, `Intel TCB info for ${tee}, FMSPC ${fmspc}`)
  const qeIdentity = wanted('intel-qe-identity', { tee }, `Intel QE identity for ${tee}`)
  const pckCrl = wanted('intel-pck-crl', { issuer: pckIssuer }, `revocation list of ${pckIssuer}`)
  const rootCrl = wanted('intel-root-crl', {}, 'revocation list of the Intel SGX root CA')
  const { missing } = wanted
  if (tcbInfo === null || qeIdentity === null || pckCrl === null || rootCrl === null)
    return { collateral: null, missing }
  return {
    collateral: {
      tcbInfo: tcbInfo.body,
      tcbInfoIssuerChain: chainOf(tcbInfo),
      qeIdentity: qeIdentity.body,
      qeIdentityIssuerChain: chainOf(qeIdentity),
      pckCrl: pckCrl.body,
      rootCaCrl: rootCrl.body,
    },
    missing,
  }
}

/** The leaf is one for this chip and exactly this firmware. A missing revocation list is left to the policy. */
export function selectSnpCollateral(
  bundle: CollateralBundle,
  report: SnpReport,
  shownLeaf: Uint8Array | null,
  nowMs: number,
): Selected<SnpCollateral & { readonly leaf: Uint8Array }> {
  const leaf = shownLeaf ?? leafFor(bundle, report, nowMs)
  if (leaf === null) return { collateral: null, missing: ['AMD certificate (VCEK or VLEK) for this chip and firmware'] }
  const { product, kind } = readSnpLeaf(parseCertificate(leaf))
  const issuer = kind === 'vcek' ? `SEV-${product}` : `SEV-VLEK-${product}`
  const wanted = search(bundle, nowMs)
  const chain = wanted('amd-chain', { issuer }, `AMD chain of ${issuer}`)
  const crl = wanted('amd-crl', { issuer: `ARK-${product}` }, `AMD revocation list of ARK-${product}`)
  const [intermediate, root] = chain === null ? [] : readPem(chain.body)
  const { missing } = wanted
  if (intermediate === undefined || root === undefined) return { collateral: null, missing }
  return { collateral: { leaf, intermediate, root, crl: crl?.body ?? null }, missing }
}

/**
 * Manifests by the names that the report and the device's chip spell, else by chip and version; absent ones are null. Answers about
 * the certificates of the device and of these manifests. @param chain the device's, leaf first
 */
export function selectGpuCollateral(
  bundle: CollateralBundle,
  report: GpuReport,
  chain: readonly Certificate[],
  nowMs: number,
): Selected<GpuCollateral> {
  const [leaf] = chain
  const chip = leaf === undefined ? null : chipOf(leaf)
  const wanted = search(bundle, nowMs)
  const one = (id: string | null, version: string): Uint8Array | null => {
    const labels: ItemLabels = id === null ? { product: chip ?? 'unknown', version } : { id }
    const words = `NVIDIA manifest ${id ?? `for ${chip ?? 'an unknown chip'} ${version}`}`
    return wanted('nvidia-manifest', labels, words)?.body ?? null
  }
  const { driverVersion, vbiosVersion } = report
  // Switches have no driver.
  const driverManifest = driverVersion === null ? null : one(driverManifestName(report, chip), driverVersion)
  const vbiosManifest = one(vbiosManifestName(report), vbiosVersion)
  const links = [...deviceLinks(chain), ...[driverManifest, vbiosManifest].flatMap(linksOfManifest)]
  const answers = links.flatMap(({ certificate, issuer }) => {
    const labels = { issuer: commonNameOf(issuer.subject) ?? toHex(issuer.subject), serial: toHex(certificate.serial) }
    return wanted('nvidia-ocsp', labels, `NVIDIA’s answer about ${subjectText(certificate)}`)?.body ?? []
  })
  return { collateral: { driverManifest, vbiosManifest, answers: unique(answers) }, missing: unique(wanted.missing) }
}

/** Empty for a manifest that cannot be read: verification says why. */
export function linksOfManifest(manifest: Uint8Array | null): readonly Link[] {
  if (manifest === null) return []
  try {
    return manifestLinks(parseManifest(manifest).certificates.map(parseCertificate))
  } catch (error) {
    if (error instanceof CocoonError && error.family === 'attestation') return []
    throw error
  }
}

const unique = <T>(list: readonly T[]): readonly T[] => [...new Set(list)]

/** What is found is worth its signatures only, so the chip's id may be read from a report that nobody verified yet. */
function leafFor({ items }: CollateralBundle, report: SnpReport, nowMs: number): Uint8Array | null {
  const fits = items.filter((item) => {
    if (item.type !== 'amd-leaf') return false
    const { product, kind, tcb, hardwareId } = readSnpLeaf(parseCertificate(item.body))
    if (kind !== report.signingKey || (report.cpuid !== null && snpProductOf(report) !== product)) return false
    if (hardwareId !== null && !equalBytes(report.chipId.subarray(0, hardwareId.length), hardwareId)) return false
    return JSON.stringify(snpTcbsOf(report, product).reported) === JSON.stringify(tcb)
  })
  return best(fits, nowMs)?.body ?? null
}

interface Search {
  (type: CollateralType, labels: ItemLabels, words: string): CollateralItem | null
  readonly missing: readonly string[]
}

function search({ items }: CollateralBundle, nowMs: number): Search {
  const missing: string[] = []
  const find = (type: CollateralType, labels: ItemLabels, words: string): CollateralItem | null => {
    const found = best(
      items.filter((item) => item.type === type && Object.entries(labels).every(([k, v]) => item.labels[k] === v)),
      nowMs,
    )
    if (found === null) missing.push(words)
    return found
  }
  return Object.assign(find, { missing })
}

function best(items: readonly CollateralItem[], nowMs: number): CollateralItem | null {
  const isValid = (item: CollateralItem): boolean => item.validFromMs <= nowMs && nowMs <= item.validUntilMs
  const rank = (item: CollateralItem): readonly number[] => [
    Number(isValid(item)),
    Number(item.labels['evaluation'] ?? 0),
    item.validFromMs,
  ]
  const [first = null] = items.toSorted((a, b) => {
    const [left, right] = [rank(a), rank(b)]
    const at = left.findIndex((value, i) => value !== right[i])
    return at === -1 ? 0 : (right[at] as number) - (left[at] as number)
  })
  return first
}

const NOTHING = new Uint8Array()
/** `collateralItem` demands it for the two types that have one. */
const chainOf = ({ issuerChain }: CollateralItem): Uint8Array => issuerChain ?? NOTHING
