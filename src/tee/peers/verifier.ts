/**
 * Judging the peers of a node: certificate, evidence, policy, in the transport's handshake and for as long as a connection is
 * open. A verdict falls when collateral, registry or time take away what it stands on. Source: docs/attestation.md, "Peers".
 */
import { createHash } from 'node:crypto'
import { type Clock, CocoonError, fromHex, type Log, toCocoonError, toHex } from '../../util/index.ts'
import {
  type Assessment,
  type AssessOptions,
  concludeCertificate,
  DcapCollateralMemory,
  deservesCollateral,
  examineShownEvidence,
  isExaminedAtOnce,
  examineClaims,
  type Findings,
  type GpuFindings,
  type GpuOptions,
  type ShownCertificate,
  type TrustedRoots,
  wantsOfCertificate,
} from '../assess/index.ts'
import { readShownCertificate } from '../assess/certificate-now.ts'
import { isCertifiedGpu, isSupplied, wantsOfGpu } from '../collateral/index.ts'
import type { JudgeContext, Policy } from '../policy/index.ts'
import { canonicalPolicy } from '../policy/schema.ts'
import { type GpuProof, parseClaims, type SignedClaims } from '../quote/index.ts'
import type { GpuFacts } from '../verify/nvidia/index.ts'
import { OID } from '../ratls/oids.ts'
import type { TlsRole } from '../ratls/rules.ts'
import { nodeVerifyCrypto } from '../x509/crypto-node.ts'
import type { CollateralSupply } from './collateral-supply.ts'
import { EvidenceMemory } from './evidence-memory.ts'
import { createHeldVerdicts, type Standing } from './held-verdicts.ts'
import { type PeerRecord, PeerRecords, reasonOf } from './records.ts'

/** Image hashes that the network allows for the peers that are judged here; lower-case hex. */
export interface AllowedImages {
  /** Throws while the registry has no answer: then nobody is accepted. */
  current(): ReadonlySet<string>
  subscribe(listener: () => void): () => void
}

export interface PeerVerifierDeps {
  readonly clock: Clock
  readonly log: Log
  readonly collateral: CollateralSupply
  readonly images: AllowedImages
}

export interface PeerVerifierOptions {
  readonly policy: Policy
  /** What the network's configuration asks of its peers. */
  readonly networkEvidence: JudgeContext['networkEvidence']
  /** Other than the vendors', which only a test network may name. */
  readonly testRoots?: TrustedRoots
  /** Peers may show GPUs after the handshake: whoever uses a peer asks its `claims` first. */
  readonly takesClaims?: boolean
  /** `document`: somebody else tells about the peer, which has shown nothing to us. Default: it is at the other end. */
  readonly about?: JudgeContext['about']
}

export interface JudgedPeer {
  readonly publicKey: Uint8Array
  readonly evidence: 'verified' | 'simulated'
  readonly imageHash: Uint8Array | null
  readonly assessment: Assessment
  readonly standing: Standing
  /** Only where the verifier takes claims, and the connection can carry them. */
  readonly claims?: PeerClaims
}

/** What the transport calls a `ClaimsJudge`. */
export interface PeerClaims {
  /** Why the peer must not be used without them; null where it may be. */
  missing(): CocoonError | null
  judge(claims: SignedClaims, signal: AbortSignal): Promise<{ readonly gpus: readonly ShownGpu[] }>
}

export interface ShownGpu {
  readonly chip: string
  readonly driver: string | null
  readonly vbios: string
  readonly mode: string
}

export interface PeerVerifierStatus {
  readonly policy: { readonly name: string; readonly sha256: string }
  readonly allowedImages: number | null
  readonly memory: { readonly entries: number; readonly hits: number; readonly misses: number }
  /** Newest last. */
  readonly accepted: readonly PeerRecord[]
  readonly refused: readonly PeerRecord[]
}

export interface PeerVerifier {
  /** At once when the evidence is remembered, simulated or absent. Throws or rejects with `attestation.*` and `chain.*`. */
  verify(der: Uint8Array, role: TlsRole, nowMs: number, asking: Asking): JudgedPeer | Promise<JudgedPeer>
  status(): PeerVerifierStatus
  /** Watches nothing any more; open connections stay. */
  close(): void
}

/** What the transport calls a `VerdictRequest`. */
export interface Asking {
  readonly remote: string
  readonly signal: AbortSignal
  readonly extended?: boolean
}

