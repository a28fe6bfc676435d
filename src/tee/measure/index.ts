/**
 * From the sources of an image to what the hardware will say of it: MRTD, RTMR0 to RTMR3 with their events, the SEV-SNP launch
 * digest, the image hash. Nothing here reads files; hashing is an argument. Browser-safe. Source: spec/measurement.md.
 */
export { MEASURE_ERRORS, type MeasureErrorCode } from './errors.ts'
export { compareWithEvidence, type RegisterComparison, registersIn } from './against-evidence.ts'
export { authenticodeBytes } from './authenticode.ts'
export { encodeEventLog } from './event-log.ts'
export { configurationTree, guestMessages, MAX_TREE_FILE_BYTES, type TreeEntry } from './git-tree.ts'
export { type ImageInput, type LaunchEvent } from './launch-event.ts'
export { patchLinuxHeader } from './linux-header.ts'
export { type ImageManifest, MANIFEST_NAME, MAX_MANIFEST_CHARACTERS, parseImageManifest } from './manifest.ts'
export {
  compareGuests,
  describeSnp,
  describeTdx,
  type GuestDifference,
  type MeasuredGuest,
  type MeasuredImage,
  type MeasuredPart,
  type PartDifference,
} from './measured-image.ts'
export { computeMrtd, type Hashes, type LaunchOrder, type MrtdPart } from './mrtd.ts'
export { parseSnpFirmware, type SnpFirmware, type SnpSection, type SnpSectionKind } from './snp-firmware.ts'
export {
  type KernelHashes,
  measureSnp,
  measureSnpHashed,
  type SnpHashedLaunch,
  type SnpLaunch,
  type SnpMeasurement,
  type SnpStep,
} from './snp-launch.ts'
export { CPU_NAMES, cpuSignatureOf, encodeCpuSignature, encodeVmsa, RESET_VECTOR, type SnpVmm } from './snp-vmsa.ts'
export { encodeTdHob } from './td-hob.ts'
export { parseTdxFirmware, type TdxFirmware, type TdxSection, type TdxSectionKind } from './tdx-firmware.ts'
export {
  measureTdx,
  OVMF_MENU,
  registersOf,
  SECURE_BOOT_VARIABLES,
  type SecureBootVariable,
  type TdxLaunch,
  type TdxMeasurement,
  tdxImageHash,
} from './tdx-launch.ts'
