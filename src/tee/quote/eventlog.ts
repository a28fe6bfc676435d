/**
 * TCG event logs as TDX firmware leaves them (ACPI CCEL, TCG2 format): bytes to records, without trust. Browser-safe.
 * Layout: spec/attestation-snp-gpu.md, "Event logs".
 */
import { evidenceError, EvidenceReader } from './evidence-reader.ts'
import { EVENT_LOG_ERRORS } from './eventlog-errors.ts'

export interface LoggedEvent {
  /** Where the record begins. */
  readonly at: number
  /** 0 is MRTD, 1 to 4 are RTMR0 to RTMR3. */
  readonly register: number
  readonly type: number
  readonly digests: readonly { readonly algorithm: number; readonly digest: Uint8Array }[]
  readonly data: Uint8Array
}

export interface EventLog {
  /** Bytes of each digest by algorithm, from the first record. */
  readonly digestBytesByAlgorithm: ReadonlyMap<number, number>
  readonly events: readonly LoggedEvent[]
  /** What ended the log. The area behind it is filled, and is not read. */
  readonly end: 'terminator' | 'zero-record' | 'end-of-bytes'
  /** Up to what ended it. */
  readonly bytesUsed: number
}

export const SHA384_ALGORITHM = 0x000c
/** A record that extends nothing. */
export const EV_NO_ACTION = 3

/** The area that firmware sets aside is 64 kB to 1 MB. */
export const MAX_EVENT_LOG_BYTES = 4 * 1024 * 1024
/** Real logs have under a hundred; a record of 12 bytes or more bounds it too, but the objects are larger than that. */
const MAX_EVENTS = 8192
/** Bytes: SHA-1, SHA-256, SHA-384, SHA-512, SM3. */
const DIGEST_BYTES: Readonly<Record<number, number>> = { 0x04: 20, 0x0b: 32, 0x0c: 48, 0x0d: 64, 0x12: 32 }
const SPEC_ID = 'Spec ID Event03\0'
const TERMINATOR = 0xffffffff
const LAST_REGISTER = 4

const MALFORMED = {
  code: 'attestation.event-log-malformed',
  sentence: EVENT_LOG_ERRORS['attestation.event-log-malformed'],
} as const

/** Throws `attestation.event-log-malformed` with field and offset. */
export function parseEventLog(bytes: Uint8Array): EventLog {
  const r = new EvidenceReader(bytes, MALFORMED)
  if (bytes.length > MAX_EVENT_LOG_BYTES) throw r.refuse('log', MAX_EVENT_LOG_BYTES, `${bytes.length} bytes`)
  const digestBytesByAlgorithm = readSpecification(r)
  const events: LoggedEvent[] = []
  let end: EventLog['end'] = 'end-of-bytes'
  let bytesUsed = r.at
  while (r.left > 0) {
    const { at } = r
    const register = r.u32('register')
    if (register === TERMINATOR) {
      end = 'terminator'
      break
    }
    const type = r.u32('type')
    if (register === 0 && type === 0) {
      end = 'zero-record'
      break
    }
    if (register > LAST_REGISTER) throw r.refuse('register', at, String(register))
    if (events.length === MAX_EVENTS) throw r.refuse('log', at, `more than ${MAX_EVENTS} records`)
    const digests = readDigests(r, digestBytesByAlgorithm)
    const data = r.bytes(r.u32('eventSize'), 'event')
    events.push({ at, register, type, digests, data })
    bytesUsed = r.at
  }
  return { digestBytesByAlgorithm, events, end, bytesUsed }
}

/** The first record, in the old form: it names the algorithms and their digest sizes. */
function readSpecification(r: EvidenceReader): Map<number, number> {
  const at = r.at
  const register = r.u32('specification.register')
  if (register > LAST_REGISTER) throw r.refuse('specification.register', at, String(register))
  const type = r.u32('specification.type')
  if (type !== EV_NO_ACTION) throw r.refuse('specification.type', at + 4, String(type))
  r.skipZeros(20, 'specification.digest')
  const event = r.part(r.u32('specification.size'), 'specification')
  const signatureAt = event.at
  if (String.fromCharCode(...event.bytes(SPEC_ID.length, 'specification.signature')) !== SPEC_ID)
    throw r.refuse('specification.signature', signatureAt, 'another signature')
  event.u32('specification.platformClass')
  const versionAt = event.at
  const minor = event.u8('specification.versionMinor')
  const major = event.u8('specification.versionMajor')
  if (major !== 2 || minor !== 0) throw r.refuse('specification.version', versionAt, `${major}.${minor}`)
  event.u8('specification.errata')
  event.u8('specification.uintnSize')
  const countAt = event.at
  const count = event.u32('specification.algorithms')
  const sizes = new Map<number, number>()
  if (count === 0 || count > Object.keys(DIGEST_BYTES).length)
    throw r.refuse('specification.algorithms', countAt, String(count))
  for (let i = 0; i < count; i++) {
    const algorithmAt = event.at
    const algorithm = event.u16('specification.algorithm')
    const size = event.u16('specification.digestSize')
    if (DIGEST_BYTES[algorithm] !== size || sizes.has(algorithm))
      throw r.refuse('specification.algorithm', algorithmAt, `0x${algorithm.toString(16)} with ${size} bytes`)
    sizes.set(algorithm, size)
  }
  event.bytes(event.u8('specification.vendorSize'), 'specification.vendor')
  event.finish('specification')
  return sizes
}

/** One digest for each algorithm of the log. A record that lacks one could extend a register unseen. */
function readDigests(r: EvidenceReader, sizes: ReadonlyMap<number, number>): LoggedEvent['digests'] {
  const countAt = r.at
  const count = r.u32('digestCount')
  if (count !== sizes.size) throw r.refuse('digestCount', countAt, String(count))
  const digests: { algorithm: number; digest: Uint8Array }[] = []
  for (let i = 0; i < count; i++) {
    const { at } = r
    const algorithm = r.u16('algorithm')
    const size = sizes.get(algorithm)
    if (size === undefined || digests.some((d) => d.algorithm === algorithm))
      throw r.refuse('algorithm', at, `0x${algorithm.toString(16)}`)
    digests.push({ algorithm, digest: r.bytes(size, 'digest') })
  }
  return digests
}

/** For `eventlog-replay.ts`: a refusal that is about the whole log. */
export function eventLogError(code: keyof typeof EVENT_LOG_ERRORS, field: string, at: number): Error {
  return evidenceError(code, EVENT_LOG_ERRORS[code], field, at)
}
