/** Events as firmware logs them, so that other tools can read what was computed here. Browser-safe. Layout: TCG PFP, crypto-agile log. */
import { concatBytes, utf8 } from '../../util/index.ts'
import type { LaunchEvent } from './launch-event.ts'
import { u16, u32 } from './little-endian.ts'

const SHA384 = { algorithm: 0x0c, bytes: 48 } as const
const EV_NO_ACTION = 3
const TERMINATOR = 0xffff_ffff

/** A log with one algorithm, SHA-384; `parseEventLog` reads it, and it replays to the registers. RTMR0 is index 1. */
export function encodeEventLog(events: readonly LaunchEvent[]): Uint8Array {
  const specification = concatBytes(
    utf8('Spec ID Event03\0'),
    u32(0),
    // Version 2.0, errata 0, numbers of 8 bytes.
    Uint8Array.of(0, 2, 0, 2),
    u32(1),
    concatBytes(u16(SHA384.algorithm), u16(SHA384.bytes), Uint8Array.of(0)),
  )
  return concatBytes(
    concatBytes(u32(1), u32(EV_NO_ACTION), new Uint8Array(20), u32(specification.length), specification),
    ...events.map(({ rtmr, type, digest, data }) =>
      concatBytes(concatBytes(u32(rtmr + 1), u32(type), u32(1), u16(SHA384.algorithm), digest), u32(data.length), data),
    ),
    u32(TERMINATOR),
  )
}
