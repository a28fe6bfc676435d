/** Why a policy cannot be used, and why it refuses: one code per rule, each with its sentence. Browser-safe. */
import { CocoonError, type ErrorCode } from '../../util/index.ts'

export const POLICY_ERRORS = {
  'config.policy': 'The policy cannot be used.',
  'attestation.policy-unusable': 'The policy cannot be used; nothing is accepted under it.',
  'attestation.facts-malformed': 'What was verified is incomplete; nothing is decided on guesses.',
  'attestation.kind-not-accepted': 'The policy does not accept this kind of evidence.',
  'attestation.sgx-not-accepted': 'No policy accepts SGX enclaves: Cocoon runs in whole guests.',
  'attestation.simulated-not-accepted': 'The evidence is simulated, and the policy refuses simulated evidence.',
  'attestation.simulated-network': 'The evidence is simulated, and no network whose configuration says so was named.',
  'attestation.debug': 'Debugging is on: the host can read everything inside.',
  'attestation.image-hash-zero': 'The image hash is that of simulated evidence; nothing real has it.',
  'attestation.image-hash-list-empty':
    'No image hash is allowed, so none can be accepted; an empty list never means any.',
  'attestation.image-hash': 'The image hash is not on the list of allowed ones.',
  'attestation.tcb-status': 'Intel’s status of the platform is not one that the policy accepts.',
  'attestation.evaluation-number': 'The TCB data are from before the evaluation that the policy demands.',
  'attestation.collateral-age': 'The TCB data are older than the policy allows.',
  'attestation.td-attributes': 'The guest has properties that the policy does not tolerate.',
  'attestation.snp-tcb-too-old': 'The firmware is older than the policy demands, or the product line is refused.',
  'attestation.snp-vmpl': 'The report was asked for at another privilege level than the policy demands.',
  'attestation.snp-migration': 'A migration agent may move the guest, and the policy refuses that.',
  'attestation.snp-crl-missing': 'Revocation was not checked, and the policy demands it.',
  'attestation.snp-platform': 'The machine lacks a protection that the policy demands.',
  'attestation.certificate-required': 'A peer must show its evidence in a certificate; this one has none.',
  'attestation.certificate-age': 'The certificate is older than the policy allows, or dated in the future.',
  'attestation.report-data': 'The evidence was made for another key than that of the certificate.',
  'attestation.gpu-required':
    'The policy demands evidence of a GPU, and there is none; a worker shows its own with attestation.gpuSource.',
  'attestation.gpu-architecture': 'A GPU is of an architecture that the policy does not allow.',
  'attestation.gpu-feature': 'A GPU’s confidential-computing mode is not one that the policy allows.',
  'attestation.gpu-rim-missing':
    'A GPU’s firmware was not compared with NVIDIA’s manifests, and the policy demands it.',
  'attestation.gpu-ocsp-missing': 'Revocation of a GPU’s certificates was not checked, and the policy demands it.',
  'attestation.gpu-nonce': 'A GPU’s report was made for another key than that of the certificate.',
  'attestation.provider': 'The provider is not one that the policy allows.',
  'attestation.region': 'The region is not one that the policy allows.',
  'attestation.quote-required': 'There is no evidence, and the policy demands it.',
} as const satisfies Partial<Record<ErrorCode, string>>

export type PolicyErrorCode = keyof typeof POLICY_ERRORS

/** `field` is where in the file. */
export function policyError(name: string, field: string, why: string): CocoonError {
  return new CocoonError('config.policy', { policy: name, field, message: `policy ${name}: ${field}: ${why}` })
}
