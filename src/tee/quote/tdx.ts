/**
 * The report of a TDX guest, as a quote carries it: 1.0, 1.5 and the extended form of 1.5. Browser-safe.
 * Layout: spec/attestation-dcap.md, "TD report".
 */
import type { EvidenceReader } from './evidence-reader.ts'

/** What the TDX module, the firmware and the guest measured and said of themselves. */
export interface TdReport {
  /** 16 bytes: [0] module's minor SVN, [1] its major version, [2] the loader's SVN. */
  readonly teeTcbSvn: Uint8Array
  readonly mrSeam: Uint8Array
  readonly mrSignerSeam: Uint8Array
  readonly seamAttributes: Uint8Array
  readonly tdAttributes: Uint8Array
  readonly xfam: Uint8Array
  readonly mrTd: Uint8Array
  readonly mrConfigId: Uint8Array
  readonly mrOwner: Uint8Array
  readonly mrOwnerConfig: Uint8Array
  readonly rtmrs: readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array]
  readonly reportData: Uint8Array
  /** From 1.5 on; null before. */
  readonly later: TdReport15 | null
  /** Only in the extended form. */
  readonly extended: TdReportExtended | null
}

export interface TdReport15 {
  /** The TCB when the quote was made; `teeTcbSvn` is that of the guest's start. */
  readonly teeTcbSvn2: Uint8Array
  /** Measurement of service TDs bound to this one; zero without any. */
  readonly mrServiceTd: Uint8Array
}

export interface TdReportExtended {
  readonly vmId: number
  readonly tdId: Uint8Array
  readonly deviceInfo: Uint8Array
  readonly initialServiceTd: Uint8Array
  readonly initialServiceTdAttributes: Uint8Array
  readonly initialCpuSvn: Uint8Array
  readonly initialTeeTcbSvn: Uint8Array
  readonly initialFmspc: Uint8Array
  readonly currentServiceTd: Uint8Array
  readonly currentServiceTdAttributes: Uint8Array
}

export type TdReportForm = '1.0' | '1.5' | '1.5-extended'

export const TD_REPORT_BYTES: Readonly<Record<TdReportForm, number>> = { '1.0': 584, '1.5': 648, '1.5-extended': 885 }

export function readTdReport(from: EvidenceReader, form: TdReportForm): TdReport {
  const hash = (field: string): Uint8Array => from.bytes(48, field)
  return {
    teeTcbSvn: from.bytes(16, 'teeTcbSvn'),
    mrSeam: hash('mrSeam'),
    mrSignerSeam: hash('mrSignerSeam'),
    seamAttributes: from.bytes(8, 'seamAttributes'),
    tdAttributes: from.bytes(8, 'tdAttributes'),
    xfam: from.bytes(8, 'xfam'),
    mrTd: hash('mrTd'),
    mrConfigId: hash('mrConfigId'),
    mrOwner: hash('mrOwner'),
    mrOwnerConfig: hash('mrOwnerConfig'),
    rtmrs: [hash('rtmr0'), hash('rtmr1'), hash('rtmr2'), hash('rtmr3')],
    reportData: from.bytes(64, 'reportData'),
    later: form === '1.0' ? null : { teeTcbSvn2: from.bytes(16, 'teeTcbSvn2'), mrServiceTd: hash('mrServiceTd') },
    extended: form === '1.5-extended' ? readExtended(from) : null,
  }
}

function readExtended(from: EvidenceReader): TdReportExtended {
  return {
    vmId: from.u8('vmId'),
    tdId: from.bytes(32, 'tdId'),
    deviceInfo: from.bytes(48, 'deviceInfo'),
    initialServiceTd: from.bytes(48, 'initialServiceTd'),
    initialServiceTdAttributes: from.bytes(8, 'initialServiceTdAttributes'),
    initialCpuSvn: from.bytes(16, 'initialCpuSvn'),
    initialTeeTcbSvn: from.bytes(16, 'initialTeeTcbSvn'),
    initialFmspc: from.bytes(12, 'initialFmspc'),
    currentServiceTd: from.bytes(48, 'currentServiceTd'),
    currentServiceTdAttributes: from.bytes(8, 'currentServiceTdAttributes'),
  }
}

export interface TdAttributes {
  /** The host may read the guest: nothing inside is confidential. */
  readonly debug: boolean
  /** Set in guests that want no exception when the host takes a page away. Clear, a host can steer such exceptions. */
  readonly septVeDisable: boolean
  readonly migratable: boolean
  readonly protectionKeys: boolean
  readonly keyLocker: boolean
  readonly perfmon: boolean
  /** Bits without a name here, as 16 hex digits, most significant first. A policy should want none. */
  readonly otherBits: string
}

const BIT = {
  debug: 0n,
  septVeDisable: 28n,
  migratable: 29n,
  protectionKeys: 30n,
  keyLocker: 31n,
  perfmon: 63n,
} as const

/** 8 bytes, little-endian. */
export function decodeTdAttributes(attributes: Uint8Array): TdAttributes {
  let bits = 0n
  attributes.forEach((byte, i) => {
    bits |= BigInt(byte) << BigInt(8 * i)
  })
  const has = (bit: bigint): boolean => ((bits >> bit) & 1n) === 1n
  const named = Object.values(BIT).reduce<bigint>((mask, bit) => mask | (1n << bit), 0n)
  return {
    debug: has(BIT.debug),
    septVeDisable: has(BIT.septVeDisable),
    migratable: has(BIT.migratable),
    protectionKeys: has(BIT.protectionKeys),
    keyLocker: has(BIT.keyLocker),
    perfmon: has(BIT.perfmon),
    otherBits: (bits & ~named).toString(16).padStart(16, '0'),
  }
}
