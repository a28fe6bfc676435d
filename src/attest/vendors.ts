/**
 * Where vendors publish what, and how an answer becomes an item. Any server with these paths will do, a caching one of the
 * operator's for one: everything is signed, and nothing is taken on a server's word. Sources: Intel's PCS and PCCS API
 * version 4, AMD's key distribution service (publication 57230), NVIDIA's RIM and OCSP services.
 */
import {
  type CollateralItem,
  collateralItem,
  type CollateralWant,
  encodeOcspRequest,
  OCSP_ERRORS,
  parseOcspResponse,
} from '../tee/index.ts'
import { equalBytes, fromBase64, fromHex, utf8 } from '../util/index.ts'
import { unavailable } from './errors.ts'
import type { VendorReply } from './http-get.ts'

/** Base addresses; null for one that is never asked. */
export interface CollateralServers {
  readonly intel: string | null
  readonly amd: string | null
  readonly nvidia: string | null
  /** Answers about revocation. */
  readonly nvidiaOcsp: string | null
}

export const VENDOR_SERVERS = {
  intel: 'https://api.trustedservices.intel.com',
  amd: 'https://kdsintf.amd.com',
  nvidia: 'https://rim.attestation.nvidia.com',
  nvidiaOcsp: 'https://ocsp.ndis.nvidia.com',
} as const satisfies CollateralServers

export interface VendorRequest {
  readonly url: string
  /** Posted as `application/ocsp-request`; what has none is got. */
  readonly question?: Uint8Array
  /** Throws `attestation.*` for what is not such an item. */
  read(reply: VendorReply): CollateralItem
}

/** Intel's service does not have the list of its root: that is where the root's certificate says. Caching services have it. */
const INTEL_ROOT_CRL = 'https://certificates.trustedservices.intel.com/IntelSGXRootCA.der'

/**
 * Null where no server is configured, or vendors do not publish such a thing.
 * @param nonce 16 random bytes, for questions to which NVIDIA itself must answer now
 */
export function requestFor(
  want: CollateralWant,
  servers: CollateralServers,
  nonce: Uint8Array | null = null,
): VendorRequest | null {
  const { type, labels } = want
  const { intel, amd, nvidia, nvidiaOcsp } = servers
  const label = (name: string): string => encodeURIComponent(labels[name] ?? '')
  switch (type) {
    case 'intel-tcb-info':
      return request(intel, `/${label('tee')}/certification/v4/tcb?fmspc=${label('fmspc')}`, (reply) =>
        collateralItem({ type, body: reply.body, issuerChain: chainIn(reply, 'TCB-Info-Issuer-Chain') }),
      )
    case 'intel-qe-identity':
      return request(intel, `/${label('tee')}/certification/v4/qe/identity`, (reply) =>
        collateralItem({ type, body: reply.body, issuerChain: chainIn(reply, 'SGX-Enclave-Identity-Issuer-Chain') }),
      )
    case 'intel-pck-crl': {
      const ca = /^Intel SGX PCK (Platform|Processor) CA$/.exec(labels['issuer'] ?? '')?.[1]?.toLowerCase()
      if (ca === undefined) return null
      return request(intel, `/sgx/certification/v4/pckcrl?ca=${ca}&encoding=der`, (reply) =>
        collateralItem({ type, body: crlIn(reply), issuerChain: chainIn(reply, 'SGX-PCK-CRL-Issuer-Chain') }),
      )
    }
    case 'intel-root-crl': {
      const read = (reply: VendorReply): CollateralItem => collateralItem({ type, body: crlIn(reply) })
      if (intel === VENDOR_SERVERS.intel) return { url: INTEL_ROOT_CRL, read }
      return request(intel, '/sgx/certification/v4/rootcacrl', read)
    }
    case 'amd-chain': {
      const [, vlek, product] = /^SEV-(VLEK-)?(Milan|Genoa|Turin)$/.exec(labels['issuer'] ?? '') ?? []
      if (product === undefined) return null
      return request(amd, `/${vlek === undefined ? 'vcek' : 'vlek'}/v1/${product}/cert_chain`, (reply) =>
        collateralItem({ type, body: reply.body }),
      )
    }
    case 'amd-crl': {
      const product = /^ARK-(Milan|Genoa|Turin)$/.exec(labels['issuer'] ?? '')?.[1]
      if (product === undefined) return null
      return request(amd, `/vcek/v1/${product}/crl`, (reply) => collateralItem({ type, body: reply.body }))
    }
    case 'amd-leaf':
      if (labels['kind'] !== 'vcek') return null
      return request(amd, `/vcek/v1/${label('product')}/${label('hardwareId')}?${labels['tcb'] ?? ''}`, (reply) =>
        collateralItem({ type, body: reply.body }),
      )
    case 'nvidia-manifest':
      return request(nvidia, `/v1/rim/${label('id')}`, (reply) =>
        collateralItem({ type, body: manifestIn(reply), id: labels['id'] ?? '' }),
      )
    case 'nvidia-ocsp':
      return nvidiaOcsp === null ? null : ocspRequest(want, nvidiaOcsp, nonce)
  }
}

/**
 * The responder must show that it answers this very question. A caching service cannot, and is not asked to: its answers end when
 * NVIDIA said.
 */
function ocspRequest(
  { type, labels, issuerChain }: CollateralWant,
  server: string,
  nonce: Uint8Array | null,
): VendorRequest {
  const asked = server === VENDOR_SERVERS.nvidiaOcsp ? nonce : null
  const bytes = (name: string): Uint8Array => fromHex(labels[name] ?? '')
  const certId = { issuerNameHash: bytes('issuerName'), issuerKeyHash: bytes('issuerKey'), serial: bytes('serial') }
  return {
    url: `${withoutSlash(server)}/`,
    question: encodeOcspRequest({ certId, nonce: asked }),
    read({ body }) {
      const answered = parseOcspResponse(body).nonce
      if (asked !== null && (answered === null || !equalBytes(asked, answered)))
        throw unavailable('an answer about revocation', OCSP_ERRORS['attestation.ocsp-nonce'])
      return collateralItem({ type, body, issuerChain: issuerChain ?? null })
    },
  }
}

const withoutSlash = (base: string): string => base.replace(/\/+$/, '')

const request = (base: string | null, path: string, read: VendorRequest['read']): VendorRequest | null =>
  base === null ? null : { url: `${withoutSlash(base)}${path}`, read }

/** URL-encoded PEM. */
function chainIn(reply: VendorReply, name: string): Uint8Array {
  const header = reply.header(name)
  if (header === null) throw unavailable(name, 'the answer has no such header')
  try {
    return utf8(decodeURIComponent(header))
  } catch (error) {
    throw unavailable(name, 'the header is not URL-encoded', error)
  }
}

/** DER, or the hexadecimal text of some caching services. */
function crlIn({ body }: VendorReply): Uint8Array {
  if (body[0] === 0x30) return body
  try {
    return fromHex(new TextDecoder('latin1').decode(body).trim())
  } catch {
    return body
  }
}

function manifestIn({ body }: VendorReply): Uint8Array {
  try {
    const { rim } = JSON.parse(new TextDecoder().decode(body)) as { readonly rim?: unknown }
    if (typeof rim === 'string') return fromBase64(rim)
  } catch (error) {
    throw unavailable('a manifest', 'the answer is not the JSON of a RIM service', error)
  }
  throw unavailable('a manifest', 'the answer names none')
}
