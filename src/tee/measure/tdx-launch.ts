/**
 * MRTD and RTMR0 to RTMR3 of a guest that QEMU starts with OVMF and a Linux kernel given beside it, with the events that lead
 * to each. Order and content of the events follow the firmware; see what is supported in spec/measurement.md, "Events". Browser-safe.
 */
import { concatBytes, fromHex, toHex, utf8 } from '../../util/index.ts'
import { extendRegister, type Registers } from '../quote/index.ts'
import { authenticodeBytes } from './authenticode.ts'
import { measureError } from './errors.ts'
import { actionEvent, EVENT, type LaunchEvent, plainEvent, separatorEvent, variableData } from './launch-event.ts'
import { patchLinuxHeader } from './linux-header.ts'
import { u32, u64, utf16 } from './little-endian.ts'
import { encodeGuid } from './guid.ts'
import { computeMrtd, type Hashes, type LaunchOrder, type MrtdPart } from './mrtd.ts'
import { encodeTdHob } from './td-hob.ts'
import { contentOf, parseTdxFirmware, type TdxFirmware } from './tdx-firmware.ts'

export interface TdxLaunch {
  /** The whole file, variables included. */
  readonly firmware: Uint8Array
  readonly launchOrder: LaunchOrder
  readonly memoryBytes: number
  /** As QEMU hands them to the firmware: `etc/table-loader`, `etc/acpi/rsdp`, `etc/acpi/tables`. */
  readonly acpi: { readonly loader: Uint8Array; readonly rsdp: Uint8Array; readonly tables: Uint8Array }
  /** Values of the five variables of secure boot; null where the firmware has none. */
  readonly secureBoot: Readonly<Record<SecureBootVariable, Uint8Array | null>>
  /** `BootOrder` and the entries that the firmware tries, in its order. */
  readonly bootVariables: readonly { readonly name: string; readonly value: Uint8Array }[]
  readonly kernel: Uint8Array
  /** Whether the firmware sees the kernel with the header that QEMU fills in, or as it is in the file. */
  readonly kernelHeader: 'filled-by-qemu' | 'as-in-file'
  readonly initrd: Uint8Array | null
  readonly commandLine: string
  /** What the guest says of itself into RTMR3, in order. */
  readonly guestMessages: readonly string[]
  /** 48 bytes each, chosen by whoever starts the guest. */
  readonly mrConfigId: Uint8Array
  readonly mrOwner: Uint8Array
  readonly mrOwnerConfig: Uint8Array
}

export interface TdxMeasurement {
  readonly mrtd: Uint8Array
  readonly mrtdParts: readonly MrtdPart[]
  readonly rtmrs: Registers
  readonly events: readonly LaunchEvent[]
  /** Hex: what registries list. */
  readonly imageHash: string
}

export const SECURE_BOOT_VARIABLES = ['SecureBoot', 'PK', 'KEK', 'db', 'dbx'] as const
export type SecureBootVariable = (typeof SECURE_BOOT_VARIABLES)[number]

const GLOBAL_VARIABLE = '8be4df61-93ca-11d2-aa0d-00e098032b8c'
const SECURITY_DATABASE = 'd719b2cb-3d3a-4596-a3bc-dad00e67656f'
const HOB_LIST = '93bb96af-b9f2-4eb8-9462-e0ba74564236'
/** OVMF adds this to the command line when it has an initial RAM disk. */
const INITRD_ARGUMENT = ' initrd=initrd'
const ZEROS = new Uint8Array(64)

/** What OVMF leaves when nothing was ever installed: its own menu, hidden. Attributes, size of the path, name, path. */
export const OVMF_MENU: TdxLaunch['bootVariables'] = [
  { name: 'BootOrder', value: Uint8Array.of(0, 0) },
  {
    name: 'Boot0000',
    value: concatBytes(
      u32(0x109),
      fromHex('2c00'),
      utf16('UiApp\0'),
      concatBytes(fromHex('04071400'), encodeGuid('7cb8bdc9-f8eb-4f34-aaea-3ee4af6516a1')),
      concatBytes(fromHex('04061400'), encodeGuid('462caa21-7614-4503-836e-8ab6f4662331')),
      fromHex('7fff0400'),
    ),
  },
]

/** Throws `config.image-firmware`, `config.image-kernel`, `config.image-input`. */
export async function measureTdx(hashes: Hashes, launch: TdxLaunch): Promise<TdxMeasurement> {
  const firmware = parseTdxFirmware(launch.firmware)
  const { mrtd, parts } = await computeMrtd(hashes, firmware, launch.launchOrder)
  const events = [
    ...(await firmwareEvents(hashes, firmware, launch)),
    ...(await kernelEvents(hashes, launch)),
    ...(await Promise.all(
      launch.guestMessages.map((message) =>
        plainEvent(hashes, 3, EVENT.guestMessage, message, utf8(message), ['guest']),
      ),
    )),
  ]
  const rtmrs = await registersOf(hashes, events)
  return {
    mrtd,
    mrtdParts: parts,
    rtmrs,
    events,
    imageHash: await tdxImageHash(hashes, { ...launch, mrtd, rtmrs }),
  }
}

/** From zero, in order. */
export async function registersOf(hashes: Hashes, events: readonly LaunchEvent[]): Promise<Registers> {
  const registers: [Uint8Array, Uint8Array, Uint8Array, Uint8Array] = [
    new Uint8Array(48),
    new Uint8Array(48),
    new Uint8Array(48),
    new Uint8Array(48),
  ]
  for (const { rtmr, digest } of events)
    registers[rtmr] = await extendRegister((bytes) => hashes.sha384(bytes), registers[rtmr], digest)
  return registers
}

