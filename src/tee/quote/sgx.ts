/** The report of an SGX enclave: the body of an SGX quote, and the quoting enclave's part of every quote. Browser-safe. */
import type { EvidenceReader } from './evidence-reader.ts'

export const SGX_REPORT_BYTES = 384

export interface SgxReport {
  /** The 384 bytes as they are signed. */
  readonly bytes: Uint8Array
  readonly cpuSvn: Uint8Array
  readonly miscSelect: number
  /** Flags (8 bytes), then XFRM (8). */
  readonly attributes: Uint8Array
  readonly mrEnclave: Uint8Array
  readonly mrSigner: Uint8Array
  readonly isvProdId: number
  readonly isvSvn: number
  readonly reportData: Uint8Array
}

/** Reads 384 bytes, which lie in `whole` where the reader stands. `name` is the field in errors: `qeReport`. */
export function readSgxReport(reader: EvidenceReader, whole: Uint8Array, name: string): SgxReport {
  const bytes = whole.slice(reader.at, reader.at + SGX_REPORT_BYTES)
  const from = reader.part(SGX_REPORT_BYTES, name)
  const cpuSvn = from.bytes(16, `${name}.cpuSvn`)
  const miscSelect = from.u32(`${name}.miscSelect`)
  from.bytes(28, `${name}.reserved1`)
  const attributes = from.bytes(16, `${name}.attributes`)
  const mrEnclave = from.bytes(32, `${name}.mrEnclave`)
  from.bytes(32, `${name}.reserved2`)
  const mrSigner = from.bytes(32, `${name}.mrSigner`)
  from.bytes(96, `${name}.reserved3`)
  const isvProdId = from.u16(`${name}.isvProdId`)
  const isvSvn = from.u16(`${name}.isvSvn`)
  from.bytes(60, `${name}.reserved4`)
  const reportData = from.bytes(64, `${name}.reportData`)
  return { bytes, cpuSvn, miscSelect, attributes, mrEnclave, mrSigner, isvProdId, isvSvn, reportData }
}

export interface SgxAttributes {
  readonly debug: boolean
  readonly mode64Bit: boolean
  readonly provisionKey: boolean
  readonly launchKey: boolean
  readonly keySeparation: boolean
}

/** Source: Intel SDM, "ATTRIBUTES"; spec/attestation-dcap.md. */
export function decodeSgxAttributes(attributes: Uint8Array): SgxAttributes {
  const flags = attributes[0] ?? 0
  return {
    debug: (flags & 0x02) !== 0,
    mode64Bit: (flags & 0x04) !== 0,
    provisionKey: (flags & 0x10) !== 0,
    launchKey: (flags & 0x20) !== 0,
    keySeparation: (flags & 0x80) !== 0,
  }
}
