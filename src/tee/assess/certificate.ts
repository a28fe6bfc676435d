/**
 * An RA-TLS certificate and the evidence in it, from DER to verdict, in three steps that callers may take apart. Browser-safe;
 * `certificate-now.ts` takes the first step without waiting, with Node's cryptography.
 */
import { CocoonError, equalBytes, toHex } from '../../util/index.ts'
import { teeError } from '../errors.ts'
import { type CollateralWant, isCertifiedPlatform, wantsOfQuote, wantsOfReport } from '../collateral/index.ts'
import type { SignedClaims } from '../quote/index.ts'
import { judgeEvidence, type KeyEvidence, NO_SURROUNDINGS, type Surroundings } from '../policy/index.ts'
import { OID } from '../ratls/oids.ts'
import { examineCertificate, keyEvidenceOf, spkiOf, type TlsRole } from '../ratls/rules.ts'
import { Checklist } from '../verify/checks.ts'
import { type Certificate, extensionOf, parseCertificate, readPem } from '../x509/index.ts'
import {
  type Assessment,
  type AssessOptions,
  attempt,
  attemptNow,
  type CheckGroup,
  conclude,
  type Findings,
} from './assessment.ts'
import { ASSESS_ERRORS } from './errors.ts'
import { examineClaims, type GpuFindings, sentenceOf, shownOf } from './gpu.ts'
import { examineQuote } from './quote.ts'
import { examineSnp } from './snp.ts'

/** What is known of how the certificate came: over a connection its holder has proven the key. */
export type CertificateRole = TlsRole | 'unknown'

/** A certificate that holds by itself; its evidence has not been looked at. */
export interface ShownCertificate {
  readonly shown: KeyEvidence
  readonly certificate: Certificate
  readonly around: Surroundings
  readonly group: CheckGroup
}

/** Throws nothing that certificate, evidence, claims or bundle could cause. @param claims what its owner showed beside it */
export async function assessCertificate(
  der: Uint8Array,
  role: CertificateRole,
  options: AssessOptions,
  claims: SignedClaims | null = null,
): Promise<Assessment> {
  const list = new Checklist()
  const roles = rolesOf(role)
  const verified = await attempt(list, 'certificate', () => verifyAs(roles, der, options))
  const { shown, refused } = presentCertificate(list, der, verified, options)
  if (shown === null) return refused
  const found = await examineShownEvidence(shown, options)
  const { certificate } = shown
  const gpus =
    claims === null ? null : await examineClaims(claims, certificate, { ...options, nowMs: options.context.nowMs })
  return concludeCertificate(shown, found, options, gpus)
}

/** A recorded certificate does not say which end it was; either role will do. */
export const rolesOf = (role: CertificateRole): readonly [TlsRole, TlsRole?] =>
  role === 'unknown' ? ['server', 'client'] : [role]

/** Whether a failure in one role says nothing about the other. */
export const isAboutRole = (error: unknown): boolean =>
  error instanceof CocoonError &&
  (error.code === 'attestation.certificate-name' || error.code === 'attestation.certificate-purpose')

async function verifyAs(
  [role, other]: readonly [TlsRole, TlsRole?],
  der: Uint8Array,
  options: AssessOptions,
): Promise<KeyEvidence> {
  const { crypto, context } = options
  let certificate: Certificate
  try {
    certificate = examineCertificate(der, role, context.nowMs)
  } catch (error) {
    if (other === undefined || !isAboutRole(error)) throw error
    return verifyAs([other], der, options)
  }
  const key = await crypto.importKey('ed25519', spkiOf(certificate))
  if (key === null || !(await key.verify(certificate.signature, certificate.tbs)))
    throw teeError('attestation.certificate-signature')
  return keyEvidenceOf(certificate, await crypto.sha512(certificate.key))
}

