/**
 * Whether NVIDIA still stands behind the certificates of a chain: its responder's answers about each of them. Browser-safe.
 * Source: spec/attestation-snp-gpu.md, "Revocation".
 */
import { CocoonError } from '../../../util/index.ts'
import { GPU_ERRORS } from '../../quote/nvidia-errors.ts'
import { type Certificate, type OcspResponse, parseOcspResponse } from '../../x509/index.ts'
import { subjectText } from '../chain.ts'
import type { Checklist, CheckInputs } from '../checks.ts'
import { examineOcsp, type OcspContext } from '../ocsp.ts'
import { OCSP_ERRORS, type OcspErrorCode } from '../ocsp-errors.ts'

/** A certificate that NVIDIA answers for, and who issued it. */
export interface Link {
  readonly certificate: Certificate
  readonly issuer: Certificate
}

export interface RevocationDemand {
  /** Id of the check. */
  readonly id: string
  /** Where one of these is revoked. */
  readonly revoked: 'attestation.gpu-revoked' | 'attestation.gpu-rim-revoked'
  readonly links: readonly Link[]
  /** DER, in any order; others may be among them. */
  readonly answers: readonly Uint8Array[]
  /** `if-given`: what nobody answered, or answered too long ago, is only stated. */
  readonly demand: 'required' | 'if-given'
}

/** RFC 5280, 5.3.1. */
const CERTIFICATE_HOLD = 6

/**
 * Firmware certificates are the GPU's own work, which no responder knows; the one below, of the chip, carries them. A root
 * answers for itself by being pinned.
 */
export const deviceLinks = (chain: readonly Certificate[]): readonly Link[] => linksOf(chain).slice(1)
/** All but the root. */
export const manifestLinks = (chain: readonly Certificate[]): readonly Link[] => linksOf(chain)

const linksOf = (chain: readonly Certificate[]): readonly Link[] =>
  chain.flatMap((certificate, i) => {
    const issuer = chain[i + 1]
    return issuer === undefined ? [] : [{ certificate, issuer }]
  })

/** One check for the whole chain. Returns when the first answer behind it ends; infinite where nothing was proven. */
export async function checkRevocation(
  list: Checklist,
  { id, revoked, links, answers, demand }: RevocationDemand,
  context: OcspContext,
): Promise<number> {
  const responses = readAll(answers)
  if (responses === null) {
    list.fail(id, 'attestation.ocsp-malformed', 'An answer about revocation is not the strict DER of an OCSP response.')
    return Number.POSITIVE_INFINITY
  }
  const found = await Promise.all(links.map((link) => answerFor(link, responses, context)))
  const bad = found.find((one) => one.is === 'revoked') ?? found.find((one) => one.is !== 'good')
  const untilMs = Math.min(...found.map((one) => (one.is === 'good' ? one.untilMs : Number.POSITIVE_INFINITY)))
  const inputs: CheckInputs = {
    asked: links.map(({ certificate }) => subjectText(certificate)).join(', '),
    good: found.filter((one) => one.is === 'good').length,
    ...(Number.isFinite(untilMs) ? { until: new Date(untilMs).toISOString() } : {}),
    ...(bad === undefined ? {} : { at: bad.subject }),
  }
  switch (bad?.is) {
    case undefined:
      list.require(
        id,
        true,
        revoked,
        { passed: 'NVIDIA calls every certificate of the chain good.', failed: '' },
        inputs,
      )
      return untilMs
    case 'revoked':
      list.fail(
        id,
        bad.isOnHold ? 'attestation.gpu-on-hold' : revoked,
        GPU_ERRORS[bad.isOnHold ? 'attestation.gpu-on-hold' : revoked],
        {
          ...inputs,
          since: bad.sinceMs === null ? null : new Date(bad.sinceMs).toISOString(),
          reason: bad.reason,
        },
      )
      break
    case 'unknown':
      list.fail(id, 'attestation.gpu-ocsp-unknown', GPU_ERRORS['attestation.gpu-ocsp-unknown'], inputs)
      break
    case 'missing': {
      const code = 'attestation.gpu-ocsp-missing'
      if (demand === 'required') list.fail(id, code, GPU_ERRORS[code], inputs)
      else list.info(id, 'Revocation was not checked: not every certificate has an answer.', inputs)
      break
    }
    case 'faulty':
      if (demand === 'if-given' && bad.code === 'attestation.ocsp-expired')
        list.info(id, 'Revocation was not checked: an answer has expired.', inputs)
      else list.fail(id, bad.code, OCSP_ERRORS[bad.code], inputs)
  }
  return Number.POSITIVE_INFINITY
}

type Answer = { readonly subject: string } & (
  | { readonly is: 'good'; readonly untilMs: number }
  | {
      readonly is: 'revoked'
      readonly isOnHold: boolean
      readonly sinceMs: number | null
      readonly reason: number | null
    }
  | { readonly is: 'unknown' | 'missing' }
  | { readonly is: 'faulty'; readonly code: OcspErrorCode }
)

/** Of several about the same certificate the newest counts. */
async function answerFor(
  { certificate, issuer }: Link,
  responses: readonly OcspResponse[],
  context: OcspContext,
): Promise<Answer> {
  const subject = subjectText(certificate)
  const findings = await Promise.all(responses.map((one) => examineOcsp(one, certificate, issuer, context)))
  const [newest] = findings
    .filter(({ fault }) => fault !== 'attestation.ocsp-other-certificate')
    .toSorted((a, b) => (b.said?.thisUpdateMs ?? 0) - (a.said?.thisUpdateMs ?? 0))
  if (newest === undefined) return { subject, is: 'missing' }
  const { fault, said } = newest
  // Nobody is un-revoked because the answer has grown old.
  if (said?.status === 'revoked' && (fault === null || fault === 'attestation.ocsp-expired'))
    return {
      subject,
      is: 'revoked',
      isOnHold: said.reason === CERTIFICATE_HOLD,
      sinceMs: said.revokedAtMs,
      reason: said.reason,
    }
  if (fault !== null || said === null || said.nextUpdateMs === null)
    return { subject, is: 'faulty', code: fault ?? 'attestation.ocsp-expired' }
  return said.status === 'good' ? { subject, is: 'good', untilMs: said.nextUpdateMs } : { subject, is: 'unknown' }
}

/** Null when one of them cannot be read. */
function readAll(answers: readonly Uint8Array[]): readonly OcspResponse[] | null {
  try {
    return answers.map(parseOcspResponse)
  } catch (error) {
    if (error instanceof CocoonError && error.family === 'attestation') return null
    throw error
  }
}
