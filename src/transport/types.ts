/** The seams of the transport: who verifies a peer, what a connection offers, what a session gives it. */
import type { CocoonError } from '../util/index.ts'

/** What a node's certificate shows as evidence. `simulated` is never `verified`: it proves nothing. */
export type EvidenceLabel = 'none' | 'simulated' | 'verified'

/** Who is at the other end, known only after the TLS handshake has completed. */
export interface Peer {
  /** 32 raw bytes of the Ed25519 key that the certificate carries and the handshake proved. */
  readonly publicKey: Uint8Array
  readonly evidence: EvidenceLabel
  /** SHA-256 over the measurements; `null` when there is no evidence. The all-zero fake measurement for `simulated`. */
  readonly imageHash: Uint8Array | null
  /** `address:port` of the far side, for logs. */
  readonly remote: string
  /** True where both ends chose the ALPN protocol `cocoon-x1`. */
  readonly extended: boolean
  /** DER, as the handshake proved it. */
  readonly certificate?: Uint8Array
  /** Absent where nobody looks at what a peer claims beside its certificate. */
  readonly claims?: ClaimsJudge
  /** How the verdict came about: the verifier's own object, for `/status`; nobody here looks into it. */
  readonly assessment?: object
  /** Absent where the verdict holds as long as the connection does. */
  readonly standing?: Standing
}

/** A verdict that may stop holding while the connection is open. */
export interface Standing {
  /** Calls `lost` at most once and never from within this call, also when it is lost already. The result stops that. */
  onLost(lost: (why: CocoonError) => void): () => void
}

/** What a node proves beside its certificate. The form is the verifier's; nobody here looks into it. */
export interface SignedClaims {
  readonly claims: Uint8Array
  /** By the key of the certificate. */
  readonly signature: Uint8Array
}

/** Takes what a peer sends of that, on extended connections. */
export interface ClaimsJudge {
  /** Why the peer must not be used without them; null where it may be. */
  missing(): CocoonError | null
  /** Asked once for each connection. Rejects with `attestation.*`: the connection must be closed then. */
  judge(claims: SignedClaims, signal: AbortSignal): Promise<ClaimsVerdict>
}

/** Proven by the claims, for `/status`. */
export interface ClaimsVerdict {
  readonly gpus: readonly ProvenGpu[]
}

export interface ProvenGpu {
  /** `GH100` */
  readonly chip: string
  readonly driver: string | null
  readonly vbios: string
  /** `single`, or `unstated` by old drivers. */
  readonly mode: string
}

/** What a verifier finds out. */
export type PeerVerdict = Omit<Peer, 'remote' | 'extended' | 'certificate'>

/** Judges a peer's certificate. tee provides one per policy; transport only asks. */
export interface PeerVerifier {
  /**
   * At once where nothing has to be waited for. Throws or rejects with `attestation.*`; until then nothing of the peer is used.
   * @param der the one certificate the peer sent, whose key the handshake has proven
   * @param role what the peer is in this TLS handshake
   */
  verify(
    der: Uint8Array,
    role: 'server' | 'client',
    nowMs: number,
    asking: VerdictRequest,
  ): PeerVerdict | Promise<PeerVerdict>
}

export interface VerdictRequest {
  /** `address:port`, for logs and `/status`. */
  readonly remote: string
  /** Both ends chose the ALPN protocol `cocoon-x1`: the peer can show more than its certificate. */
  readonly extended?: boolean
  /** Fires when the verdict is no longer wanted: the peer has gone or the time for the handshake is over. */
  readonly signal: AbortSignal
}

/** Our own certificate and key, as PEM. Called per connection, so a renewed pair is used at once. */
export interface TlsIdentity {
  current(): {
    readonly certificatePem: string
    readonly privateKeyPem: string
    /** For the session to send where the connection is extended. */
    readonly claims?: SignedClaims | null
  }
}

/** An authenticated, framed connection after `tcp.connect`/`tcp.connected`. */
export interface Connection {
  readonly id: number
  readonly peer: Peer
  /** What our own identity of this connection claims; only the initiator's end knows. */
  readonly ownClaims?: SignedClaims | null
  readonly open: boolean
  /** True while what we wrote waits in memory above the high-water mark: stop producing until `drained`. */
  readonly congested: boolean
  /** Sends one boxed object as `tcp.packet`, copied before this returns. A message on a closed connection is dropped. */
  send(message: Uint8Array): void
  /** Calls once what was sent before has left this process, or never will: it survives what becomes of us. */
  afterSending(then: () => void): void
  /**
   * Sends one boxed object as `tcp.query`. Rejects with `protocol.refused` (info.remoteCode, info.message) on
   * `tcp.queryError`, `protocol.query-timeout`, or at once with the closing error when the connection ends.
   */
  query(message: Uint8Array, options: { readonly timeoutMs: number }): Promise<Uint8Array>
  /** Flushes what is queued, then closes. Idempotent. */
  close(why: CocoonError): void
}

/** Exactly one of the two, exactly once. Later calls are ignored. */
export interface Reply {
  answer(message: Uint8Array): void
  error(code: number, message: string): void
}

/** A session on a connection. Whatever one of these throws closes the connection with that error. */
export interface ConnectionHandler {
  /** A `tcp.packet`. The bytes are only valid during the call: copy what outlives it. */
  /** @returns `ignored` for one that means nothing to this session; it is counted */
  message(data: Uint8Array): void | 'ignored'
  /** A `tcp.query`. */
  query(data: Uint8Array, reply: Reply): void
  /** What was queued has been written: producing may go on. */
  drained?(): void
  /** Called once; no callback follows. */
  closed(why: CocoonError): void
}