/** What the first step comes to. @param verified null when a check failed, which stands in the list then */
export function presentCertificate(
  list: Checklist,
  der: Uint8Array,
  verified: KeyEvidence | null,
  options: AssessOptions,
):
  | { readonly shown: ShownCertificate; readonly refused: null }
  | { readonly shown: null; readonly refused: Assessment } {
  const title = 'Certificate'
  if (verified === null) {
    const nothing = { shown: {}, facts: null, validUntilMs: null, proven: [], notProven: [] }
    const summary = `Certificate, ${der.length} bytes`
    const groups = [{ title, checks: list.checks }]
    return { shown: null, refused: conclude({ ...nothing, summary, evidence: 'unknown', groups }, options) }
  }
  const certificate = parseCertificate(der)
  const publicKey = toHex(verified.publicKey)
  const inputs = { publicKey, notBefore: isoOf(certificate.notBeforeMs), notAfter: isoOf(certificate.notAfterMs) }
  const words = { passed: 'The certificate is well formed, current and signed with its own key.', failed: '' }
  list.require('certificate', true, 'attestation.certificate-malformed', words, inputs)
  const around: Surroundings = {
    ...NO_SURROUNDINGS,
    certificate: {
      publicKey,
      notBeforeMs: certificate.notBeforeMs,
      notAfterMs: certificate.notAfterMs,
      expectedReportData: toHex(verified.reportData),
    },
  }
  return { shown: { shown: verified, certificate, around, group: { title, checks: list.checks } }, refused: null }
}

/**
 * The second step, the slow one: is the evidence genuine? What comes back depends on the key, the evidence, the bundle and the
 * time until `validUntilMs`, and not on the rest of the certificate, the policy or the registry.
 */
export function examineShownEvidence(
  { shown, certificate, around }: ShownCertificate,
  options: AssessOptions,
): Promise<Findings> | Findings {
  return examineEvidence(shown, certificate, around, options)
}

/** What the second step needs of what vendors publish. Throws nothing that the evidence could cause. */
export function wantsOfCertificate({
  shown: { evidence },
  certificate,
}: Pick<ShownCertificate, 'shown' | 'certificate'>): readonly CollateralWant[] {
  switch (evidence.kind) {
    case 'absent':
      return []
    case 'tdx':
      return wantsOfQuote(evidence.quote)
    case 'sev':
      return wantsOfReport(
        evidence.report,
        attemptNow(new Checklist(), 'leaf', () => leafOf(certificate)),
      )
  }
}

/** Whether it should be fetched for somebody who only says what hardware he has. */
export async function deservesCollateral(
  { shown: { evidence } }: ShownCertificate,
  { crypto, roots }: AssessOptions,
): Promise<boolean> {
  if (evidence.kind !== 'tdx') return evidence.kind === 'sev'
  return isCertifiedPlatform(evidence.quote, {
    crypto,
    ...(roots?.intel === undefined ? {} : { intelRoot: roots.intel }),
  })
}

/** The same for a certificate from a file, whatever it is worth. Empty for what is no certificate. */
export function wantsOfCertificateFile(der: Uint8Array): readonly CollateralWant[] {
  const shown = attemptNow(new Checklist(), 'certificate', () => {
    const certificate = parseCertificate(der)
    // Nothing is proven here, so that nothing has to be computed over the key.
    return { shown: keyEvidenceOf(certificate, new Uint8Array(64)), certificate }
  })
  return shown === null ? [] : wantsOfCertificate(shown)
}

/**
 * The last step: the policy, asked about this certificate at this time.
 * @param gpus what its owner showed beside it; null for nothing
 */
export function concludeCertificate(
  { shown: { publicKey }, around, group }: ShownCertificate,
  found: Findings,
  options: AssessOptions,
  gpus: GpuFindings | null = null,
): Assessment {
  const key = toHex(publicKey)
  const isPeer = options.context.about === 'peer'
  return conclude(
    {
      ...found,
      // The same evidence may have been examined for an earlier certificate of this key.
      facts:
        found.facts === null || gpus?.facts === null
          ? null
          : {
              ...found.facts,
              certificate: around.certificate,
              gpus: [...(gpus?.judged ?? [])],
              // What AMD certifies counts more than what a node says.
              provider: found.facts.provider ?? gpus?.stated.provider ?? null,
              region: found.facts.region ?? gpus?.stated.region ?? null,
            },
      summary: `RA-TLS certificate with ${found.summary}`,
      groups: [group, ...found.groups, ...(gpus?.groups ?? [])],
      shown: { publicKey: key, ...found.shown, ...(gpus?.facts ? shownOf(gpus.facts) : {}) },
      proven: [
        ...found.proven,
        ...(gpus?.facts ?? []).map(sentenceOf),
        ...(isPeer ? [`The peer holds the private key of ${key}.`] : []),
      ],
      notProven: isPeer
        ? found.notProven
        : ['That whoever sent this certificate holds its key: it was not a connection.', ...found.notProven],
    },
    options,
  )
}

