/**
 * What a worker proves beside its certificate, on extended connections: taken before its first query is answered, kept to be shown to
 * clients, who need not believe a proxy. Source: docs/attestation.md, "GPUs of workers".
 */
import type { X1Claims } from '../../tl/index.ts'
import { type Connection, proofId, type ProvenGpu, type SignedClaims } from '../../transport/index.ts'
import { copyBytes, CocoonError, toCocoonError } from '../../util/index.ts'

/** What clients are shown. */
export interface WorkerProof {
  /** `proofId` of the other two. */
  readonly id: Uint8Array
  readonly certificate: Uint8Array
  /** Null where it claimed nothing. */
  readonly claims: SignedClaims | null
}

export interface ProofOfWorker {
  /** The worker's claims have come: exactly one of the two is called, later. Throws when they came before. */
  receive(message: X1Claims, accepted: () => void, refused: (why: CocoonError) => void): void
  /** Its queries wait until the claims are judged. */
  readonly isJudging: boolean
  /** Why the worker must not be used, as it is now; null where it may be. */
  missing(): CocoonError | null
  /** Null where it showed none. */
  readonly gpus: readonly ProvenGpu[] | null
  /** Null where its certificate was not kept. */
  shown(): WorkerProof | null
  close(): void
}

export function createProofOfWorker(connection: Connection): ProofOfWorker {
  const { certificate, claims: judge } = connection.peer
  const closing = new AbortController()
  let claims: SignedClaims | null = null
  let gpus: readonly ProvenGpu[] | null = null
  let isJudging = false
  /** Made when it is first asked for: every client asks, and claims of eight GPUs have 70 kB. */
  let shown: WorkerProof | null = null

  return {
    receive(message, accepted, refused) {
      if (isJudging || claims !== null)
        throw new CocoonError('protocol.out-of-turn', { message: 'claims were sent twice' })
      if (judge === undefined) return
      // The bytes are the connection's until this call returns.
      const sent = { claims: copyBytes(message.claims), signature: copyBytes(message.signature) }
      isJudging = true
      judge
        .judge(sent, closing.signal)
        .then(
          (verdict) => {
            isJudging = false
            ;[claims, gpus, shown] = [sent, verdict.gpus, null]
            accepted()
          },
          (error: unknown) => refused(toCocoonError(error)),
        )
        .catch((error: unknown) => connection.close(toCocoonError(error)))
    },
    get isJudging() {
      return isJudging
    },
    missing: () => (claims === null ? (judge?.missing() ?? null) : null),
    get gpus() {
      return gpus
    },
    shown() {
      if (certificate !== undefined) shown ??= { id: proofId(certificate, claims), certificate, claims }
      return shown
    },
    close: () => closing.abort(new CocoonError('protocol.lost', { message: 'the worker has gone' })),
  }
}
