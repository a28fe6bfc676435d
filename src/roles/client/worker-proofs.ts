/**
 * Who works behind a proxy, by what the workers proved: asked of proxies on extended connections, and judged here, so that nothing rests on
 * the proxy's word but who is connected to it. For `/status`.
 */
import { decode, encode, x1GetWorkerProof, x1GetWorkers, x1WorkerProof, x1Workers } from '../../tl/index.ts'
import { type Connection, proofId, type SignedClaims } from '../../transport/index.ts'
import { copyBytes, type Clock, CocoonError, equalBytes, type Log, type Timer, toHex } from '../../util/index.ts'

export interface JudgedWorker {
  /** SHA-256 over what it proved, hex. */
  readonly id: string
  readonly model: string
  readonly evidence: 'verified' | 'simulated' | 'none' | 'refused'
  readonly code: string | null
  readonly reason: string | null
  readonly gpus: readonly { readonly chip: string; readonly driver: string | null; readonly vbios: string }[] | null
}

/** Judges what a worker proved to a proxy. */
export type WorkerJudge = (
  worker: {
    readonly certificate: Uint8Array
    readonly claims: SignedClaims | null
  },
  signal: AbortSignal,
) => Promise<Omit<JudgedWorker, 'id' | 'model'>>

export interface WorkerProofs {
  /** Begins asking; does nothing on a connection that cannot carry it. */
  start(): void
  readonly workers: readonly JudgedWorker[]
  close(): void
}

const QUERY_TIMEOUT_MS = 15_000
/** How often a proxy is asked, and sooner as long as nobody works behind it. */
const AGAIN_MS = { some: 60_000, none: 10_000 }
/** Judged in one round: signatures of eight GPUs cost a second. */
const MAX_PER_ROUND = 8
/** Of one proxy; more than that is shown by nobody's `/status`. */
const MAX_WORKERS = 256

export function createWorkerProofs(
  connection: Connection,
  { clock, log, judge }: { readonly clock: Clock; readonly log: Log; readonly judge: WorkerJudge },
): WorkerProofs {
  const closing = new AbortController()
  const verdicts = new Map<string, Omit<JudgedWorker, 'id' | 'model'>>()
  let workers: readonly JudgedWorker[] = []
  let timer: Timer | undefined

  async function look(): Promise<void> {
    const answer = await connection.query(encode(x1GetWorkers, {}), { timeoutMs: QUERY_TIMEOUT_MS })
    // The bytes are the connection's: names and ids are copied out at once.
    const listed = decode(x1Workers, copyBytes(answer)).workers.slice(0, MAX_WORKERS)
    for (const known of verdicts.keys()) if (!listed.some(({ id }) => toHex(id) === known)) verdicts.delete(known)
    const unknown = listed.filter(({ id }) => !verdicts.has(toHex(id))).slice(0, MAX_PER_ROUND)
    for (const { id } of unknown) {
      const verdict = await judgeOne(id)
      if (verdict !== null) verdicts.set(toHex(id), verdict)
    }
    workers = listed.flatMap(({ id, model }) => {
      const verdict = verdicts.get(toHex(id))
      return verdict === undefined ? [] : [{ id: toHex(id), model, ...verdict }]
    })
  }

  /** Null for one that has gone in the meantime. */
  async function judgeOne(id: Uint8Array): Promise<Omit<JudgedWorker, 'id' | 'model'> | null> {
    const answer = await connection.query(encode(x1GetWorkerProof, { id }), { timeoutMs: QUERY_TIMEOUT_MS })
    const { certificate, claims, signature } = decode(x1WorkerProof, copyBytes(answer))
    if (certificate.length === 0) return null
    if (!equalBytes(proofId(certificate, { claims, signature }), id))
      throw new CocoonError('protocol.worker-proof', { message: 'the proxy shows another proof than it was asked for' })
    return judge({ certificate, claims: claims.length === 0 ? null : { claims, signature } }, closing.signal)
  }

  function again(): void {
    if (closing.signal.aborted) return
    look()
      .catch((error: unknown) =>
        log.debug('workers behind the proxy could not be looked at', { reason: String(error) }),
      )
      .finally(() => {
        if (!closing.signal.aborted) timer = clock.after(workers.length === 0 ? AGAIN_MS.none : AGAIN_MS.some, again)
      })
  }

  return {
    start() {
      if (connection.peer.extended && timer === undefined) again()
    },
    get workers() {
      return workers
    },
    close() {
      closing.abort(new CocoonError('protocol.lost', { message: 'the connection has ended' }))
      timer?.cancel()
    },
  }
}
