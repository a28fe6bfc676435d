/**
 * `image.json`: which files make an image, and how its guests are started. Every field is required; `null` says that something
 * is not there. Paths are relative to the file and stay below its folder. Browser-safe. Source: docs/images.md.
 */
import { z } from 'zod'
import { measureError } from './errors.ts'
import { SECURE_BOOT_VARIABLES } from './tdx-launch.ts'
import { CPU_NAMES } from './snp-vmsa.ts'

export const MANIFEST_NAME = 'image.json'
export const MAX_MANIFEST_CHARACTERS = 256 * 1024

const path = z
  .string()
  .min(1)
  .max(512)
  .refine(
    (text) => !text.startsWith('/') && !text.includes('\\') && text.split('/').every((part) => part !== '..'),
    'must be a path below the folder of image.json, with / between its parts',
  )
const commandLine = z
  .string()
  .min(1, 'must not be empty: a kernel that is given no command line is measured differently')
  .max(4096)
  .refine((text) => !text.includes('\0'), 'must not hold a NUL')
const register = z.union([z.literal('zero'), z.string().regex(/^[0-9a-fA-F]{96}$/, 'must be "zero" or 96 hex digits')])
const secureBoot = z.union([
  z.literal('unset'),
  z.strictObject(
    Object.fromEntries(SECURE_BOOT_VARIABLES.map((name) => [name, path.nullable()])) as Record<
      (typeof SECURE_BOOT_VARIABLES)[number],
      z.ZodNullable<typeof path>
    >,
  ),
])

const tdx = z.strictObject({
  /** The whole OVMF file, code and variables. */
  firmware: path,
  /** `by-page`: KVM upstream, QEMU from 9 on. `by-section`: QEMU 8 with the patches of its time. */
  launchOrder: z.enum(['by-page', 'by-section']),
  memoryMib: z
    .int()
    .min(64)
    .max(64 * 1024 * 1024),
  /** What QEMU hands to the firmware; `etc/table-loader`, `etc/acpi/rsdp`, `etc/acpi/tables` of its fw_cfg. */
  acpi: z.strictObject({ loader: path, rsdp: path, tables: path }),
  secureBoot,
  bootVariables: z.union([
    z.literal('ovmf-menu'),
    z.array(z.strictObject({ name: z.string().min(1).max(64), value: path })).max(64),
  ]),
  kernel: path,
  kernelHeader: z.enum(['filled-by-qemu', 'as-in-file']),
  initrd: path.nullable(),
  commandLine,
  /** What the guest says into RTMR3; null for a guest that says nothing. */
  guest: z.strictObject({ configuration: path, debug: z.boolean() }).nullable(),
  mrConfigId: register,
  mrOwner: register,
  mrOwnerConfig: register,
})

const sevSnp = z.strictObject({
  firmware: path,
  vmm: z.enum(['qemu', 'ec2', 'gce']),
  vcpus: z.int().min(1).max(4096),
  cpu: z.union([
    z.enum(CPU_NAMES as [string, ...string[]]),
    z.strictObject({
      family: z.int().min(0).max(270),
      model: z.int().min(0).max(255),
      stepping: z.int().min(0).max(15),
    }),
  ]),
  /** SEV_FEATURES of the guest: 1 for SNP alone. */
  guestFeatures: z.int().min(1).max(0xffff_ffff),
  directBoot: z.strictObject({ kernel: path, initrd: path.nullable(), commandLine: z.string().max(4096) }).nullable(),
})

const manifestSchema = z
  .strictObject({
    format: z.literal('cocoon-image-1'),
    name: z.string().min(1).max(128),
    tdx: tdx.nullable(),
    sevSnp: sevSnp.nullable(),
  })
  .refine((manifest) => manifest.tdx !== null || manifest.sevSnp !== null, {
    path: ['tdx'],
    message: 'nothing is described: describe tdx or sevSnp',
  })

export type ImageManifest = z.output<typeof manifestSchema>

/** Throws `config.image-manifest` with the field. */
export function parseImageManifest(text: string): ImageManifest {
  const refuse = (field: string, why: string): Error => measureError('config.image-manifest', field, why)
  if (text.length > MAX_MANIFEST_CHARACTERS) throw refuse('file', `longer than ${MAX_MANIFEST_CHARACTERS} characters`)
  let raw: unknown
  try {
    raw = JSON.parse(text)
  } catch (error) {
    throw refuse('file', `not JSON (${(error as Error).message})`)
  }
  const parsed = manifestSchema.safeParse(raw)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0] as z.core.$ZodIssue
  const value = issue.path.reduce<unknown>(
    (at, key) => (at as Record<PropertyKey, unknown> | null | undefined)?.[key],
    raw,
  )
  const field = issue.path.map(String).join('.') || 'file'
  throw refuse(field, value === undefined ? 'is missing; every field is required' : issue.message)
}
