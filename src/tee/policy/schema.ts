/**
 * What a policy file says. Every field is required: what nobody decided is refused, never skipped. Lists are sorted while
 * they are read, so that the same decisions have the same hash. Browser-safe. Source: docs/verification.md, "Policies".
 */
import { z } from 'zod'
import { toHex, utf8 } from '../../util/index.ts'
import type { VerifyCrypto } from '../x509/index.ts'
import { policyError } from './errors.ts'
import { SIMULATED_SEV_IMAGE_HASH, SIMULATED_TDX_IMAGE_HASH } from './evidence.ts'

/** A policy is read by people; nothing sensible is longer. */
export const MAX_POLICY_CHARACTERS = 64 * 1024
/** Registries list some tens of images. */
const MAX_LIST = 256

/** The constants that simulated evidence yields. Whatever claims to be real with one of them is not. */
export const ZERO_IMAGE_HASHES: readonly string[] = [SIMULATED_TDX_IMAGE_HASH, SIMULATED_SEV_IMAGE_HASH]

/** Never `Revoked`: no decision makes a revoked platform good. */
export const ACCEPTABLE_STATUSES = [
  'UpToDate',
  'SWHardeningNeeded',
  'ConfigurationNeeded',
  'ConfigurationAndSWHardeningNeeded',
  'OutOfDate',
  'OutOfDateConfigurationNeeded',
  'TDRelaunchAdvised',
  'TDRelaunchAdvisedConfigurationNeeded',
] as const
/** What a guest may be besides debuggable, which is never tolerated. */
export const TOLERABLE_FLAGS = ['sept-ve-not-disabled', 'migratable', 'pks', 'perfmon', 'service-td'] as const
export const SNP_PRODUCTS = ['Milan', 'Genoa', 'Turin'] as const
export const SNP_PROTECTIONS = ['smt-off', 'tsme', 'ecc', 'rapl-off', 'ciphertext-hiding', 'alias-check'] as const
export const GPU_ARCHITECTURES = ['hopper', 'blackwell', 'ls10'] as const
/** `unstated`: drivers before the 570 series do not say. */
export const GPU_MODES = ['single', 'multi-gpu', 'protected-pcie', 'unstated'] as const

/** A list without repetition, in the order of the alphabet. */
const sorted = <Element extends z.ZodType<string>>(element: Element) =>
  z
    .array(element)
    .max(MAX_LIST)
    .refine((list) => new Set(list).size === list.length, 'names the same thing twice')
    .transform((list) => list.toSorted())

const imageHash = z
  .string()
  .regex(/^[0-9a-fA-F]{64}$/, 'must be 64 hex digits')
  .transform((hash) => hash.toLowerCase())
  .refine((hash) => !ZERO_IMAGE_HASHES.includes(hash), 'is the hash of simulated evidence, which is never allowed')

const svn = z.int().min(0).max(255)
const snpTcb = z.strictObject({ bootLoader: svn, tee: svn, snp: svn, microcode: svn })
const orRefuse = <Schema extends z.ZodType>(schema: Schema) => z.union([z.literal('refuse'), schema])

const tdx = z.strictObject({
  /** Intel's words for the platform that are good by themselves. */
  statuses: sorted(z.enum(ACCEPTABLE_STATUSES)),
  /** Until when a platform is tolerated that is outdated for nothing but these advisories. */
  grace: z
    .array(
      z.strictObject({
        advisory: z.string().regex(/^INTEL-SA-\d{5}$/, 'must be an advisory: INTEL-SA-01234'),
        until: z.iso.datetime(),
      }),
    )
    .max(MAX_LIST)
    .refine((list) => new Set(list.map((g) => g.advisory)).size === list.length, 'names the same advisory twice')
    .transform((list) => list.toSorted((a, b) => (a.advisory < b.advisory ? -1 : 1))),
  /** A host chooses which data to show: this is how old their evaluation may be at most. */
  minEvaluationNumber: z
    .int()
    .min(0)
    .max(2 ** 31),
  /** Of TCB info and QE identity, since their issue. Intel gives them 30 days. */
  maxCollateralAgeDays: z.int().min(1).max(366),
  tolerate: sorted(z.enum(TOLERABLE_FLAGS)),
})

