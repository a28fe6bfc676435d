/** Who a node is on its next connection: a key, a certificate and evidence, made anew every hour. */
import { randomBytes } from 'node:crypto'
import {
  type Clock,
  CocoonError,
  equalBytes,
  type Log,
  systemClock,
  type Timer,
  toCocoonError,
} from '../../util/index.ts'
import { teeError } from '../errors.ts'
import type { EvidenceKind } from '../policy/evidence.ts'
import { parseDcapQuote, parseSnpReport } from '../quote/index.ts'
import { collectGpusFor, type GpuSource } from '../source/gpu-command.ts'
import type { EvidenceSource, SourcedEvidence } from '../source/source.ts'
import { readPem } from '../x509/pem.ts'
import { certify, createCertificate, createNodeKey, endOfCertificate, type NodeCertificate } from './create.ts'
import { MAX_QUOTE_BYTES } from './rules.ts'

export interface NodeIdentity {
  /** The pair for the next connection. Open connections keep theirs. */
  current(): NodeCertificate
}

export interface IdentityOptions {
  readonly evidence: EvidenceKind
  readonly clock?: Clock
  /** Secure random bytes. */
  readonly random?: (count: number) => Uint8Array
  /** A new key and certificate after this long. */
  readonly renewAfterMs?: number
}

/** As often as the reference: what a stolen key is good for. */
export const DEFAULT_RENEW_AFTER_MS = 3_600_000

/** For test networks: a certificate that renews itself when it is asked for, so that no timer is needed. */
export function createIdentity(options: IdentityOptions): NodeIdentity {
  const { evidence, clock = systemClock, random = randomBytes, renewAfterMs = DEFAULT_RENEW_AFTER_MS } = options
  let pair: NodeCertificate | null = null
  let madeMs = 0
  return {
    current() {
      const nowMs = clock.now()
      // Also when the clock was set back: the certificate would not be valid yet.
      if (pair === null || Math.abs(nowMs - madeMs) >= renewAfterMs) {
        pair = createCertificate({ evidence, nowMs, random })
        madeMs = nowMs
      }
      return pair
    },
  }
}

export interface EvidencedIdentity extends NodeIdentity {
  status(): IdentityStatus
  /** Stops renewing. */
  close(): void
}

export interface IdentityStatus {
  readonly evidence: SourcedEvidence['kind']
  /** Where the evidence comes from, for people. */
  readonly source: string
  /** Null where none are shown. */
  readonly gpus: { readonly source: string; readonly count: number } | null
  readonly madeAt: string
  /** Peers refuse the certificate from then on. */
  readonly notAfter: string
  /** Why it could not be renewed; null while renewing works. */
  readonly failure: { readonly at: string; readonly code: string; readonly reason: string } | null
}

export interface EvidencedIdentityOptions {
  readonly source: EvidenceSource
  /** Evidence of GPUs over every new key; absent where the node shows none. */
  readonly gpus?: GpuSource
  /** What the node says of itself; absent where it says nothing. */
  readonly stated?: Stated
  readonly clock: Clock
  readonly log: Log
  /** Secure random bytes. */
  readonly random: (count: number) => Uint8Array
  readonly renewAfterMs?: number
  /** Ends the first attempt. */
  readonly signal?: AbortSignal
}

/** Words of the operator, which nobody certifies. */
export interface Stated {
  readonly provider?: string | null
  readonly region?: string | null
}

/** A renewal that failed is tried again after this, then after twice as long, up to the longest. */
const RETRY_MS = { first: 60_000, longest: 600_000 }
/** Hardware answers in seconds or not at all. */
const QUOTE_TIMEOUT_MS = 60_000

/**
 * Resolves with the first certificate. Later ones are made in the background, so that a connection never waits for hardware;
 * while that fails the old one stays, until peers refuse it. Rejects with `attestation.evidence-source`.
 */
