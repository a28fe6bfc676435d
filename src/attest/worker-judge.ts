/** Judging workers that a proxy tells a client about, by what they proved to the proxy: a client need not believe it. */
import type { NetworkVerifier } from '../tee/index.ts'
import { type Clock, toCocoonError } from '../util/index.ts'

export interface ShownWorker {
  /** DER. */
  readonly certificate: Uint8Array
  readonly claims: { readonly claims: Uint8Array; readonly signature: Uint8Array } | null
}

export interface WorkerVerdict {
  /** Never a plain yes: `simulated` and `none` prove nothing. */
  readonly evidence: 'verified' | 'simulated' | 'none' | 'refused'
  /** Null unless refused. */
  readonly code: string | null
  readonly reason: string | null
  /** Null where it showed none, or where this network looks at nobody's. */
  readonly gpus: readonly { readonly chip: string; readonly driver: string | null; readonly vbios: string }[] | null
}

export type WorkerJudge = (worker: ShownWorker, signal: AbortSignal) => Promise<WorkerVerdict>

/** Workers dial, so their certificates are clients' ones in TLS. @param verifier for documents: nobody has shown to hold a key */
export const createWorkerJudge =
  (verifier: NetworkVerifier, clock: Clock): WorkerJudge =>
  async ({ certificate, claims }, signal) => {
    try {
      const asking = { remote: 'behind a proxy', signal, extended: true }
      const peer = await verifier.verify(certificate, 'client', clock.now(), asking)
      const judge = 'claims' in peer ? peer.claims : undefined
      const gpus = claims === null || judge === undefined ? null : (await judge.judge(claims, signal)).gpus
      return { evidence: peer.evidence, code: null, reason: null, gpus }
    } catch (error) {
      const { code, message } = toCocoonError(error)
      return { evidence: 'refused', code, reason: message, gpus: null }
    }
  }