const sevSnp = z.strictObject({
  /** What reported and committed firmware must reach, by product line. */
  minTcb: z.strictObject({
    Milan: orRefuse(snpTcb),
    Genoa: orRefuse(snpTcb),
    Turin: orRefuse(snpTcb.extend({ fmc: svn })),
  }),
  vmpl: z.int().min(0).max(3),
  migrationAgent: z.enum(['refuse', 'allow']),
  revocationList: z.enum(['required', 'if-given']),
  /** Protections that the machine must state. */
  platform: sorted(z.enum(SNP_PROTECTIONS)),
})

const gpu = z.strictObject({
  required: z.boolean(),
  architectures: sorted(z.enum(GPU_ARCHITECTURES)),
  modes: sorted(z.enum(GPU_MODES)),
  /** Without manifests a GPU's maker is proven, and not its firmware. */
  manifests: z.enum(['required', 'if-given']),
  /** NVIDIA's answers about revocation: of the GPU's certificates, and of those of the manifests it was compared with. */
  revocation: z.enum(['required', 'if-given']),
})

const named = z.union([z.literal('any'), sorted(z.string().regex(/^[\x21-\x7e]{1,64}$/, 'must be a word in ASCII'))])

export const policySchema = z
  .strictObject({
    format: z.literal('cocoon-policy-1'),
    name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'must be lower-case letters, digits and dashes'),
    /** One sentence for people. */
    about: z.string().min(1).max(300),
    debug: z.literal('refuse'),
    /** `registry`: what the network's root registry allows. An empty list allows nothing. */
    images: z.union([z.literal('registry'), sorted(imageHash)], { error: 'must be "registry" or a list of hashes' }),
    maxCertificateAgeHours: z.int().min(1).max(48),
    /** Null: TDX is not accepted. */
    tdx: tdx.nullable(),
    /** Null: SEV-SNP is not accepted. */
    sevSnp: sevSnp.nullable(),
    gpu,
    providers: named,
    regions: named,
    simulated: z.enum(['refuse', 'on-test-networks']),
  })
  .superRefine((policy, context) => {
    const refuse = (field: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [field], message })
    const real = policy.tdx !== null || policy.sevSnp !== null
    if (policy.simulated === 'on-test-networks' && real)
      refuse(
        'simulated',
        'a policy that accepts simulated evidence must accept nothing else: set tdx and sevSnp to null',
      )
    if (policy.simulated === 'refuse' && !real) refuse('tdx', 'nothing is accepted: describe tdx or sevSnp')
  })

export type Policy = z.output<typeof policySchema>

/** Throws `config.policy` with the field. @param name for errors: the file. */
export function parsePolicy(text: string, name = 'file'): Policy {
  if (text.length > MAX_POLICY_CHARACTERS)
    throw policyError(name, 'file', `longer than ${MAX_POLICY_CHARACTERS} characters`)
  let raw: unknown
  try {
    raw = JSON.parse(text)
  } catch (error) {
    throw policyError(name, 'file', `not JSON (${(error as Error).message})`)
  }
  const parsed = policySchema.safeParse(raw)
  if (parsed.success) return parsed.data
  const { path, words } = complaintOf(parsed.error.issues[0] as z.core.$ZodIssue, raw)
  throw policyError(name, path.map(String).join('.') || 'file', words)
}

/** Of a union the alternative that came furthest: `images.3` rather than "neither a word nor a list". */
function complaintOf(
  issue: z.core.$ZodIssue,
  raw: unknown,
): { readonly path: readonly PropertyKey[]; readonly words: string } {
  const path = [...issue.path]
  if (path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], raw) === undefined)
    return { path, words: 'is missing; every field is required' }
  const inner =
    issue.code === 'invalid_union'
      ? issue.errors.flat().find((e) => e.path.length > 0 || e.code === 'custom')
      : undefined
  if (inner === undefined) return { path, words: issue.message }
  return complaintOf({ ...inner, path: [...path, ...inner.path] } as z.core.$ZodIssue, raw)
}

/** SHA-256 of the canonical JSON (keys sorted, no white space), in hex: the same decisions have the same hash. */
export async function policyHash(crypto: Pick<VerifyCrypto, 'sha256'>, policy: Policy): Promise<string> {
  return toHex(await crypto.sha256(canonicalPolicy(policy)))
}

/** What is hashed, in UTF-8. */
export const canonicalPolicy = (policy: Policy): Uint8Array => utf8(canonicalJson(policy))

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const fields = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonicalJson(field)}`).join(',')}}`
}