/** SHA-256 of the eight registers and 64 zero bytes, hex; the same that `verifyDcap` finds in a quote. */
export async function tdxImageHash(
  hashes: Hashes,
  of: Pick<TdxLaunch, 'mrConfigId' | 'mrOwner' | 'mrOwnerConfig'> & Pick<TdxMeasurement, 'mrtd' | 'rtmrs'>,
): Promise<string> {
  return toHex(
    await hashes.sha256(concatBytes(of.mrtd, of.mrConfigId, of.mrOwner, of.mrOwnerConfig, ...of.rtmrs, ZEROS)),
  )
}

/** RTMR0: memory, variables, ACPI tables, boot entries. */
async function firmwareEvents(hashes: Hashes, firmware: TdxFirmware, launch: TdxLaunch): Promise<LaunchEvent[]> {
  const hob = encodeTdHob(firmware.sections, launch.memoryBytes)
  const [hobSection, cfvSection] = (['td-hob', 'cfv'] as const).map((kind) => {
    const found = firmware.sections.find((section) => section.kind === kind)
    if (found === undefined) throw measureError('config.image-firmware', 'firmware.tdx.sections', `no ${kind}`)
    return found
  }) as [TdxFirmware['sections'][number], TdxFirmware['sections'][number]]
  const acpi = (name: 'loader' | 'rsdp' | 'tables'): Promise<LaunchEvent> =>
    hashedApart(hashes, 0, EVENT.platformConfig, `ACPI ${name}`, launch.acpi[name], utf8('ACPI DATA'), [`acpi.${name}`])
  return [
    await hashedApart(
      hashes,
      0,
      EVENT.handoffTables,
      'hand-over list',
      hob,
      concatBytes(named('TdxTable'), u64(1), encodeGuid(HOB_LIST), u64(hobSection.address)),
      ['firmware', 'memoryMib'],
    ),
    await hashedApart(
      hashes,
      0,
      EVENT.firmwareBlob,
      'variable store',
      contentOf(firmware, cfvSection),
      // The firmware logs a place holder where a name would be.
      concatBytes(
        named(')Fv(XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX)', 41),
        u64(cfvSection.address),
        u64(cfvSection.memoryBytes),
      ),
      ['firmware'],
    ),
    ...(await Promise.all(
      SECURE_BOOT_VARIABLES.map((name) => {
        const guid = name === 'db' || name === 'dbx' ? SECURITY_DATABASE : GLOBAL_VARIABLE
        const data = variableData(guid, name, launch.secureBoot[name] ?? new Uint8Array())
        return plainEvent(hashes, 0, EVENT.variableDriverConfig, `variable ${name}`, data, ['secureBoot'])
      }),
    )),
    await separatorEvent(hashes, 0),
    await acpi('loader'),
    await acpi('rsdp'),
    await acpi('tables'),
    // Of boot variables only the value is hashed.
    ...(await Promise.all(
      launch.bootVariables.map(({ name, value }) =>
        hashedApart(
          hashes,
          0,
          EVENT.variableBoot,
          `variable ${name}`,
          value,
          variableData(GLOBAL_VARIABLE, name, value),
          ['bootVariables'],
        ),
      ),
    )),
  ]
}

/** RTMR1: what the firmware starts; RTMR2: what the kernel's EFI stub loads, command line first. */
async function kernelEvents(hashes: Hashes, launch: TdxLaunch): Promise<LaunchEvent[]> {
  const { kernel, initrd, commandLine, memoryBytes } = launch
  const isFilled = launch.kernelHeader === 'filled-by-qemu'
  const seen = isFilled ? patchLinuxHeader(kernel, initrd?.length ?? 0, memoryBytes) : kernel
  if (commandLine.includes('\0')) throw measureError('config.image-input', 'commandLine', 'it must not hold a NUL')
  const options = utf16(`${commandLine}${initrd === null ? '' : INITRD_ARGUMENT}\0`)
  return [
    await hashedApart(
      hashes,
      1,
      EVENT.bootApplication,
      'kernel',
      authenticodeBytes(seen),
      utf8('kernel'),
      isFilled ? ['kernel', 'kernelHeader', 'initrd', 'memoryMib'] : ['kernel', 'kernelHeader'],
    ),
    await actionEvent(hashes, 'Calling EFI Application from Boot Option'),
    await separatorEvent(hashes, 1),
    await plainEvent(hashes, 2, EVENT.tag, 'command line', options, ['commandLine', 'initrd']),
    ...(initrd === null
      ? []
      : [await hashedApart(hashes, 2, EVENT.tag, 'initial RAM disk', initrd, utf8('Linux initrd'), ['initrd'])]),
    await actionEvent(hashes, 'Exit Boot Services Invocation'),
    await actionEvent(hashes, 'Exit Boot Services Returned with Success'),
  ]
}

/** An event that logs something else than what it hashes. */
async function hashedApart(
  hashes: Hashes,
  rtmr: LaunchEvent['rtmr'],
  type: number,
  name: string,
  hashed: Uint8Array,
  data: Uint8Array,
  inputs: LaunchEvent['inputs'],
): Promise<LaunchEvent> {
  return { rtmr, type, name, data, digest: await hashes.sha384(hashed), inputs }
}

/** A text behind its length (with the terminator, where there is room for one). */
const named = (text: string, bytes = text.length + 1): Uint8Array => {
  const out = new Uint8Array(1 + bytes)
  out[0] = bytes
  out.set(utf8(text), 1)
  return out
}
