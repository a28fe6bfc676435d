/**
 * The launch digest of a SEV-SNP guest: every page that the hypervisor puts in, one after the other, each hashed together with the
 * digest so far. Browser-safe. Source: spec/measurement.md, "SEV-SNP"; AMD SEV-SNP Firmware ABI, PAGE_INFO.
 */
import { concatBytes, toHex, utf8 } from '../../util/index.ts'
import { measureError } from './errors.ts'
import { encodeGuid } from './guid.ts'
import type { ImageInput } from './launch-event.ts'
import { u16, u64 } from './little-endian.ts'
import type { Hashes } from './mrtd.ts'
import { parseSnpFirmware, type SnpFirmware, type SnpSection } from './snp-firmware.ts'
import { encodeVmsa, RESET_VECTOR, type SnpVmm } from './snp-vmsa.ts'

export interface SnpLaunch {
  readonly firmware: Uint8Array
  readonly vmm: SnpVmm
  readonly vcpus: number
  readonly cpuSignature: number
  readonly guestFeatures: number
  /** A kernel given beside the firmware, which checks it; null for none. */
  readonly directBoot: {
    readonly kernel: Uint8Array
    readonly initrd: Uint8Array | null
    readonly commandLine: string
  } | null
}

/** The same after hashing: a digest of the firmware's pages, and hashes of what is started. */
export interface SnpHashedLaunch extends Omit<SnpLaunch, 'firmware' | 'directBoot'>, SnpFirmware {
  /** The digest once the firmware's own pages are in, 48 bytes. */
  readonly firmwareDigest: Uint8Array
  readonly kernelHashes: KernelHashes | null
}

/** SHA-256, 32 bytes each. */
export interface KernelHashes {
  readonly commandLine: Uint8Array
  readonly initrd: Uint8Array
  readonly kernel: Uint8Array
}

export interface SnpStep {
  readonly name: string
  /** SHA-384 over this step alone: says which one differs. */
  readonly digest: Uint8Array
  readonly inputs: readonly ImageInput[]
}

export interface SnpMeasurement {
  readonly launchDigest: Uint8Array
  readonly steps: readonly SnpStep[]
  /** Hex: what registries list. */
  readonly imageHash: string
}

const PAGE_BYTES = 4096
const DIGEST_BYTES = 48
const ZERO_DIGEST = new Uint8Array(DIGEST_BYTES)
const PAGE_INFO_BYTES = 0x70
/** Type numbers of pages. */
const PAGE = { normal: 1, vmsa: 2, zero: 3, unmeasured: 4, secrets: 5, cpuid: 6 } as const
type PageType = (typeof PAGE)[keyof typeof PAGE]
/** Save areas have no address of their own; firmware uses this one. */
const VMSA_ADDRESS = 0xffff_ffff_f000
const FOUR_GIB = 0x1_0000_0000
/** The most that KVM gives one guest of this kind. */
export const MAX_VCPUS = 4096

/** One page: its type, where it goes, and the SHA-384 of its content (zeros where that is not measured). */
interface Page {
  readonly type: PageType
  readonly address: number
  readonly content: Uint8Array
}

/** Throws `config.image-firmware`, `config.image-input`. */
export async function measureSnp(hashes: Hashes, launch: SnpLaunch): Promise<SnpMeasurement> {
  const { firmware, directBoot } = launch
  const parsed = parseSnpFirmware(firmware)
  const firmwareDigest = await digestOf(
    hashes,
    await pagesOf(hashes, PAGE.normal, FOUR_GIB - firmware.length, firmware),
    ZERO_DIGEST,
  )
  const kernelHashes =
    directBoot === null
      ? null
      : {
          commandLine: await hashes.sha256(utf8(`${directBoot.commandLine}\0`)),
          initrd: await hashes.sha256(directBoot.initrd ?? new Uint8Array()),
          kernel: await hashes.sha256(directBoot.kernel),
        }
  return measureSnpHashed(hashes, { ...launch, ...parsed, firmwareDigest, kernelHashes })
}