export async function openIdentity(options: EvidencedIdentityOptions): Promise<EvidencedIdentity> {
  const { source, gpus, stated = {}, clock, log, random, renewAfterMs = DEFAULT_RENEW_AFTER_MS } = options
  const closing = new AbortController()
  let failure: IdentityStatus['failure'] = null
  let timer: Timer | undefined
  let retryMs = RETRY_MS.first

  async function make(signal: AbortSignal): Promise<{ pair: NodeCertificate; madeMs: number; gpuCount: number }> {
    const key = createNodeKey(random)
    const slow = new AbortController()
    const late = clock.after(QUOTE_TIMEOUT_MS, () =>
      slow.abort(teeError('attestation.evidence-source', { source: source.description, timeoutMs: QUOTE_TIMEOUT_MS })),
    )
    try {
      const stop = AbortSignal.any([signal, slow.signal])
      const evidence = verifyOwn(await source.quote(key.reportData, stop), key.reportData)
      const found = gpus === undefined ? null : await collectGpusFor(gpus, key.publicKey, stop)
      const proofs = found?.map(({ report, certificates }) => ({ report, certificates: readPem(certificates) })) ?? null
      const madeMs = clock.now()
      const { provider = null, region = null } = stated
      const isSilent = proofs === null && provider === null && region === null
      const claimed = isSilent ? null : { gpus: proofs ?? [], provider, region }
      return { pair: certify(key, evidence, madeMs, random, claimed), madeMs, gpuCount: proofs?.length ?? 0 }
    } finally {
      late.cancel()
    }
  }

  async function renew(): Promise<void> {
    try {
      made = await make(closing.signal)
      failure = null
      retryMs = RETRY_MS.first
      timer = clock.after(renewAfterMs, startRenewal)
      log.debug('the certificate is renewed', { evidence: source.kind })
    } catch (error) {
      if (closing.signal.aborted) return
      const why = toCocoonError(error)
      failure = { at: isoOf(clock.now()), code: why.code, reason: why.message }
      log.warn('the certificate could not be renewed; trying again', {
        code: why.code,
        reason: why.message,
        notAfter: isoOf(endOfCertificate(made.madeMs)),
        pauseMs: retryMs,
      })
      timer = clock.after(retryMs, startRenewal)
      retryMs = Math.min(2 * retryMs, RETRY_MS.longest)
    }
  }
  const startRenewal = (): void => void renew()

  let made = await make(options.signal ?? closing.signal)
  timer = clock.after(renewAfterMs, startRenewal)
  return {
    current: () => made.pair,
    status: () => ({
      evidence: source.kind,
      source: source.description,
      gpus: gpus === undefined ? null : { source: gpus.description, count: made.gpuCount },
      madeAt: isoOf(made.madeMs),
      notAfter: isoOf(endOfCertificate(made.madeMs)),
      failure,
    }),
    close() {
      closing.abort(new CocoonError('protocol.aborted', { message: 'the node is closing' }))
      timer?.cancel()
    },
  }
}

/** What a source gives is used only if it was made for our key. Padding that kernels add is cut. */
function verifyOwn(evidence: SourcedEvidence, reportData: Uint8Array): SourcedEvidence {
  if (evidence.kind === 'sev-snp') {
    if (!equalBytes(parseSnpReport(evidence.report).reportData, reportData)) throw notOurs()
    return evidence
  }
  const { body, quoteBytes } = parseDcapQuote(evidence.quote)
  if (body.tee !== 'tdx' || !equalBytes(body.report.reportData, reportData)) throw notOurs()
  if (quoteBytes > MAX_QUOTE_BYTES) throw teeError('attestation.quote-too-large', { bytes: quoteBytes })
  return { kind: 'tdx', quote: evidence.quote.subarray(0, quoteBytes) }
}

const notOurs = (): CocoonError => teeError('attestation.evidence-source', { found: 'evidence over other report data' })
const isoOf = (ms: number): string => new Date(ms).toISOString()
