/**
 * Computes the registers that an event log claims, and compares them with those of a verified quote. A log proves nothing
 * by itself: its events may be used only when every register replays. Browser-safe.
 */
import { concatBytes, equalBytes, toHex } from '../../util/index.ts'
import { Checklist, type Verification } from '../verify/checks.ts'
import { EVENT_LOG_ERRORS } from './eventlog-errors.ts'
import { EV_NO_ACTION, type EventLog, eventLogError, SHA384_ALGORITHM } from './eventlog.ts'

export type Sha384 = (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>
/** RTMR0 to RTMR3, 48 bytes each. */
export type Registers = readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array]

const REGISTERS = [0, 1, 2, 3] as const
const REGISTER_BYTES = 48

/** Something that the log does not hold because the guest extended it later: the messages of RTMR3. */
export interface Appended {
  readonly register: 0 | 1 | 2 | 3
  /** 48 bytes. */
  readonly digest: Uint8Array
}

/** register := SHA-384(register ‖ digest). */
export async function extendRegister(sha384: Sha384, register: Uint8Array, digest: Uint8Array): Promise<Uint8Array> {
  return sha384(concatBytes(register, digest))
}

/** From zero, every event in order but `EV_NO_ACTION` and those of MRTD. Throws `attestation.event-log-algorithm`. */
export async function replayEventLog(
  sha384: Sha384,
  log: EventLog,
  appended: readonly Appended[] = [],
): Promise<Registers> {
  if (!log.digestBytesByAlgorithm.has(SHA384_ALGORITHM))
    throw eventLogError('attestation.event-log-algorithm', 'specification.algorithms', 0)
  const registers: [Uint8Array, Uint8Array, Uint8Array, Uint8Array] = [
    new Uint8Array(REGISTER_BYTES),
    new Uint8Array(REGISTER_BYTES),
    new Uint8Array(REGISTER_BYTES),
    new Uint8Array(REGISTER_BYTES),
  ]
  const extend = async (index: number, digest: Uint8Array): Promise<void> => {
    registers[index] = await extendRegister(sha384, registers[index] as Uint8Array, digest)
  }
  for (const { register, type, digests, at } of log.events) {
    if (type === EV_NO_ACTION || register === 0) continue
    const sha = digests.find((d) => d.algorithm === SHA384_ALGORITHM)
    if (sha === undefined) throw eventLogError('attestation.event-log-algorithm', 'digests', at)
    await extend(register - 1, sha.digest)
  }
  for (const { register, digest } of appended) await extend(register, digest)
  return registers
}

/** One check per register. The facts are the log itself: what may be believed once all four hold. */
export async function verifyEventLog(
  sha384: Sha384,
  log: EventLog,
  quoted: Registers,
  appended: readonly Appended[] = [],
): Promise<Verification<EventLog>> {
  const list = new Checklist()
  if (!log.digestBytesByAlgorithm.has(SHA384_ALGORITHM)) {
    list.fail(
      'event-log-algorithm',
      'attestation.event-log-algorithm',
      EVENT_LOG_ERRORS['attestation.event-log-algorithm'],
    )
    return list.finish(log)
  }
  const replayed = await replayEventLog(sha384, log, appended)
  for (const i of REGISTERS)
    list.require(
      `event-log-rtmr${i}`,
      equalBytes(replayed[i], quoted[i]),
      'attestation.event-log-mismatch',
      {
        passed: `The log replays to RTMR${i} of the quote.`,
        failed: EVENT_LOG_ERRORS['attestation.event-log-mismatch'],
      },
      { replayed: toHex(replayed[i]), quoted: toHex(quoted[i]), events: countOf(log, i + 1) },
    )
  return list.finish(log)
}

const countOf = (log: EventLog, register: number): number =>
  log.events.filter((event) => event.register === register && event.type !== EV_NO_ACTION).length
