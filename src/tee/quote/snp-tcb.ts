/** Security versions of SEV-SNP firmware: eight bytes whose meaning depends on the product line. Browser-safe. */

/** Siena and Bergamo are Genoa here: same root, same layout. */
export type SnpProduct = 'Milan' | 'Genoa' | 'Turin'

/** Security version numbers, 0 to 255 each; a larger one has more fixes. */
export interface SnpTcb {
  /** Turin only. */
  readonly fmc: number | null
  readonly bootLoader: number
  readonly tee: number
  readonly snp: number
  readonly microcode: number
}

export const TCB_PARTS = ['fmc', 'bootLoader', 'tee', 'snp', 'microcode'] as const

/** Source: spec/attestation-snp-gpu.md, "TCB versions". `raw` has 8 bytes. */
export function readTcb(raw: Uint8Array, product: SnpProduct): SnpTcb {
  const at = (i: number): number => raw[i] as number
  if (product === 'Turin') return { fmc: at(0), bootLoader: at(1), tee: at(2), snp: at(3), microcode: at(7) }
  return { fmc: null, bootLoader: at(0), tee: at(1), snp: at(6), microcode: at(7) }
}

/** Every part at least as new. A part that one side does not have counts as 0. */
export function isTcbAtLeast(tcb: SnpTcb, minimum: SnpTcb): boolean {
  return TCB_PARTS.every((part) => (tcb[part] ?? 0) >= (minimum[part] ?? 0))
}

/** `fmc 1, boot loader 1, …`, for people. */
export function formatTcb(tcb: SnpTcb): string {
  const fmc = tcb.fmc === null ? '' : `fmc ${tcb.fmc}, `
  return `${fmc}boot loader ${tcb.bootLoader}, TEE ${tcb.tee}, SNP ${tcb.snp}, microcode ${tcb.microcode}`
}

/** As AMD's key service is asked for a chip's certificate: `blSPL=3&teeSPL=0&snpSPL=8&ucodeSPL=209`. */
export function tcbQuery(tcb: SnpTcb): string {
  const fmc = tcb.fmc === null ? '' : `fmcSPL=${tcb.fmc}&`
  return `${fmc}blSPL=${tcb.bootLoader}&teeSPL=${tcb.tee}&snpSPL=${tcb.snp}&ucodeSPL=${tcb.microcode}`
}
