/**
 * What was computed for an image against what a machine says it runs: register by register, and with the machine's own log
 * event by event. Says nothing of whether the evidence is genuine. Browser-safe.
 */
import { toHex } from '../../util/index.ts'
import {
  EV_NO_ACTION,
  type EventLog,
  parseDcapQuote,
  parseSnpReport,
  type Registers,
  replayEventLog,
} from '../quote/index.ts'
import { measureError } from './errors.ts'
import type { MeasuredGuest } from './measured-image.ts'
import type { Hashes } from './mrtd.ts'

const SHA384 = 0x0c

/** Registers as `MeasuredGuest` names them, hex. Throws `attestation.*` on evidence that cannot be read. */
export function registersIn(
  form: 'dcap-quote' | 'snp-report',
  bytes: Uint8Array,
): Pick<MeasuredGuest, 'kind' | 'registers'> {
  if (form === 'snp-report')
    return { kind: 'sev-snp', registers: { launchDigest: toHex(parseSnpReport(bytes).measurement) } }
  const { body } = parseDcapQuote(bytes)
  if (body.tee === 'sgx')
    throw measureError('config.image-input', 'evidence', 'it is of an SGX enclave, not of a guest')
  const { mrTd, rtmrs } = body.report
  return {
    kind: 'tdx',
    registers: { mrtd: toHex(mrTd), ...Object.fromEntries(rtmrs.map((value, i) => [`rtmr${i}`, toHex(value)])) },
  }
}

export interface RegisterComparison {
  readonly register: string
  readonly computed: string
  readonly found: string
  readonly isSame: boolean
  /** With a log, where the register differs: the first place at which the two part. Null otherwise. */
  readonly parting: {
    /** From 0. */
    readonly place: number
    /** The event that was computed; null when the log has more. */
    readonly computed: { readonly name: string; readonly digest: string } | null
    /** The digest that was logged; null when the log ends earlier. */
    readonly logged: string | null
  } | null
}

/** Throws `config.image-input` when the log is not the one behind these registers. */
export async function compareWithEvidence(
  hashes: Hashes,
  guest: MeasuredGuest,
  found: Readonly<Record<string, string>>,
  log: EventLog | null,
): Promise<readonly RegisterComparison[]> {
  if (log !== null) await verifyOwnLog(hashes, log, found)
  return Object.entries(guest.registers).map(([register, computed]) => {
    const isSame = found[register] === computed
    return {
      register,
      computed,
      found: found[register] ?? '',
      isSame,
      parting: isSame || log === null || !register.startsWith('rtmr') ? null : partingOf(guest, register, log),
    }
  })
}

/** RTMR3 is left out: guests extend it and keep no log. */
async function verifyOwnLog(hashes: Hashes, log: EventLog, found: Readonly<Record<string, string>>): Promise<void> {
  const replayed: Registers = await replayEventLog((bytes) => hashes.sha384(bytes), log)
  for (const i of [0, 1, 2] as const)
    if (toHex(replayed[i]) !== found[`rtmr${i}`])
      throw measureError(
        'config.image-input',
        'eventLog',
        `it does not replay to RTMR${i} of the evidence: it is another machine's or start's`,
      )
}

function partingOf(guest: MeasuredGuest, register: string, log: EventLog): RegisterComparison['parting'] {
  const index = Number(register.slice(-1)) + 1
  const logged = log.events
    .filter((event) => event.register === index && event.type !== EV_NO_ACTION)
    .map((event) => toHex(event.digests.find(({ algorithm }) => algorithm === SHA384)?.digest ?? new Uint8Array()))
  const computed = guest.parts.filter((part) => part.register === register)
  for (let place = 0; place < Math.max(logged.length, computed.length); place++) {
    const [one, other] = [computed[place], logged[place]]
    if (one?.digest === other) continue
    return {
      place,
      computed: one === undefined ? null : { name: one.name, digest: one.digest },
      logged: other ?? null,
    }
  }
  return null
}