/** For who knows hashes but has no files. Throws `config.image-firmware`, `config.image-input`. */
export async function measureSnpHashed(hashes: Hashes, launch: SnpHashedLaunch): Promise<SnpMeasurement> {
  const { vcpus, firmwareDigest, sections, kernelHashes, vmm } = launch
  if (!Number.isInteger(vcpus) || vcpus < 1 || vcpus > MAX_VCPUS)
    throw measureError('config.image-input', 'vcpus', `it must be 1 to ${MAX_VCPUS}, not ${vcpus}`)
  if (kernelHashes !== null && !sections.some((section) => section.kind === 'kernel-hashes'))
    throw measureError(
      'config.image-firmware',
      'firmware.sev.sections',
      'it has no place for the hashes of a kernel; use OVMF built as AmdSev, or start without a kernel beside it',
    )
  const steps: SnpStep[] = [{ name: 'firmware', digest: firmwareDigest, inputs: ['firmware'] }]
  let digest = firmwareDigest
  const add = async (name: string, inputs: readonly ImageInput[], pages: readonly Page[]): Promise<void> => {
    digest = await digestOf(hashes, pages, digest)
    steps.push({ name, inputs, digest: await digestOf(hashes, pages, ZERO_DIGEST) })
  }
  // EC2 leaves the page of CPUID values for last.
  const ordered = vmm === 'ec2' ? sections.toSorted((a, b) => rankOf(a) - rankOf(b)) : sections
  for (const section of ordered) {
    const isHashes = section.kind === 'kernel-hashes'
    const name = `${section.kind} at 0x${section.address.toString(16)}`
    await add(
      name,
      isHashes ? ['firmware', 'kernel', 'initrd', 'commandLine'] : ['firmware', 'vmm'],
      isHashes && kernelHashes !== null
        ? await pagesOf(hashes, PAGE.normal, section.address, hashesPage(launch, kernelHashes))
        : blankPages(section, vmm),
    )
  }
  for (let vcpu = 0; vcpu < vcpus; vcpu++) {
    const address = vcpu === 0 ? RESET_VECTOR : launch.resetAddress
    if (address === null)
      throw measureError('config.image-firmware', 'firmware.sev', 'it does not say where further processors begin')
    const content = await hashes.sha384(encodeVmsa({ ...launch, address }))
    await add(
      `vcpu ${vcpu}`,
      ['vcpus', 'cpu', 'guestFeatures', 'vmm', ...(vcpu === 0 ? [] : (['firmware'] as const))],
      [{ type: PAGE.vmsa, address: VMSA_ADDRESS, content }],
    )
  }
  const imageHash = toHex(await hashes.sha256(concatBytes(digest, new Uint8Array(64))))
  return { launchDigest: digest, steps, imageHash }
}

const rankOf = ({ kind }: SnpSection): number => (kind === 'cpuid' ? 1 : 0)

function blankPages({ kind, address, bytes }: SnpSection, vmm: SnpVmm): Page[] {
  const type =
    kind === 'secrets'
      ? PAGE.secrets
      : kind === 'cpuid'
        ? PAGE.cpuid
        : kind === 'memory' && vmm === 'gce'
          ? PAGE.unmeasured
          : PAGE.zero
  // Secrets and CPUID values are one page each, whatever the section's size.
  const count = type === PAGE.secrets || type === PAGE.cpuid ? 1 : bytes / PAGE_BYTES
  return Array.from({ length: count }, (_, i) => ({ type, address: address + i * PAGE_BYTES, content: ZERO_DIGEST }))
}

async function pagesOf(hashes: Hashes, type: PageType, address: number, bytes: Uint8Array): Promise<Page[]> {
  const pages: Page[] = []
  for (let at = 0; at < bytes.length; at += PAGE_BYTES)
    pages.push({ type, address: address + at, content: await hashes.sha384(bytes.subarray(at, at + PAGE_BYTES)) })
  return pages
}

async function digestOf(hashes: Hashes, pages: readonly Page[], from: Uint8Array): Promise<Uint8Array> {
  let digest = from
  // Behind the type: no migration image, no permissions for lower privilege levels.
  for (const { type, address, content } of pages)
    digest = await hashes.sha384(
      concatBytes(digest, content, concatBytes(u16(PAGE_INFO_BYTES), Uint8Array.of(type, 0, 0, 0, 0, 0), u64(address))),
    )
  return digest
}

const TABLE = '9438d606-4f22-4cc9-b479-a793d411fd21'
const TABLE_ENTRIES = [
  ['commandLine', '97d02dd8-bd20-4c94-aa78-e7714d36ab2a'],
  ['initrd', '44baf731-3a2f-4bd7-9af1-41e29169781d'],
  ['kernel', '4de79437-abd2-427f-b835-d5b172d2045b'],
] as const
const ENTRY_BYTES = 50
const TABLE_BYTES = 18 + TABLE_ENTRIES.length * ENTRY_BYTES

/** The page in which QEMU leaves the hashes that the firmware compares with what it is given. */
function hashesPage({ kernelHashesAt }: SnpHashedLaunch, kernelHashes: KernelHashes): Uint8Array {
  if (kernelHashesAt === null)
    throw measureError('config.image-firmware', 'firmware.sev', 'it does not say where the hashes of a kernel go')
  const page = new Uint8Array(PAGE_BYTES)
  const at = kernelHashesAt % PAGE_BYTES
  if (at + TABLE_BYTES > PAGE_BYTES)
    throw measureError('config.image-firmware', 'firmware.sev', 'the hashes of a kernel do not fit their page')
  page.set(concatBytes(encodeGuid(TABLE), u16(TABLE_BYTES)), at)
  for (const [i, [name, guid]] of TABLE_ENTRIES.entries())
    page.set(concatBytes(encodeGuid(guid), u16(ENTRY_BYTES), kernelHashes[name]), at + 18 + i * ENTRY_BYTES)
  return page
}
