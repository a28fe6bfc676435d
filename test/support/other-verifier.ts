/**
 * `@phala/dcap-qvl`, a verifier of quotes that others wrote, asked about our cases. It serves comparison only: what it says
 * decides nothing (docs/verification.md, "Beside another verifier").
 */
import { createRequire } from 'node:module'
import { readPem } from '../../src/tee/x509/index.ts'
import { type DcapCase, sourceOf, vector } from './dcap-vectors.ts'

/** What of the package is used; it is CommonJS and its types want another Node. */
interface Package {
  readonly QuoteVerifier: {
    newWithRootCa(root: Buffer): {
      verify(quote: Buffer, collateral: object, nowS: number): { readonly status: string }
    }
  }
}

const { QuoteVerifier } = createRequire(import.meta.url)('@phala/dcap-qvl') as Package

/** Changes to a case's collateral before it is shown to both. */
export type Tampering = (name: 'pckCrl' | 'rootCaCrl', bytes: Uint8Array) => Uint8Array

/** A status, or `refused: …` in the package's words. */
export function askOtherVerifier(one: DcapCase, at = one.at, tamper: Tampering = (_, bytes) => bytes): string {
  const { collateral: c } = one
  const text = (path: string): string => new TextDecoder().decode(vector(path))
  const [root] = readPem(vector(c.root))
  if (root === undefined) throw new Error('the case has no root')
  const chain = text(c.tcbSigningChain)
  const { pckChain } = sourceOf(one)
  const collateral = {
    pck_crl_issuer_chain: chain,
    root_ca_crl: Buffer.from(tamper('rootCaCrl', vector(c.rootCaCrl))),
    pck_crl: Buffer.from(tamper('pckCrl', vector(c.pckCrl))),
    tcb_info_issuer_chain: chain,
    ...signedPart(text(c.tcbInfo), 'tcbInfo', 'tcb_info'),
    qe_identity_issuer_chain: chain,
    ...signedPart(text(c.qeIdentity), 'enclaveIdentity', 'qe_identity'),
    ...(pckChain === undefined ? {} : { pck_certificate_chain: pckChain }),
  }
  try {
    const verifier = QuoteVerifier.newWithRootCa(Buffer.from(root))
    return verifier.verify(Buffer.from(vector(one.quote)), collateral, Date.parse(at) / 1000).status
  } catch (error) {
    return `refused: ${(error as Error).message}`
  }
}

/** The bytes that were signed and the signature, which the package wants apart. */
function signedPart(json: string, member: string, name: string): Record<string, unknown> {
  const opening = `{"${member}":`
  const from = json.indexOf(opening) + opening.length
  const { signature } = JSON.parse(json) as { readonly signature: string }
  return {
    [name]: json.slice(from, json.lastIndexOf(',"signature"')),
    [`${name}_signature`]: Buffer.from(signature, 'hex'),
  }
}
