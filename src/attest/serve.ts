/**
 * A collateral server: the items of a bundle under the paths of the vendors' services. For test networks, for tests of the
 * whole way over HTTP, and for machines without a way to the vendors. It proves nothing and is asked to prove nothing.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  type CollateralBundle,
  type CollateralItem,
  type OcspRequest,
  parseOcspRequest,
  wantOfItem,
} from '../tee/index.ts'
import { toBase64, toHex } from '../util/index.ts'
import { requestFor } from './vendors.ts'

export interface CollateralServer {
  readonly url: string
  close(): Promise<void>
}

export interface ServeOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** Asked for every request. */
  readonly bundle: () => CollateralBundle
  /** Told about every request. */
  readonly onRequest?: (path: string, status: number) => void
}

/** Rejects with the system's error when the port cannot be had. */
export async function serveCollateral({ host, port, bundle, onRequest }: ServeOptions): Promise<CollateralServer> {
  const server = createServer((request, response) => {
    const path = request.url ?? '/'
    const tell = (status: number): void => onRequest?.(path, status)
    if (request.method !== 'POST') return tell(answer(request, response, bundle(), path))
    readQuestion(request).then(
      (question) => tell(reply(response, question === null ? undefined : itemFor(question, bundle()))),
      () => response.destroy(),
    )
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const { port: bound } = server.address() as AddressInfo
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Any base: only the path behind it is compared. */
const BASE = 'http://collateral'
const SERVERS = { intel: BASE, amd: BASE, nvidia: BASE, nvidiaOcsp: null }

function answer(request: IncomingMessage, response: ServerResponse, { items }: CollateralBundle, path: string): number {
  request.resume()
  const found = request.method === 'GET' ? items.filter((item) => pathOf(item) === path) : []
  return reply(response, newestOf(found))
}

const newestOf = (found: readonly CollateralItem[]): CollateralItem | undefined =>
  found.toSorted((a, b) => b.validFromMs - a.validFromMs)[0]

function reply(response: ServerResponse, item: CollateralItem | undefined): number {
  if (item === undefined) {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('not in this bundle\n')
    return 404
  }
  const { body, headers } = replyOf(item)
  response.writeHead(200, headers).end(body)
  return 200
}

function pathOf(item: CollateralItem): string | null {
  const asked = requestFor(wantOfItem(item), SERVERS)
  return asked === null ? null : asked.url.slice(BASE.length)
}

/** What a responder is asked has some 200 bytes. */
const MAX_QUESTION_BYTES = 1024

/** Null for what is no question. Rejects when the connection breaks. */
async function readQuestion(request: IncomingMessage): Promise<OcspRequest | null> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes <= MAX_QUESTION_BYTES) parts.push(part)
  }
  try {
    return bytes > MAX_QUESTION_BYTES ? null : parseOcspRequest(new Uint8Array(Buffer.concat(parts)))
  } catch {
    return null
  }
}

/** A recorded answer: whatever nonce the question has, it is not in it. */
const itemFor = ({ certId }: OcspRequest, { items }: CollateralBundle): CollateralItem | undefined =>
  newestOf(
    items.filter(
      ({ type, labels }) =>
        type === 'nvidia-ocsp' &&
        labels['serial'] === toHex(certId.serial) &&
        labels['issuerName'] === toHex(certId.issuerNameHash) &&
        labels['issuerKey'] === toHex(certId.issuerKeyHash),
    ),
  )

const CHAIN_HEADERS: Partial<Readonly<Record<CollateralItem['type'], string>>> = {
  'intel-tcb-info': 'TCB-Info-Issuer-Chain',
  'intel-qe-identity': 'SGX-Enclave-Identity-Issuer-Chain',
  'intel-pck-crl': 'SGX-PCK-CRL-Issuer-Chain',
}

function replyOf({ type, body, issuerChain }: CollateralItem): {
  readonly body: Uint8Array | string
  readonly headers: Readonly<Record<string, string>>
} {
  const name = CHAIN_HEADERS[type]
  const chain =
    name === undefined || issuerChain === null
      ? {}
      : { [name]: encodeURIComponent(new TextDecoder('latin1').decode(issuerChain)) }
  if (type === 'nvidia-ocsp') return { body, headers: { 'content-type': 'application/ocsp-response' } }
  if (type === 'nvidia-manifest')
    return { body: JSON.stringify({ rim: toBase64(body) }), headers: { 'content-type': 'application/json' } }
  return { body, headers: { 'content-type': 'application/octet-stream', ...chain } }
}
