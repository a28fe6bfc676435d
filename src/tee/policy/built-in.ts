/** The policies with a name. Browser-safe. Source: docs/verification.md, "Built-in policies". */
import type { Policy } from './schema.ts'

/** Two months before the oldest samples here; every platform evaluation since early 2025 has a higher number. */
const EVALUATION_OF_2025 = 17
/**
 * What current machines of each line report. Milan is left to policies of one's own: attacks on its root key are being
 * published, and no firmware number answers them.
 */
const AMD_FLOORS = {
  Milan: 'refuse',
  Genoa: { bootLoader: 10, tee: 0, snp: 23, microcode: 84 },
  Turin: { fmc: 1, bootLoader: 1, tee: 1, snp: 4, microcode: 81 },
} as const

const GPUS = {
  required: false,
  architectures: ['blackwell', 'hopper'],
  modes: ['multi-gpu', 'protected-pcie', 'single', 'unstated'],
  manifests: 'required',
  revocation: 'required',
} satisfies Policy['gpu']

const mainnet: Policy = {
  format: 'cocoon-policy-1',
  name: 'mainnet',
  about: 'What peers on the real network must show: a current TDX or SEV-SNP platform and an image of the registry.',
  debug: 'refuse',
  images: 'registry',
  maxCertificateAgeHours: 48,
  tdx: {
    statuses: ['UpToDate'],
    grace: [],
    minEvaluationNumber: EVALUATION_OF_2025,
    maxCollateralAgeDays: 30,
    tolerate: ['perfmon', 'pks'],
  },
  sevSnp: {
    minTcb: AMD_FLOORS,
    vmpl: 0,
    migrationAgent: 'refuse',
    revocationList: 'required',
    platform: [],
  },
  gpu: GPUS,
  providers: 'any',
  regions: 'any',
  simulated: 'refuse',
}

const strict: Policy = {
  ...mainnet,
  name: 'strict',
  about:
    'As mainnet, without performance counters, with the check against lying memory modules and fresher certificates.',
  maxCertificateAgeHours: 26,
  tdx: {
    statuses: ['UpToDate'],
    grace: [],
    minEvaluationNumber: EVALUATION_OF_2025,
    maxCollateralAgeDays: 30,
    tolerate: ['pks'],
  },
  sevSnp: {
    minTcb: AMD_FLOORS,
    vmpl: 0,
    migrationAgent: 'refuse',
    revocationList: 'required',
    platform: ['alias-check', 'ecc'],
  },
}

const devnet: Policy = {
  ...mainnet,
  name: 'devnet',
  about: 'Simulated evidence only, on networks whose configuration says so. It proves nothing.',
  tdx: null,
  sevSnp: null,
  simulated: 'on-test-networks',
}

export const BUILT_IN_POLICIES: Readonly<Record<'mainnet' | 'strict' | 'devnet', Policy>> = { mainnet, strict, devnet }
export type BuiltInPolicy = keyof typeof BUILT_IN_POLICIES

export const isBuiltInPolicy = (name: string): name is BuiltInPolicy => Object.hasOwn(BUILT_IN_POLICIES, name)
