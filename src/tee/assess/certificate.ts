/** An RA-TLS certificate and the evidence in it, from DER to verdict. Node only: Ed25519 and SHA-512 are Node's here. */
import { CocoonError, equalBytes, toHex } from '../../util/index.ts'
import { judgeEvidence, type KeyEvidence, NO_SURROUNDINGS, type Surroundings } from '../policy/index.ts'
import { OID } from '../ratls/oids.ts'
import { type TlsRole, verifyRatls } from '../ratls/verify.ts'
import { Checklist } from '../verify/checks.ts'
import { type Certificate, extensionOf, parseCertificate, readPem } from '../x509/index.ts'
import { type Assessment, type AssessOptions, attempt, type CheckGroup, conclude, type Findings } from './assessment.ts'
import { ASSESS_ERRORS } from './errors.ts'
import { examineQuote } from './quote.ts'
import { examineSnp } from './snp.ts'

/** What is known of how the certificate came: over a connection its holder has proven the key. */
export type CertificateRole = TlsRole | 'unknown'

/** Throws nothing that certificate, evidence or bundle could cause. */
export async function assessCertificate(
  der: Uint8Array,
  role: CertificateRole,
  options: AssessOptions,
): Promise<Assessment> {
  const list = new Checklist()
  const shown = await attempt(list, 'certificate', () => verifyAs(role, der, options.context.nowMs))
  if (shown === null)
    return conclude(
      {
        summary: `Certificate, ${der.length} bytes`,
        evidence: 'unknown',
        groups: [{ title: 'Certificate', checks: list.checks }],
        shown: {},
        facts: null,
        proven: [],
        notProven: [],
      },
      options,
    )
  const certificate = parseCertificate(der)
  const publicKey = toHex(shown.publicKey)
  const inputs = { publicKey, notBefore: isoOf(certificate.notBeforeMs), notAfter: isoOf(certificate.notAfterMs) }
  const words = { passed: 'The certificate is well formed, current and signed with its own key.', failed: '' }
  list.require('certificate', true, 'attestation.certificate-malformed', words, inputs)
  const around: Surroundings = {
    ...NO_SURROUNDINGS,
    certificate: {
      publicKey,
      notBeforeMs: certificate.notBeforeMs,
      notAfterMs: certificate.notAfterMs,
      expectedReportData: toHex(shown.reportData),
    },
  }
  const found = await examineEvidence(shown, certificate, around, options)
  const isPeer = options.context.about === 'peer'
  return conclude(
    {
      ...found,
      summary: `RA-TLS certificate with ${found.summary}`,
      groups: [{ title: 'Certificate', checks: list.checks }, ...found.groups],
      shown: { publicKey, ...found.shown },
      proven: [...found.proven, ...(isPeer ? [`The peer holds the private key of ${publicKey}.`] : [])],
      notProven: isPeer
        ? found.notProven
        : ['That whoever sent this certificate holds its key: it was not a connection.', ...found.notProven],
    },
    options,
  )
}

/** A recorded certificate does not say which end it was; either role will do. */
function verifyAs(role: CertificateRole, der: Uint8Array, nowMs: number): KeyEvidence {
  if (role !== 'unknown') return verifyRatls(der, role, nowMs)
  try {
    return verifyRatls(der, 'server', nowMs)
  } catch (error) {
    const isAboutRole =
      error instanceof CocoonError &&
      (error.code === 'attestation.certificate-name' || error.code === 'attestation.certificate-purpose')
    if (!isAboutRole) throw error
    return verifyRatls(der, 'client', nowMs)
  }
}

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
    case 'sev': {
      // A real report begins with its version.
      if (evidence.report.subarray(0, 4).every((byte) => byte === 0)) return examineSimulated(shown, around)
      return examineSev(evidence, shown, certificate, around, options)
    }
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
  proven: [],
  notProven: ['Anything about the machine or its software.'],
})

async function examineSimulated(shown: KeyEvidence, around: Surroundings): Promise<Findings> {
  const list = new Checklist()
  const judged = await attempt(list, 'simulated-form', () => judgeEvidence({ accept: ['simulated'] }, shown))
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
    proven: [],
    notProven: ['Anything about the machine or its software: anybody can make simulated evidence.'],
  }
}

const isoOf = (ms: number): string => new Date(ms).toISOString()