/** One judged certificate, with what was claimed beside it on one connection. */
interface Subject {
  readonly der: Uint8Array
  readonly role: TlsRole
  readonly remote: string
  /** SHA-256 of the certificate, hex. */
  readonly certificate: string
  readonly evidenceKey: string
  readonly shown: ShownCertificate
  /** Null before it claimed anything. */
  claimed: { readonly by: SignedClaims; readonly key: string } | null
  /** It can still claim. */
  readonly mayClaim: boolean
}

const HOUR_MS = 3_600_000

export function createPeerVerifier(deps: PeerVerifierDeps, options: PeerVerifierOptions): PeerVerifier {
  const { clock, log, collateral, images } = deps
  const { policy } = options
  const memory = new EvidenceMemory<Findings>()
  const gpuMemory = new EvidenceMemory<GpuFindings>()
  const records = new PeerRecords()
  const collateralMemory = new DcapCollateralMemory()
  const examining = new Map<string, Promise<Findings>>()
  const examiningGpus = new Map<string, Promise<GpuFindings>>()
  const policySha256 = toHex(createHash('sha256').update(canonicalPolicy(policy)).digest())
  /** Grows with every change of collateral or registry: a verdict of an earlier one is looked at again. */
  let generation = 0
  let collateralEdition = 0

  const assessOptions = (nowMs: number, claimsMayFollow = false): AssessOptions => ({
    crypto: nodeVerifyCrypto,
    bundle: collateral.current(),
    policy,
    eventLog: null,
    context: {
      nowMs,
      allowedImageHashes: images.current(),
      networkEvidence: options.networkEvidence,
      about: options.about ?? 'peer',
      claimsMayFollow,
    },
    ...(options.testRoots === undefined ? {} : { roots: options.testRoots }),
    collateralMemory,
  })

  /** What is known of the evidence, or a promise of it. Peers that show the same at the same time wait for one examination. */
  function findingsOf({ shown, evidenceKey }: Subject, nowMs: number): Findings | Promise<Findings> {
    if (isExaminedAtOnce(shown)) return examineShownEvidence(shown, assessOptions(nowMs))
    const known = memory.get(evidenceKey, nowMs)
    if (known !== null) return known.found
    const running = examining.get(evidenceKey)
    if (running !== undefined) return running
    const examined = examine(shown, evidenceKey).finally(() => examining.delete(evidenceKey))
    examining.set(evidenceKey, examined)
    return examined
  }

  async function examine(shown: ShownCertificate, evidenceKey: string): Promise<Findings> {
    const missing = wantsOfCertificate(shown).filter((want) => !isSupplied(collateral.current(), want, clock.now()))
    if (missing.length > 0 && (await deservesCollateral(shown, assessOptions(clock.now()))))
      await collateral.supply(missing, clock.now())
    for (;;) {
      const before = collateralEdition
      const found = await examineShownEvidence(shown, assessOptions(clock.now()))
      if (before !== collateralEdition) continue
      memory.set(evidenceKey, found, clock.now())
      return found
    }
  }

  /** The same for GPUs that were claimed. */
  function gpuFindingsOf({ shown, claimed }: Subject, nowMs: number): GpuFindings | Promise<GpuFindings> | null {
    if (claimed === null) return null
    const known = gpuMemory.get(claimed.key, nowMs)
    if (known !== null) return known.found
    const running = examiningGpus.get(claimed.key)
    if (running !== undefined) return running
    const { by, key } = claimed
    const examined = examineGpus(by, shown, key).finally(() => examiningGpus.delete(key))
    examiningGpus.set(key, examined)
    return examined
  }

  async function examineGpus(by: SignedClaims, { certificate }: ShownCertificate, key: string): Promise<GpuFindings> {
    const gpuOptions = (): GpuOptions => ({ ...assessOptions(clock.now()), nowMs: clock.now() })
    const proofs = await certifiedGpus(by, gpuOptions())
    // Whose certificates manifests have shows when the manifests are there.
    for (let round = 0; round < 2; round++) {
      const wants = await Promise.all(proofs.map((one) => wantsOfGpu(nodeVerifyCrypto, one, collateral.current())))
      await collateral.supply(wants.flat(), clock.now())
    }
    for (;;) {
      const before = collateralEdition
      const found = await examineClaims(by, certificate, gpuOptions())
      if (before !== collateralEdition) continue
      gpuMemory.set(key, found, clock.now())
      return found
    }
  }

  /** What a peer claims on an open connection, judged together with its evidence; from then on the verdict stands on both. */
  async function judgeClaims(subject: Subject, by: SignedClaims, signal: AbortSignal): Promise<readonly ShownGpu[]> {
    const since = generation
    const { claimed } = subject
    if (claimed !== null) throw new CocoonError('protocol.out-of-turn', { message: 'claims were sent twice' })
    subject.claimed = { by, key: claimsKeyOf(subject.shown, by) }
    const [found, gpus] = await unlessAborted(
      Promise.all([findingsOf(subject, clock.now()), gpuFindingsOf(subject, clock.now())]),
      signal,
    )
    const nowMs = clock.now()
    const assessment = concludeCertificate(subject.shown, found, assessOptions(nowMs), gpus)
    const isRefused = assessment.outcome === 'refused'
    record(subject, assessment, nowMs, isRefused)
    if (isRefused) throw refusalOf(assessment)
    held.changed(subject)
    if (since !== generation) held.judgeAll()
    return (gpus?.facts ?? []).map(shownGpu)
  }

  /** The verdict on a peer that claims nothing more. */
  function missingOf(subject: Subject, found: Findings): CocoonError | null {
    const nowMs = clock.now()
    const assessment = concludeCertificate(subject.shown, found, assessOptions(nowMs))
    if (assessment.outcome !== 'refused') return null
    record(subject, assessment, nowMs, true)
    return refusalOf(assessment)
  }

  /** Throws when the policy refuses. */
  function settle(subject: Subject, found: Findings, since: number): JudgedPeer {
    const nowMs = clock.now()
    const assessment = concludeCertificate(subject.shown, found, assessOptions(nowMs, subject.mayClaim))
    record(subject, assessment, nowMs)
    if (assessment.outcome === 'refused') throw refusalOf(assessment)
    const { imageHash } = assessment.facts
    return {
      publicKey: subject.shown.shown.publicKey,
      evidence: assessment.outcome,
      imageHash: typeof imageHash === 'string' ? fromHex(imageHash) : null,
      assessment,
      standing: {
        onLost: (lost) => held.hold(subject, lost, since !== generation),
      },
      ...(subject.mayClaim
        ? {
            claims: {
              missing: () => missingOf(subject, found),
              judge: async (by: SignedClaims, signal: AbortSignal) => ({
                gpus: await judgeClaims(subject, by, signal),
              }),
            },
          }
        : {}),
    }
  }

  function record({ certificate, remote }: Subject, assessment: Assessment, nowMs: number, wasOpen = false): void {
    const isNews = records.add(certificate, remote, assessment, nowMs, wasOpen)
    if (assessment.outcome !== 'refused' || !isNews) return
    log.warn(wasOpen ? 'an open connection no longer satisfies the policy' : 'a peer is refused', {
      remote,
      certificate,
      code: assessment.code,
      reason: reasonOf(assessment),
      policy: policy.name,
    })
  }

  function endOf(subject: Subject): number {
    const { shown, evidenceKey, claimed } = subject
    const { notBeforeMs, notAfterMs } = shown.certificate
    // Certificates end with the moment that they name.
    const certificateMs = Math.min(notAfterMs - 1, notBeforeMs + policy.maxCertificateAgeHours * HOUR_MS)
    const gpusMs = claimed === null ? certificateMs : (gpuMemory.peek(claimed.key)?.untilMs ?? 0)
    if (isExaminedAtOnce(shown)) return Math.min(certificateMs, gpusMs)
    return Math.min(certificateMs, gpusMs, memory.peek(evidenceKey)?.untilMs ?? 0)
  }

  /** For an open connection: null while the verdict holds. */
  async function judgeAgain(subject: Subject): Promise<CocoonError | null> {
    try {
      const { shown, refused } = readShownCertificate(subject.der, subject.role, assessOptions(clock.now()))
      const found = shown === null ? null : await findingsOf(subject, clock.now())
      const gpus = await gpuFindingsOf(subject, clock.now())
      const nowMs = clock.now()
      const options = assessOptions(nowMs, subject.mayClaim && subject.claimed === null)
      const assessment = found === null || shown === null ? refused : concludeCertificate(shown, found, options, gpus)
      if (assessment?.outcome !== 'refused') return null
      record(subject, assessment, nowMs, true)
      return refusalOf(assessment)
    } catch (error) {
      const why = toCocoonError(error)
      // A registry without an answer lets nobody in; it is no reason to drop who was let in while it had one.
      if (why.family === 'chain') return null
      throw why
    }
  }

  const held = createHeldVerdicts<Subject>({ clock, log, judgeAgain, endOf })
  const changed = (): void => {
    generation++
    held.judgeAll()
  }
  const unsubscribe = [
    collateral.subscribe(() => {
      memory.clear()
      gpuMemory.clear()
      collateralEdition++
      changed()
    }),
    images.subscribe(changed),
  ]

  return {
    verify(der, role, nowMs, { remote, signal, extended = false }) {
      const since = generation
      const certificate = toHex(createHash('sha256').update(der).digest())
      const { shown, refused } = readShownCertificate(der, role, assessOptions(nowMs))
      if (shown === null) {
        records.add(certificate, remote, refused, nowMs)
        throw refusalOf(refused)
      }
      const subject: Subject = {
        ...{ der: Uint8Array.from(der), role, remote, certificate, evidenceKey: evidenceKeyOf(shown), shown },
        claimed: null,
        mayClaim: extended && options.takesClaims === true,
      }
      const found = findingsOf(subject, nowMs)
      if (!(found instanceof Promise)) return settle(subject, found, since)
      return unlessAborted(found, signal).then((late) => settle(subject, late, since))
    },
    status: () => ({
      policy: { name: policy.name, sha256: policySha256 },
      allowedImages: allowedOrNull(images),
      memory: { entries: memory.size, hits: memory.hits, misses: memory.misses },
      accepted: records.accepted,
      refused: records.refused,
    }),
    close() {
      for (const stop of unsubscribe) stop()
      held.close()
    },
  }
}

