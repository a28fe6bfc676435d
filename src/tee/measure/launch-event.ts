/** One thing that was measured into a register, and where it came from. Browser-safe. */
import { concatBytes, utf8 } from '../../util/index.ts'
import { encodeGuid } from './guid.ts'
import { u32, u64, utf16 } from './little-endian.ts'
import type { Hashes } from './mrtd.ts'

/** Names of the inputs of an image, as people write them in its description. */
export type ImageInput =
  | 'firmware'
  | 'launchOrder'
  | 'memoryMib'
  | 'acpi.loader'
  | 'acpi.rsdp'
  | 'acpi.tables'
  | 'secureBoot'
  | 'bootVariables'
  | 'kernel'
  | 'kernelHeader'
  | 'initrd'
  | 'commandLine'
  | 'guest'
  | 'vmm'
  | 'vcpus'
  | 'cpu'
  | 'guestFeatures'

export interface LaunchEvent {
  /** RTMR0 to RTMR3. */
  readonly rtmr: 0 | 1 | 2 | 3
  /** Of the TCG's list. */
  readonly type: number
  readonly name: string
  /** SHA-384, 48 bytes: what the register is extended with. */
  readonly digest: Uint8Array
  /** For the log; not what was hashed, where the type says so. */
  readonly data: Uint8Array
  /** Empty: the same on every machine. */
  readonly inputs: readonly ImageInput[]
}

export const EVENT = {
  separator: 0x04,
  tag: 0x06,
  platformConfig: 0x0a,
  variableDriverConfig: 0x8000_0001,
  variableBoot: 0x8000_0002,
  bootApplication: 0x8000_0003,
  action: 0x8000_0007,
  firmwareBlob: 0x8000_000a,
  handoffTables: 0x8000_000b,
  /** Nobody's number: RTMR3 is extended by the guest, which keeps no log. */
  guestMessage: 0x0000_0013,
} as const

/** An event whose data are what is hashed. */
export async function plainEvent(
  hashes: Hashes,
  rtmr: LaunchEvent['rtmr'],
  type: number,
  name: string,
  data: Uint8Array,
  inputs: readonly ImageInput[] = [],
): Promise<LaunchEvent> {
  return { rtmr, type, name, data, digest: await hashes.sha384(data), inputs }
}

export const separatorEvent = (hashes: Hashes, rtmr: LaunchEvent['rtmr']): Promise<LaunchEvent> =>
  plainEvent(hashes, rtmr, EVENT.separator, 'separator', u32(0))

export const actionEvent = (hashes: Hashes, text: string): Promise<LaunchEvent> =>
  plainEvent(hashes, 1, EVENT.action, text, utf8(text))

/** How UEFI logs a variable: GUID, lengths, name in UTF-16, value. */
export const variableData = (guid: string, name: string, value: Uint8Array): Uint8Array =>
  concatBytes(encodeGuid(guid), u64(name.length), u64(value.length), utf16(name), value)