/** Whether the second step needs neither collateral nor time: there is no evidence, or only its simulated form. */
export function isExaminedAtOnce({ shown: { evidence } }: ShownCertificate): boolean {
  switch (evidence.kind) {
    case 'absent':
      return true
    case 'tdx':
      return SIMULATED_QUOTE_BYTES.includes(evidence.quote.length)
    case 'sev':
      return isVersionless(evidence.report)
  }
}

/** A real report begins with its version. */
const isVersionless = (report: Uint8Array): boolean => report.subarray(0, 4).every((byte) => byte === 0)

/** Sizes of the simulated forms; real evidence never has them. */
const SIMULATED_QUOTE_BYTES: readonly number[] = [64, 496]

function examineEvidence(
  shown: KeyEvidence,
  certificate: Certificate,
  around: Surroundings,
  options: AssessOptions,
): Promise<Findings> | Findings {
  const { evidence } = shown
  switch (evidence.kind) {
    case 'absent':
      return noEvidence(around)
    case 'tdx':
      return SIMULATED_QUOTE_BYTES.includes(evidence.quote.length)
        ? examineSimulated(shown, around)
        : examineQuote(evidence.quote, around, options)
    case 'sev':
      return isVersionless(evidence.report)
        ? examineSimulated(shown, around)
        : examineSev(evidence, shown, certificate, around, options)
  }
}

async function examineSev(
  evidence: Extract<KeyEvidence['evidence'], { kind: 'sev' }>,
  { reportData }: KeyEvidence,
  certificate: Certificate,
  around: Surroundings,
  options: AssessOptions,
): Promise<Findings> {
  const list = new Checklist()
  const code = 'attestation.sev-certificate'
  list.require(
    'sev-report-data-extension',
    equalBytes(evidence.reportData, reportData),
    code,
    { passed: 'The report data beside the report are those of the key.', failed: ASSESS_ERRORS[code] },
    { stated: toHex(evidence.reportData) },
  )
  const leaf = await attempt(list, 'sev-chip-certificate', () => leafOf(certificate))
  const found = await examineSnp(evidence.report, leaf, around, options)
  return { ...found, groups: [{ title: 'SEV extensions', checks: list.checks }, ...found.groups] }
}

/** PEM or DER; null when there is none. */
function leafOf(certificate: Certificate): Uint8Array | null {
  const value = extensionOf(certificate, OID.sevVcek)
  if (value === null || value.length === 0) return null
  return value[0] === 0x2d ? (readPem(value)[0] ?? null) : Uint8Array.from(value)
}

const noEvidence = (around: Surroundings): Findings => ({
  summary: 'no evidence',
  evidence: 'none',
  groups: [],
  shown: {},
  facts: { kind: 'none', ...around },
  validUntilMs: null,
  proven: [],
  notProven: ['Anything about the machine or its software.'],
})

function examineSimulated(shown: KeyEvidence, around: Surroundings): Findings {
  const list = new Checklist()
  const judged = attemptNow(list, 'simulated-form', () => judgeEvidence({ accept: ['simulated'] }, shown))
  if (judged !== null)
    list.info('simulated-form', 'Hollow evidence of the agreed form, made for this key. Anybody can make it.')
  const imageHash = judged?.imageHash ?? null
  const group: CheckGroup = { title: 'Simulated evidence', checks: list.checks }
  return {
    summary: 'SIMULATED evidence',
    evidence: 'simulated',
    groups: [group],
    shown: imageHash === null ? {} : { imageHash: toHex(imageHash) },
    facts:
      imageHash === null
        ? null
        : { kind: 'simulated', imageHash: toHex(imageHash), reportData: toHex(shown.reportData), ...around },
    validUntilMs: null,
    proven: [],
    notProven: ['Anything about the machine or its software: anybody can make simulated evidence.'],
  }
}

const isoOf = (ms: number): string => new Date(ms).toISOString()
