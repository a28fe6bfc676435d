/**
 * TLS as the network speaks it: version 1.3, certificates on both sides, no names, no resumption. Node checks nothing
 * here (`rejectUnauthorized` is off, since it knows neither the evidence nor self-signed leaves); every check of the
 * certificate is the verifier's. Source: spec/transport.md, "TLS".
 */
import { constants } from 'node:crypto'
import type { Socket } from 'node:net'
import tls from 'node:tls'
import { transportError } from './errors.ts'
import type { Peer, PeerVerdict, PeerVerifier, TlsIdentity, VerdictRequest } from './types.ts'

/** Offered by our nodes: both ends may then use messages that the reference does not know. */
export const EXTENDED_ALPN = 'cocoon-x1'

const PARAMETERS = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384',
  sigalgs: 'ed25519',
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const satisfies tls.SecureContextOptions

const contextOptions = (pair: ReturnType<TlsIdentity['current']>): tls.SecureContextOptions => ({
  ...PARAMETERS,
  cert: pair.certificatePem,
  key: pair.privateKeyPem,
})

/** The initiator's end. `extended: false` behaves like the reference, which offers no ALPN. */
export function connectTls(socket: Socket, identity: TlsIdentity, extended: boolean): tls.TLSSocket {
  return tls.connect({
    socket,
    secureContext: tls.createSecureContext(contextOptions(identity.current())),
    rejectUnauthorized: false,
    // Never called with rejectUnauthorized off; named so that nobody takes the default for a check.
    checkServerIdentity: () => undefined,
    ...(extended ? { ALPNProtocols: [EXTENDED_ALPN] } : {}),
  })
}

export interface TlsAcceptor {
  /** Starts the handshake on a socket whose proof of work is done. */
  accept(socket: Socket): void
}

/** The acceptor's end: one context for all connections, made anew when the identity changes, not per connection. */
export function createTlsAcceptor(
  identity: TlsIdentity,
  extended: boolean,
  events: {
    /** The handshake is complete; the peer has not been judged. */
    secured(socket: tls.TLSSocket): void
    /** Called from within the handshake: the socket must not be destroyed before the next turn. */
    failed(error: Error, remote: string): void
  },
): TlsAcceptor {
  let pair = identity.current()
  const server = tls.createServer({
    ...contextOptions(pair),
    requestCert: true,
    rejectUnauthorized: false,
    ...(extended ? { ALPNProtocols: [EXTENDED_ALPN] } : {}),
  })
  server.on('secureConnection', (socket) => {
    afterHandshakeCall(socket, () => events.secured(socket))
  })
  server.on('tlsClientError', (error, socket) => events.failed(error, remoteOf(socket)))
  return {
    accept(socket) {
      const current = identity.current()
      if (current.certificatePem !== pair.certificatePem) {
        pair = current
        server.setSecureContext(contextOptions(pair))
      }
      // The documented way to hand a socket to a TLS server that does not listen itself.
      server.emit('connection', socket)
    },
  }
}

/**
 * Node emits the events of a handshake, and runs ticks and microtasks after them, from within OpenSSL's handshake call.
 * Destroying the socket under it there is a use after free that ends the process, and a peer could cause it at will. So
 * whatever judges a handshake runs in a turn of its own.
 */
export function afterHandshakeCall(socket: tls.TLSSocket, run: () => void): void {
  // Nobody else listens yet; an error in between shows as a destroyed socket.
  socket.on('error', () => {})
  setImmediate(run)
}

/**
 * Who is at the other end of a completed handshake: at once where the verifier knows at once. `role` is what the peer is in
 * it. What the peer sends until then stays unread in the socket, which takes no more than its buffer. Throws
 * `protocol.resumed`, `attestation.certificate-missing`, `attestation.certificate-chain`; throws or rejects as the verifier does.
 */
export function identifyPeer(
  socket: tls.TLSSocket,
  verifier: PeerVerifier,
  role: 'server' | 'client',
  nowMs: number,
  asking: VerdictRequest,
): Peer | Promise<Peer> {
  // A resumed session shows the old certificate without a new proof that the peer holds its key.
  if (socket.isSessionReused()) throw transportError('protocol.resumed')
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) throw transportError('attestation.certificate-missing')
  const issuer = certificate.issuerCertificate
  if (issuer !== undefined && !issuer.raw.equals(certificate.raw)) throw transportError('attestation.certificate-chain')
  const extended = socket.alpnProtocol === EXTENDED_ALPN
  const der = new Uint8Array(certificate.raw)
  const peerOf = (verdict: PeerVerdict): Peer => ({ ...verdict, certificate: der, remote: asking.remote, extended })
  const verdict = verifier.verify(certificate.raw, role, nowMs, { ...asking, extended })
  return verdict instanceof Promise ? verdict.then(peerOf) : peerOf(verdict)
}

/** `address:port` as people write it. */
export function remoteOf(socket: Socket): string {
  const address = socket.remoteAddress ?? 'unknown'
  return `${address.includes(':') ? `[${address}]` : address}:${socket.remotePort ?? 0}`
}
