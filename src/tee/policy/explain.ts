/** A policy as sentences: what it accepts, in the order in which it is judged. Browser-safe. */
import { formatTcb } from '../quote/index.ts'
import { type Policy, SNP_PRODUCTS } from './schema.ts'

/** One sentence each; they depend on nothing but the policy. */
export function explainPolicy(policy: Policy): string[] {
  const { tdx, sevSnp, gpu } = policy
  return [
    policy.about,
    kindsOf(policy),
    'A guest or enclave that can be debugged is refused.',
    imagesOf(policy),
    ...(tdx === null ? [] : tdxSentences(tdx)),
    ...(sevSnp === null ? [] : snpSentences(sevSnp)),
    `The certificate around the evidence is at most ${policy.maxCertificateAgeHours} hours old, and the evidence was made for its key.`,
    gpu.required ? 'At least one GPU must prove itself.' : 'A GPU need not prove itself; one that tries must succeed.',
    `GPUs: architecture ${orNone(gpu.architectures)}; mode ${orNone(gpu.modes)}; comparison with NVIDIA’s manifests ${gpu.manifests}; NVIDIA’s answers about revocation ${gpu.revocation}.`,
    claimOf('provider', policy.providers),
    claimOf('region', policy.regions),
  ]
}

function kindsOf({ tdx, sevSnp, simulated }: Policy): string {
  if (simulated === 'on-test-networks')
    return 'Only simulated evidence is accepted, and only on a network whose configuration says so; it proves nothing.'
  const kinds = [...(tdx === null ? [] : ['Intel TDX']), ...(sevSnp === null ? [] : ['AMD SEV-SNP'])]
  return `Evidence must be real: ${kinds.join(' or ')}. Simulated evidence is refused.`
}

function imagesOf({ images, simulated }: Policy): string {
  if (simulated === 'on-test-networks') return 'Images are not compared: simulated evidence measures none.'
  if (images === 'registry') return 'The image hash must be one that the network’s root registry allows.'
  if (images.length === 0) return 'No image hash is allowed, so every guest is refused.'
  return `The image hash must be one of: ${images.join(', ')}.`
}

function tdxSentences(tdx: NonNullable<Policy['tdx']>): string[] {
  return [
    tdx.statuses.length === 0
      ? 'TDX: no status of the platform is good by itself.'
      : `TDX: Intel’s status of the platform must be ${tdx.statuses.join(' or ')}.`,
    ...tdx.grace.map(
      ({ advisory, until }) =>
        `TDX: a platform outdated for ${advisory} is tolerated until ${until}, if nothing else is open.`,
    ),
    `TDX: the TCB data must be of evaluation ${tdx.minEvaluationNumber} or later and issued at most ${tdx.maxCollateralAgeDays} days ago.`,
    tdx.tolerate.length === 0
      ? 'TDX: no unusual property of the guest is tolerated.'
      : `TDX: of the guest’s unusual properties these are tolerated: ${tdx.tolerate.join(', ')}.`,
  ]
}

function snpSentences(snp: NonNullable<Policy['sevSnp']>): string[] {
  return [
    ...SNP_PRODUCTS.map((product) => {
      const minimum = snp.minTcb[product]
      return minimum === 'refuse'
        ? `SEV-SNP: ${product} processors are refused.`
        : `SEV-SNP: ${product} firmware must reach ${formatTcb({ fmc: null, ...minimum })}.`
    }),
    `SEV-SNP: reports come from privilege level ${snp.vmpl}; migration agents: ${snp.migrationAgent}; revocation list: ${snp.revocationList}.`,
    `SEV-SNP: the machine must state ${snp.platform.length === 0 ? 'no protection in particular' : snp.platform.join(', ')}.`,
  ]
}

function claimOf(what: 'provider' | 'region', allowed: 'any' | readonly string[]): string {
  if (allowed === 'any') return `Any ${what} will do.`
  if (allowed.length === 0) return `No ${what} is allowed, so every node is refused.`
  return `The ${what} must be ${allowed.join(' or ')}; a node that does not say is refused.`
}

const orNone = (list: readonly string[]): string => (list.length === 0 ? 'none (refused)' : list.join(', '))
