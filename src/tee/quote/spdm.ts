/**
 * SPDM 1.1 measurements as they went over the link: GET_MEASUREMENTS and MEASUREMENTS, one behind the other, to a value,
 * without trust. Browser-safe. Layout: spec/attestation-snp-gpu.md, "GPU report". Source: DMTF DSP0274, section 10.11.
 */
import { evidenceError, EvidenceReader } from './evidence-reader.ts'
import { GPU_ERRORS } from './nvidia-errors.ts'

export interface SpdmMeasurement {
  /** From 1. */
  readonly index: number
  /** DMTF value type without the raw bit: 0 immutable ROM, 1 mutable firmware, 2 hardware configuration, … */
  readonly type: number
  /** The value itself rather than a digest of it. */
  readonly isRaw: boolean
  readonly value: Uint8Array
}

export interface SpdmMeasurements {
  /** 32 bytes, chosen by the verifier. */
  readonly requestNonce: Uint8Array
  /** 32 bytes, chosen by the device. */
  readonly responseNonce: Uint8Array
  /** In rising order of index. */
  readonly measurements: readonly SpdmMeasurement[]
  readonly opaque: Uint8Array
  /** Where `opaque` begins in the report. */
  readonly opaqueAt: number
  /** Request and response up to the signature. */
  readonly signed: Uint8Array
  /** r ‖ s, 48 bytes each, big-endian. */
  readonly signature: Uint8Array
}

/** Reports of today are 4 to 5 kB: the record and the opaque data have lengths of 24 and 16 bits. */
export const MAX_SPDM_REPORT_BYTES = 128 * 1024
const DMTF_SPECIFICATION = 1
const SHA384_BYTES = 48
const SIGNATURE_BYTES = 96
const SPDM_1_1 = 0x11

export const GPU_MALFORMED = {
  code: 'attestation.gpu-malformed',
  sentence: GPU_ERRORS['attestation.gpu-malformed'],
} as const

/** Throws `attestation.gpu-malformed` and `attestation.gpu-spdm-version`, with field and offset. */
export function parseSpdmMeasurements(bytes: Uint8Array): SpdmMeasurements {
  const r = new EvidenceReader(bytes, GPU_MALFORMED)
  if (bytes.length > MAX_SPDM_REPORT_BYTES) throw r.refuse('report', MAX_SPDM_REPORT_BYTES, `${bytes.length} bytes`)
  readVersion(r, 'request.version')
  readExactly(r, 'request.code', 0xe0)
  // Signed, all measurements at once: any other request would leave the answer open to choice.
  readExactly(r, 'request.attributes', 0x01)
  readExactly(r, 'request.operation', 0xff)
  const requestNonce = r.bytes(32, 'request.nonce')
  readExactly(r, 'request.slot', 0)

  readVersion(r, 'response.version')
  readExactly(r, 'response.code', 0x60)
  readExactly(r, 'response.param1', 0)
  readExactly(r, 'response.param2', 0)
  const count = r.u8('response.blocks')
  const record = r.part(r.u24('response.recordLength'), 'response.record')
  const measurements = readBlocks(record, count)
  const responseNonce = r.bytes(32, 'response.nonce')
  const opaqueBytes = r.u16('response.opaqueLength')
  const opaqueAt = r.at
  const opaque = r.bytes(opaqueBytes, 'response.opaque')
  const signed = bytes.slice(0, r.at)
  const signature = r.bytes(SIGNATURE_BYTES, 'response.signature')
  r.finish('report')
  return { requestNonce, responseNonce, measurements, opaque, opaqueAt, signed, signature }
}

function readBlocks(record: EvidenceReader, count: number): SpdmMeasurement[] {
  const blocks: SpdmMeasurement[] = []
  for (let i = 0; i < count; i++) {
    const { at } = record
    const index = record.u8('block.index')
    // Rising, so that no index comes twice and a lookup has one answer.
    if (index <= (blocks.at(-1)?.index ?? 0)) throw record.refuse('block.index', at, String(index))
    readExactly(record, 'block.specification', DMTF_SPECIFICATION)
    const block = record.part(record.u16('block.size'), 'block')
    const typeAt = block.at
    const typeByte = block.u8('block.type')
    const isRaw = typeByte >= 0x80
    const size = block.u16('block.valueSize')
    if (!isRaw && size !== SHA384_BYTES) throw record.refuse('block.valueSize', typeAt + 1, String(size))
    const value = block.bytes(size, 'block.value')
    block.finish('block')
    blocks.push({ index, type: typeByte & 0x7f, isRaw, value })
  }
  record.finish('response.record')
  return blocks
}

function readVersion(r: EvidenceReader, field: string): void {
  const { at } = r
  const version = r.u8(field)
  if (version !== SPDM_1_1)
    throw evidenceError(
      'attestation.gpu-spdm-version',
      GPU_ERRORS['attestation.gpu-spdm-version'],
      field,
      at,
      `0x${version.toString(16)}`,
    )
}

function readExactly(r: EvidenceReader, field: string, due: number): void {
  const { at } = r
  const byte = r.u8(field)
  if (byte !== due) throw r.refuse(field, at, `0x${byte.toString(16)}`)
}