/** What examining depends on: the key, and every byte of evidence. */
function evidenceKeyOf({ shown, certificate }: ShownCertificate): string {
  const hash = createHash('sha256').update(shown.publicKey)
  for (const { oid, value } of certificate.extensions)
    if (EVIDENCE_EXTENSIONS.has(oid)) hash.update(`${oid} ${value.length} `).update(value)
  return hash.digest('hex')
}

const EVIDENCE_EXTENSIONS: ReadonlySet<string> = new Set([OID.tdxQuote, OID.sevReportData, OID.sevReport, OID.sevVcek])

/** What examining claims depends on: the key, and every byte of them. */
const claimsKeyOf = ({ shown }: ShownCertificate, { claims, signature }: SignedClaims): string =>
  createHash('sha256').update(shown.publicKey).update(signature).update(claims).digest('hex')

/** Those that NVIDIA's root has certified: for others nothing is fetched. Empty for what cannot be read. */
async function certifiedGpus({ claims }: SignedClaims, { crypto, roots }: GpuOptions): Promise<readonly GpuProof[]> {
  let gpus: readonly GpuProof[]
  try {
    ;({ gpus } = parseClaims(claims))
  } catch {
    return []
  }
  const are = await Promise.all(gpus.map((one) => isCertifiedGpu(crypto, one, roots?.nvidiaDevices)))
  return gpus.filter((_, i) => are[i])
}

const shownGpu = ({ chip, driverVersion, vbiosVersion, feature }: GpuFacts): ShownGpu => ({
  chip: chip ?? 'unknown',
  driver: driverVersion,
  vbios: vbiosVersion,
  mode: feature ?? 'unstated',
})

/** The code and the words of the first check that failed, with what it looked at. */
function refusalOf(assessment: Assessment): CocoonError {
  const first = assessment.groups.flatMap((group) => group.checks).find((check) => check.outcome === 'failed')
  return new CocoonError(assessment.code ?? 'bug.check-without-code', {
    ...first?.inputs,
    check: first?.id,
    message: reasonOf(assessment),
  })
}

function allowedOrNull(images: AllowedImages): number | null {
  try {
    return images.current().size
  } catch {
    return null
  }
}

/** The work goes on for others who wait for it. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) return Promise.reject(toCocoonError(signal.reason, 'protocol.aborted'))
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(toCocoonError(signal.reason, 'protocol.aborted'))
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
