/**
 * One thing that a vendor publishes about its hardware, and what it says of itself. Labels and times are read out of the
 * signed content, never believed from beside it. Nothing is verified here. Browser-safe.
 */
import { CocoonError, toHex } from '../../util/index.ts'
import { tcbQuery } from '../quote/index.ts'
import { parseQeIdentity } from '../verify/dcap/qe-identity.ts'
import { parseTcbInfo } from '../verify/dcap/tcb-info.ts'
import { parseManifestLabels } from '../verify/nvidia/manifest.ts'
import { readSnpLeaf } from '../verify/snp/leaf.ts'
import {
  type Certificate,
  commonNameOf,
  type OcspCertId,
  parseCertificate,
  parseCrl,
  parseOcspResponse,
  readPem,
} from '../x509/index.ts'

export const ITEM_TYPES = [
  'intel-tcb-info',
  'intel-qe-identity',
  'intel-pck-crl',
  'intel-root-crl',
  'amd-chain',
  'amd-leaf',
  'amd-crl',
  'nvidia-manifest',
  'nvidia-ocsp',
] as const
export type CollateralType = (typeof ITEM_TYPES)[number]

/** By what items of a type are told apart: `{ tee: 'tdx', fmspc: '90c06f000000', evaluation: '17' }`. */
export type ItemLabels = Readonly<Record<string, string>>

export interface CollateralItem {
  readonly type: CollateralType
  readonly labels: ItemLabels
  readonly validFromMs: number
  readonly validUntilMs: number
  /** As the vendor's service delivers it: JSON, DER, XML; `amd-chain` is PEM, ASK or ASVK before ARK. */
  readonly body: Uint8Array
  /**
   * PEM. TCB info and QE identity come with the chain of the key that signed them, lists of PCKs may come with theirs; answers
   * about revocation with that of the certificate's issuer, from it to the root.
   */
  readonly issuerChain: Uint8Array | null
}

export interface ItemSource {
  readonly type: CollateralType
  readonly body: Uint8Array
  readonly issuerChain?: Uint8Array | null
  /** NVIDIA only: the name at the vendor's service, `NV_GPU_DRIVER_GH100_550.144.03`. Manifests do not say theirs. */
  readonly id?: string
}

type Read = Pick<CollateralItem, 'labels' | 'validFromMs' | 'validUntilMs'>

/** Throws the parsers' `attestation.*` codes, and `attestation.collateral-missing` for a part that is due and absent. */
export function collateralItem({ type, body, issuerChain = null, id }: ItemSource): CollateralItem {
  const needsChain = type === 'intel-tcb-info' || type === 'intel-qe-identity' || type === 'nvidia-ocsp'
  if (needsChain && issuerChain === null) throw wrong('the issuer chain is missing')
  if (!needsChain && issuerChain !== null && type !== 'intel-pck-crl') throw wrong('has an issuer chain')
  if ((type === 'nvidia-manifest') !== (id !== undefined)) throw wrong('only manifests have an id, and all of them do')
  const read = READERS[type](body, issuerChain ?? NOTHING)
  if (id !== undefined && !MANIFEST_ID.test(id)) throw wrong(`${id.slice(0, 64)} is no name of a manifest`)
  return { type, ...read, labels: id === undefined ? read.labels : { ...read.labels, id }, body, issuerChain }
}

const NOTHING = new Uint8Array()
const MANIFEST_ID = /^NV_[A-Z0-9_.]{1,96}$/
const wrong = (message: string): CocoonError => new CocoonError('attestation.collateral-missing', { message })

const READERS: Readonly<Record<CollateralType, (body: Uint8Array, issuerChain: Uint8Array) => Read>> = {
  'intel-tcb-info'(body) {
    const { tee, fmspc, evaluationDataNumber, issuedAtMs, nextUpdateMs } = parseTcbInfo(body)
    const labels = { tee, fmspc: toHex(fmspc), evaluation: `${evaluationDataNumber}` }
    return { labels, validFromMs: issuedAtMs, validUntilMs: nextUpdateMs }
  },
  'intel-qe-identity'(body) {
    const { tee, evaluationDataNumber, issuedAtMs, nextUpdateMs } = parseQeIdentity(body)
    return {
      labels: { tee, evaluation: `${evaluationDataNumber}` },
      validFromMs: issuedAtMs,
      validUntilMs: nextUpdateMs,
    }
  },
  'intel-pck-crl': readCrlItem,
  'intel-root-crl': readCrlItem,
  'amd-crl': readCrlItem,
  'amd-chain'(body) {
    const chain = readPem(body).map(parseCertificate)
    const [intermediate, root] = chain
    if (chain.length !== 2 || intermediate === undefined || root === undefined)
      throw wrong(`${chain.length} certificates where ASK and ARK are due`)
    return { labels: { issuer: nameOf(intermediate.subject), root: nameOf(root.subject) }, ...windowOf(chain) }
  },
  'amd-leaf'(body) {
    const certificate = parseCertificate(body)
    const { product, kind, hardwareId, tcb } = readSnpLeaf(certificate)
    const labels = {
      product,
      kind,
      hardwareId: hardwareId === null ? 'none' : toHex(hardwareId),
      tcb: tcbQuery(tcb),
    }
    return { labels, ...windowOf([certificate]) }
  },
  'nvidia-manifest'(body) {
    const { product, version, certificates } = parseManifestLabels(body)
    return {
      labels: { product, version },
      ...windowOf(certificates.map(parseCertificate)),
    }
  },
  'nvidia-ocsp'(body, issuerChain) {
    const { answers } = parseOcspResponse(body)
    const [answer, ...others] = answers
    if (answer === undefined || others.length > 0) throw wrong(`${answers.length} answers where one is due`)
    const { certId, thisUpdateMs, nextUpdateMs } = answer
    if (certId === null) throw wrong('the certificate is named by another hash than SHA-384')
    if (nextUpdateMs === null) throw wrong('the answer does not say until when it holds')
    const [issuer] = readPem(issuerChain).map(parseCertificate)
    if (issuer === undefined) throw wrong('the issuer chain is empty')
    return { labels: ocspLabels(certId, issuer), validFromMs: thisUpdateMs, validUntilMs: nextUpdateMs }
  },
}

/** For people the issuer's name; for the responder both hashes. */
export const ocspLabels = ({ issuerNameHash, issuerKeyHash, serial }: OcspCertId, issuer: Certificate): ItemLabels => ({
  issuer: nameOf(issuer.subject),
  serial: toHex(serial),
  issuerName: toHex(issuerNameHash),
  issuerKey: toHex(issuerKeyHash),
})

function readCrlItem(body: Uint8Array): Read {
  const { issuer, thisUpdateMs, nextUpdateMs } = parseCrl(body)
  if (nextUpdateMs === null) throw wrong('the list does not say until when it holds')
  return { labels: { issuer: nameOf(issuer) }, validFromMs: thisUpdateMs, validUntilMs: nextUpdateMs }
}

const nameOf = (name: Uint8Array): string => commonNameOf(name) ?? toHex(name)

const windowOf = (certificates: readonly Certificate[]): Pick<Read, 'validFromMs' | 'validUntilMs'> => ({
  validFromMs: Math.max(...certificates.map((c) => c.notBeforeMs)),
  validUntilMs: Math.min(...certificates.map((c) => c.notAfterMs)),
})
