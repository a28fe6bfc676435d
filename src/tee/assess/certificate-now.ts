/** The first step of assessing a certificate at once, as a TLS handshake needs it. Node only. */
import type { KeyEvidence } from '../policy/index.ts'
import { verifyRatls } from '../ratls/verify.ts'
import { Checklist } from '../verify/checks.ts'
import { type AssessOptions, attemptNow } from './assessment.ts'
import { type CertificateRole, isAboutRole, presentCertificate, rolesOf } from './certificate.ts'

/** Without the evidence: form, time, role, signature. */
export function readShownCertificate(
  der: Uint8Array,
  role: CertificateRole,
  options: AssessOptions,
): ReturnType<typeof presentCertificate> {
  const list = new Checklist()
  const verified = attemptNow(list, 'certificate', () => verifyAs(role, der, options.context.nowMs))
  return presentCertificate(list, der, verified, options)
}

function verifyAs(role: CertificateRole, der: Uint8Array, nowMs: number): KeyEvidence {
  const [first, other] = rolesOf(role)
  try {
    return verifyRatls(der, first, nowMs)
  } catch (error) {
    if (other === undefined || !isAboutRole(error)) throw error
    return verifyRatls(der, other, nowMs)
  }
}
