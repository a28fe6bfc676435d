/**
 * Collateral: what Intel publishes about platforms, read once. Every part is signed, so it may come from anywhere.
 * Browser-safe. Source: spec/attestation-dcap.md, "Collateral".
 */
import { type CocoonError, fromHex, utf8 } from '../../../util/index.ts'
import { type Certificate, commonNameOf, type Crl, parseCrl, readPem } from '../../x509/index.ts'
import { type DcapErrorCode, dcapError } from './errors.ts'
import { isSelfIssued, readChain, refusing } from './pck.ts'
import { parseQeIdentity, type QeIdentity } from './qe-identity.ts'
import { parseTcbInfo, type TcbInfo } from './tcb-info.ts'

/** As the services deliver it. Text is PEM for chains; for lists PEM, or the hex of a caching service. */
export interface DcapCollateralSource {
  /** The whole response: `{"tcbInfo":…,"signature":…}`. */
  readonly tcbInfo: Uint8Array | string
  /** Header `TCB-Info-Issuer-Chain`, URL-decoded. */
  readonly tcbInfoIssuerChain: Uint8Array | string
  /** The whole response: `{"enclaveIdentity":…,"signature":…}`. */
  readonly qeIdentity: Uint8Array | string
  /** Header `SGX-Enclave-Identity-Issuer-Chain`, URL-decoded. Usually the same as that of the TCB info. */
  readonly qeIdentityIssuerChain: Uint8Array | string
  /** Null is refused, with `attestation.root-crl-missing`; never the same as a list with nothing on it. */
  readonly rootCaCrl: Uint8Array | string | null
  readonly pckCrl: Uint8Array | string | null
  /** For quotes that do not carry their chain: leaf, CA and root in any order. It replaces what a quote carries. */
  readonly pckChain?: Uint8Array | string
}

/** The two certificates behind signed JSON. */
export interface SigningChain {
  readonly signer: Certificate
  readonly root: Certificate
}

/** Well-formed collateral; nothing about it is verified. */
export interface DcapCollateral {
  readonly tcbInfo: TcbInfo
  readonly tcbInfoChain: SigningChain
  readonly qeIdentity: QeIdentity
  readonly qeIdentityChain: SigningChain
  readonly rootCaCrl: DcapCrl
  readonly pckCrl: DcapCrl
  readonly pckChain: readonly Certificate[] | null
}

/** A list that says until when it holds. */
export type DcapCrl = Crl & { readonly nextUpdateMs: number }

/** As their codes call them. */
type CrlName = 'pck-crl' | 'root-crl'

/** Throws the `…-missing`, `…-format` and `tcb-signing-chain` codes of `DCAP_ERRORS`. */
export function parseDcapCollateral(source: DcapCollateralSource): DcapCollateral {
  return {
    rootCaCrl: readCrl(source.rootCaCrl, 'root-crl'),
    pckCrl: readCrl(source.pckCrl, 'pck-crl'),
    tcbInfoChain: readSigningChain(source.tcbInfoIssuerChain),
    tcbInfo: parseTcbInfo(bytesOf(source.tcbInfo)),
    qeIdentityChain: readSigningChain(source.qeIdentityIssuerChain),
    qeIdentity: parseQeIdentity(bytesOf(source.qeIdentity)),
    pckChain: source.pckChain === undefined ? null : readChain(source.pckChain, 'attestation.pck-chain'),
  }
}

const bytesOf = (source: Uint8Array | string): Uint8Array =>
  typeof source === 'string' ? utf8(source) : Uint8Array.from(source)

function readCrl(source: Uint8Array | string | null, name: CrlName): DcapCrl {
  const wrong = (found: string): CocoonError => dcapError(`attestation.${name}-format`, name, found)
  if (source === null || source.length === 0) throw dcapError(`attestation.${name}-missing`, name, 'absent or empty')
  const crl = refusing(`attestation.${name}-format`, name, () => parseCrl(crlBytes(source, wrong)))
  if (crl.nextUpdateMs === null) throw wrong('no nextUpdate')
  const critical = crl.extensions.find((extension) => extension.critical)
  if (critical !== undefined) throw wrong(`critical extension ${critical.oid}`)
  return { ...crl, nextUpdateMs: crl.nextUpdateMs }
}

function crlBytes(source: Uint8Array | string, wrong: (found: string) => CocoonError): Uint8Array {
  if (typeof source !== 'string') return Uint8Array.from(source)
  if (source.startsWith('-----')) {
    const [first, second] = readPem(source, 'X509 CRL')
    if (first === undefined || second !== undefined) throw wrong('more than one PEM block')
    return first
  }
  try {
    return fromHex(source.trim())
  } catch {
    throw wrong('text that is neither PEM nor hex')
  }
}

const CHAIN_CODE: DcapErrorCode = 'attestation.tcb-signing-chain'

/** Signer and root in either order, told apart by name and issuer. */
function readSigningChain(source: Uint8Array | string): SigningChain {
  const wrong = (found: string): CocoonError => dcapError(CHAIN_CODE, 'certificates', found)
  const certificates = readChain(source, CHAIN_CODE)
  if (certificates.length !== 2) throw wrong(`${certificates.length} where two are due`)
  const root = certificates.find(isSelfIssued)
  const signer = certificates.find((certificate) => certificate !== root)
  if (root === undefined || signer === undefined) throw wrong('no root')
  const name = refusing(CHAIN_CODE, 'subject', () => commonNameOf(signer.subject))
  if (name === null || !name.endsWith('SGX TCB Signing'))
    throw wrong(`a signer called ${name?.slice(0, 64) ?? 'nothing'}`)
  return { signer, root }
}
