/**
 * The save area that a virtual processor starts with, one page of 4096 bytes. It is measured, and hypervisors fill it in slightly
 * different ways. Browser-safe. Layout: AMD64 Architecture Programmer's Manual, volume 2, appendix B; values: spec/measurement.md,
 * "Processors".
 */
import { viewOf } from './little-endian.ts'

export type SnpVmm = 'qemu' | 'ec2' | 'gce'

export interface VcpuStart {
  readonly vmm: SnpVmm
  /** Where it begins: the reset vector for the first one, the firmware's own address for the others. */
  readonly address: number
  /** CPUID leaf 1, EAX; only QEMU leaves it in a register. */
  readonly cpuSignature: number
  /** SEV_FEATURES, bit 0: SNP active. */
  readonly guestFeatures: number
}

/** Where the first processor begins. */
export const RESET_VECTOR = 0xffff_fff0
const PAGE_BYTES = 4096

const AT = {
  es: 0x000,
  cs: 0x010,
  ss: 0x020,
  ds: 0x030,
  fs: 0x040,
  gs: 0x050,
  gdtr: 0x060,
  ldtr: 0x070,
  idtr: 0x080,
  tr: 0x090,
  efer: 0x0d0,
  cr4: 0x148,
  cr0: 0x158,
  dr7: 0x160,
  dr6: 0x168,
  rflags: 0x170,
  rip: 0x178,
  pat: 0x268,
  rdx: 0x310,
  features: 0x3b0,
  xcr0: 0x3e8,
  mxcsr: 0x408,
  x87Control: 0x410,
} as const

export function encodeVmsa({ vmm, address, cpuSignature, guestFeatures }: VcpuStart): Uint8Array {
  const page = new Uint8Array(PAGE_BYTES)
  const view = viewOf(page)
  const segment = (at: number, selector: number, attributes: number, limit: number, base = 0): void => {
    view.setUint16(at, selector, true)
    view.setUint16(at + 2, attributes, true)
    view.setUint32(at + 4, limit, true)
    view.setBigUint64(at + 8, BigInt(base), true)
  }
  const register = (at: number, value: bigint): void => view.setBigUint64(at, value, true)
  const isEc2 = vmm === 'ec2'
  const isQemu = vmm === 'qemu'
  for (const at of [AT.es, AT.ds, AT.fs, AT.gs]) segment(at, 0, 0x93, 0xffff)
  segment(AT.cs, 0xf000, isEc2 && address === RESET_VECTOR ? 0x9a : 0x9b, 0xffff, address - (address % 0x1_0000))
  segment(AT.ss, 0, isEc2 ? 0x92 : 0x93, 0xffff)
  segment(AT.gdtr, 0, 0, 0xffff)
  segment(AT.idtr, 0, 0, 0xffff)
  segment(AT.ldtr, 0, 0x82, 0xffff)
  segment(AT.tr, 0, isEc2 ? 0x83 : 0x8b, 0xffff)
  register(AT.efer, 0x1000n) // KVM sets EFER.SVME
  register(AT.cr4, 0x40n) // KVM sets CR4.MCE
  register(AT.cr0, 0x10n)
  register(AT.dr7, 0x400n)
  register(AT.dr6, 0xffff_0ff0n)
  register(AT.rflags, 2n)
  register(AT.rip, BigInt(address % 0x1_0000))
  register(AT.pat, vmm === 'gce' ? 0x7_0106n : 0x7_0406_0007_0406n)
  register(AT.rdx, isQemu ? BigInt(cpuSignature) : 0x600n)
  register(AT.features, BigInt(guestFeatures))
  register(AT.xcr0, 1n)
  if (isQemu) {
    view.setUint32(AT.mxcsr, 0x1f80, true)
    view.setUint16(AT.x87Control, 0x37f, true)
  }
  return page
}

/** QEMU's names for processors that can run SEV-SNP guests, as family, model, stepping. */
const CPU_MODELS: Readonly<Record<string, readonly [number, number, number]>> = {
  EPYC: [23, 1, 2],
  'EPYC-v4': [23, 1, 2],
  'EPYC-Rome': [23, 49, 0],
  'EPYC-Milan': [25, 1, 1],
  'EPYC-Genoa': [25, 17, 0],
  'EPYC-Turin': [26, 0, 0],
}
export const CPU_NAMES: readonly string[] = Object.keys(CPU_MODELS)

/** CPUID leaf 1, EAX; null when the name is not known. */
export function cpuSignatureOf(name: string): number | null {
  const found = CPU_MODELS[name.replace(/-v[12]$/, '')] ?? CPU_MODELS[name]
  return found === undefined ? null : encodeCpuSignature(...found)
}

/** Families above 15 continue in a field of their own, and so do models. */
export function encodeCpuSignature(family: number, model: number, stepping: number): number {
  const low = Math.min(family, 0xf)
  return ((family - low) << 20) | ((model >> 4) << 16) | (low << 8) | ((model & 0xf) << 4) | (stepping & 0xf)
}
