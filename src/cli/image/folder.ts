/** An image's folder: `image.json` and the files that it names, measured. Looks only. */
import { type Dirent, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import {
  configurationTree,
  cpuSignatureOf,
  describeSnp,
  describeTdx,
  encodeCpuSignature,
  encodeEventLog,
  guestMessages,
  type Hashes,
  type ImageManifest,
  MANIFEST_NAME,
  MAX_MANIFEST_CHARACTERS,
  MAX_TREE_FILE_BYTES,
  type MeasuredGuest,
  type MeasuredImage,
  measureSnp,
  measureTdx,
  nodeVerifyCrypto,
  OVMF_MENU,
  parseImageManifest,
  SECURE_BOOT_VARIABLES,
  type SecureBootVariable,
  type TdxLaunch,
  type TreeEntry,
} from '../../tee/index.ts'
import { CocoonError, fromHex, toHex } from '../../util/index.ts'
import { readTextInput } from '../verify/input.ts'

/** RAM disks of guests have some hundred megabytes; a file is read whole. */
const MAX_FILE_BYTES = 1024 * 1024 * 1024
const MIB = 1024 * 1024
const hashes: Hashes = nodeVerifyCrypto

export interface MeasuredFolder {
  readonly image: MeasuredImage
  /** Of the TDX guest, as its firmware would leave it; null where there is none. */
  readonly eventLog: Uint8Array | null
}

/** Throws `config.image-*`. @param onStep told what is being looked at, for people who wait */
export async function measureFolder(folder: string, onStep: (what: string) => void): Promise<MeasuredFolder> {
  const manifest = parseImageManifest(
    readTextInput(join(folder, MANIFEST_NAME), MAX_MANIFEST_CHARACTERS, 'config.image-manifest'),
  )
  const guests: MeasuredGuest[] = []
  let eventLog: Uint8Array | null = null
  if (manifest.tdx !== null) {
    const found = await measureTdxOf(folder, manifest.tdx, onStep)
    guests.push(found.guest)
    eventLog = found.eventLog
  }
  if (manifest.sevSnp !== null) guests.push(await measureSnpOf(folder, manifest.sevSnp, onStep))
  return { image: { format: 'cocoon-measurement-1', name: manifest.name, guests }, eventLog }
}

async function measureTdxOf(
  folder: string,
  described: NonNullable<ImageManifest['tdx']>,
  onStep: (what: string) => void,
): Promise<{ readonly guest: MeasuredGuest; readonly eventLog: Uint8Array }> {
  const file = (field: string, path: string): Uint8Array => readFile(folder, `tdx.${field}`, path, onStep)
  const { acpi, secureBoot, bootVariables, guest } = described
  const valueOf = (name: SecureBootVariable): Uint8Array | null => {
    const path = secureBoot === 'unset' ? null : secureBoot[name]
    return path === null ? null : file(`secureBoot.${name}`, path)
  }
  const messages =
    guest === null
      ? []
      : guestMessages(await configurationTree(hashes, readTree(join(folder, guest.configuration))), guest.debug)
  const launch: TdxLaunch = {
    firmware: file('firmware', described.firmware),
    launchOrder: described.launchOrder,
    memoryBytes: described.memoryMib * MIB,
    acpi: {
      loader: file('acpi.loader', acpi.loader),
      rsdp: file('acpi.rsdp', acpi.rsdp),
      tables: file('acpi.tables', acpi.tables),
    },
    secureBoot: Object.fromEntries(SECURE_BOOT_VARIABLES.map((name) => [name, valueOf(name)])) as Record<
      SecureBootVariable,
      Uint8Array | null
    >,
    bootVariables:
      bootVariables === 'ovmf-menu'
        ? OVMF_MENU
        : bootVariables.map(({ name, value }) => ({ name, value: file(`bootVariables.${name}`, value) })),
    kernel: file('kernel', described.kernel),
    kernelHeader: described.kernelHeader,
    initrd: described.initrd === null ? null : file('initrd', described.initrd),
    commandLine: described.commandLine,
    guestMessages: messages,
    mrConfigId: registerOf(described.mrConfigId),
    mrOwner: registerOf(described.mrOwner),
    mrOwnerConfig: registerOf(described.mrOwnerConfig),
  }
  onStep('measuring the TDX guest')
  const measured = await measureTdx(hashes, launch)
  return {
    guest: describeTdx(measured, {
      firmware: await sha256(launch.firmware),
      launchOrder: launch.launchOrder,
      memoryMib: String(described.memoryMib),
      'acpi.loader': await sha256(launch.acpi.loader),
      'acpi.rsdp': await sha256(launch.acpi.rsdp),
      'acpi.tables': await sha256(launch.acpi.tables),
      secureBoot: await listed(
        SECURE_BOOT_VARIABLES.map((name) => ({ name, value: launch.secureBoot[name] ?? new Uint8Array() })),
      ),
      bootVariables: await listed(launch.bootVariables),
      kernel: await sha256(launch.kernel),
      kernelHeader: launch.kernelHeader,
      ...(launch.initrd === null ? {} : { initrd: await sha256(launch.initrd) }),
      commandLine: launch.commandLine,
      guest: messages.join('; ') || 'says nothing',
    }),
    eventLog: encodeEventLog(measured.events.filter(({ rtmr }) => rtmr !== 3)),
  }
}

async function measureSnpOf(
  folder: string,
  described: NonNullable<ImageManifest['sevSnp']>,
  onStep: (what: string) => void,
): Promise<MeasuredGuest> {
  const file = (field: string, path: string): Uint8Array => readFile(folder, `sevSnp.${field}`, path, onStep)
  const { directBoot, cpu, vmm, vcpus, guestFeatures } = described
  const firmware = file('firmware', described.firmware)
  const boot =
    directBoot === null
      ? null
      : {
          kernel: file('directBoot.kernel', directBoot.kernel),
          initrd: directBoot.initrd === null ? null : file('directBoot.initrd', directBoot.initrd),
          commandLine: directBoot.commandLine,
        }
  const cpuSignature =
    typeof cpu === 'string' ? (cpuSignatureOf(cpu) as number) : encodeCpuSignature(cpu.family, cpu.model, cpu.stepping)
  onStep('measuring the SEV-SNP guest')
  const measured = await measureSnp(hashes, { firmware, vmm, vcpus, cpuSignature, guestFeatures, directBoot: boot })
  return describeSnp(measured, {
    firmware: await sha256(firmware),
    vmm,
    vcpus: String(vcpus),
    cpu: `0x${cpuSignature.toString(16)}`,
    guestFeatures: `0x${guestFeatures.toString(16)}`,
    ...(boot === null
      ? {}
      : {
          kernel: await sha256(boot.kernel),
          ...(boot.initrd === null ? {} : { initrd: await sha256(boot.initrd) }),
          commandLine: boot.commandLine,
        }),
  })
}

const registerOf = (text: string): Uint8Array => (text === 'zero' ? new Uint8Array(48) : fromHex(text))
const sha256 = async (bytes: Uint8Array): Promise<string> => toHex(await hashes.sha256(bytes))

/** `PK=unset db=5f84…`: short, and different whenever a value is. */
async function listed(variables: readonly { readonly name: string; readonly value: Uint8Array }[]): Promise<string> {
  const words = await Promise.all(
    variables.map(async ({ name, value }) => `${name}=${value.length === 0 ? 'unset' : await sha256(value)}`),
  )
  return words.join(' ')
}

function readFile(folder: string, field: string, path: string, onStep: (what: string) => void): Uint8Array {
  onStep(`reading ${path}`)
  const unusable = (why: string, cause?: unknown): CocoonError =>
    new CocoonError(
      'config.image-input',
      { field, message: `${field}: cannot read ${join(folder, path)}: ${why}` },
      { cause },
    )
  try {
    const { size } = statSync(join(folder, path))
    if (size > MAX_FILE_BYTES) throw unusable(`${size} bytes are more than the ${MAX_FILE_BYTES} that are allowed`)
    return new Uint8Array(readFileSync(join(folder, path)))
  } catch (error) {
    if (error instanceof CocoonError) throw error
    const { code, message } = error as NodeJS.ErrnoException
    throw unusable(code === 'ENOENT' ? 'there is no such file' : message, error)
  }
}

/** Throws `config.image-tree` on links, and on what is neither file nor folder. */
export function readTree(folder: string): TreeEntry[] {
  const unusable = (at: string, why: string): CocoonError =>
    new CocoonError('config.image-tree', {
      field: at,
      message: `the configuration folder cannot be read: ${at}: ${why}`,
    })
  let names: Dirent[]
  try {
    names = readdirSync(folder, { withFileTypes: true })
  } catch (error) {
    throw unusable(folder, (error as Error).message)
  }
  return names.map((entry): TreeEntry => {
    const at = join(folder, entry.name)
    if (entry.isDirectory()) return { kind: 'folder', name: entry.name, entries: readTree(at) }
    if (!entry.isFile()) throw unusable(at, 'only files and folders are possible')
    const { size, mode } = statSync(at)
    if (size > MAX_TREE_FILE_BYTES) throw unusable(at, `${size} bytes are more than ${MAX_TREE_FILE_BYTES}`)
    return {
      kind: 'file',
      name: entry.name,
      isExecutable: (mode & 0o100) !== 0,
      bytes: new Uint8Array(readFileSync(at)),
    }
  })
}
