/** Files that were given, told apart by their content; and what the person chose. */
import {
  type CollateralBundle,
  type DetectedEvidence,
  detectEvidence,
  MAX_BUNDLE_CHARACTERS,
  MAX_EVIDENCE_BYTES,
  MAX_POLICY_CHARACTERS,
  parseBundle,
  parsePolicy,
  type Policy,
} from '../../src/tee/browser.ts'
import { CocoonError } from '../../src/util/index.ts'

export type GivenFile = { readonly name: string; readonly bytes: number } & (
  | { readonly kind: 'evidence'; readonly evidence: DetectedEvidence }
  | { readonly kind: 'event-log'; readonly log: Uint8Array }
  | { readonly kind: 'bundle'; readonly bundle: CollateralBundle }
  | { readonly kind: 'policy'; readonly policy: Policy }
  | { readonly kind: 'unusable'; readonly why: string }
)

const MAX_FILE_BYTES = Math.max(4 * MAX_BUNDLE_CHARACTERS, MAX_EVIDENCE_BYTES)

/** Never rejects for what the file holds. */
export async function readGivenFile(file: File): Promise<GivenFile> {
  const base = { name: file.name, bytes: file.size }
  if (file.size > MAX_FILE_BYTES) return { ...base, kind: 'unusable', why: 'too large to be anything known here' }
  const bytes = new Uint8Array(await file.arrayBuffer())
  try {
    return { ...base, ...classify(file.name, bytes) }
  } catch (error) {
    if (!(error instanceof CocoonError)) throw error
    return { ...base, kind: 'unusable', why: error.message }
  }
}

type Classified =
  | { readonly kind: 'evidence'; readonly evidence: DetectedEvidence }
  | { readonly kind: 'event-log'; readonly log: Uint8Array }
  | { readonly kind: 'bundle'; readonly bundle: CollateralBundle }
  | { readonly kind: 'policy'; readonly policy: Policy }
  | { readonly kind: 'unusable'; readonly why: string }

function classify(name: string, bytes: Uint8Array): Classified {
  const format = formatOf(bytes)
  if (format === 'cocoon-collateral-1')
    return { kind: 'bundle', bundle: parseBundle(new TextDecoder().decode(bytes), name) }
  if (format === 'cocoon-policy-1' && bytes.length <= MAX_POLICY_CHARACTERS)
    return { kind: 'policy', policy: parsePolicy(new TextDecoder().decode(bytes), name) }
  const evidence = detectEvidence(bytes)
  if (evidence === null)
    return {
      kind: 'unusable',
      why: 'no Intel quote, SEV-SNP report, GPU evidence, certificate, event log, bundle or policy',
    }
  return evidence.form === 'event-log' ? { kind: 'event-log', log: evidence.bytes } : { kind: 'evidence', evidence }
}

/** The field `format` of a JSON object; null for everything else. */
function formatOf(bytes: Uint8Array): unknown {
  const start = bytes.find((byte) => byte > 0x20)
  if (start !== 0x7b) return null
  try {
    const read: unknown = JSON.parse(new TextDecoder().decode(bytes))
    return typeof read === 'object' && read !== null && 'format' in read ? read.format : null
  } catch {
    return null
  }
}

const KINDS: Readonly<Record<DetectedEvidence['form'], string>> = {
  'dcap-quote': 'Intel quote',
  'snp-report': 'AMD SEV-SNP report',
  'gpu-evidence': 'NVIDIA evidence',
  certificate: 'certificate',
  session: 'recorded session',
  'event-log': 'event log',
}

/** `Intel quote, 5010 bytes` */
export function describeFile(file: GivenFile): string {
  const size = `${file.bytes} bytes`
  switch (file.kind) {
    case 'evidence':
      return `${KINDS[file.evidence.form]}, ${size}`
    case 'event-log':
      return `event log, ${size}: taken with the quotes beside it`
    case 'bundle':
      return `collateral, ${file.bundle.items.length} items`
    case 'policy':
      return `policy ${file.policy.name}`
    case 'unusable':
      return `not usable: ${file.why}`
  }
}
