/** Hostile bytes for ports that speak frames: recorded traffic and drawn messages, damaged. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import {
  type AnyCtor,
  clientToProxyMessages,
  clientToProxyQueries,
  encode,
  proxyToClientMessages,
  proxyToWorkerMessages,
  proxyToWorkerQueries,
  tcpPackets,
  workerToProxyMessages,
  workerToProxyQueries,
  x1Constructors,
} from '../../src/tl/index.ts'
import { fromHex } from '../../src/util/index.ts'
import { arbitraryBoxed } from '../support/tl-arbitrary.ts'
import { mutate } from './tl.ts'

export type Draw = (n: number) => number

const FRAME_HEADER_BYTES = 8
const SESSIONS = ['any', 'fake_tdx-c1000', 'client-direct-tls', 'modes']

interface Recorded {
  readonly leg: 'client' | 'worker'
  readonly from: 'client' | 'worker' | 'proxy'
  readonly kind: 'frame' | 'peer-info'
  readonly hex: string
}

const readSession = (session: string): Recorded[] =>
  readFileSync(new URL(`../../spec/vectors/captures/session-${session}.jsonl`, import.meta.url), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Recorded)

/** Everything that this side was recorded to say on this leg, one frame an entry. */
export function recordedFrames(leg: 'client' | 'worker', from: 'client' | 'worker' | 'proxy'): readonly Uint8Array[] {
  return SESSIONS.flatMap(readSession)
    .filter((one) => one.kind === 'frame' && one.leg === leg && one.from === from)
    .map((one) => fromHex(one.hex))
}

/** What the sender at this end of this leg may say, and what only others may. */
const DEFINITIONS: Readonly<Record<'client' | 'worker', readonly AnyCtor[]>> = {
  client: [...clientToProxyQueries.members, ...clientToProxyMessages.members, ...proxyToClientMessages.members],
  worker: [
    ...workerToProxyQueries.members,
    ...workerToProxyMessages.members,
    ...proxyToWorkerMessages.members,
    ...proxyToWorkerQueries.members,
  ],
}

export interface FrameInputs {
  /** A boxed object for inside a packet or query: whole, damaged or random. */
  message(draw: Draw): Uint8Array
  /** A stream of frames: recorded ones with damage to header, length, number or content. */
  stream(draw: Draw): Uint8Array
}

export function createFrameInputs(
  leg: 'client' | 'worker',
  from: 'client' | 'worker' | 'proxy',
  seed: number,
): FrameInputs {
  const frames = recordedFrames(leg, from)
  const definitions = [...DEFINITIONS[leg], ...x1Constructors]
  const drawn = definitions.flatMap((def, i) =>
    fc.sample(arbitraryBoxed(def), { seed: seed + i, numRuns: 20 }).map((value) => encode(def, value)),
  )
  const packets = (tcpPackets.members as readonly AnyCtor[]).flatMap((def, i) =>
    fc.sample(arbitraryBoxed(def), { seed: seed - i, numRuns: 5 }).map((value) => encode(def, value)),
  )
  const pick = <T>(from: readonly T[], draw: Draw): T => from[draw(from.length)] as T
  const recordedMessage = (draw: Draw): Uint8Array => {
    // Behind the header, the packet's id, perhaps a query id, and a length: about there the message begins.
    const frame = pick(frames, draw)
    return frame.subarray(Math.min(frame.length, FRAME_HEADER_BYTES + 4 * (2 + draw(4))))
  }
  const source = (draw: Draw): Uint8Array => (draw(3) === 0 ? recordedMessage(draw) : pick(drawn, draw))
  const payload = (draw: Draw): Uint8Array =>
    draw(3) === 0 ? pick(packets, draw) : pick(frames, draw).subarray(FRAME_HEADER_BYTES)

  return {
    message(draw) {
      switch (draw(8)) {
        case 0:
          return source(draw)
        case 1:
          return randomBytes(draw, draw(600))
        default:
          return mutate(source(draw), pick(drawn, draw), draw)
      }
    },
    stream(draw) {
      const count = 1 + draw(6)
      const broken = draw(count + 1)
      const parts = Array.from({ length: count }, (_, seqno) => {
        const content = draw(4) === 0 ? mutate(payload(draw), pick(packets, draw), draw) : payload(draw)
        return frame(content, seqno, seqno === broken ? draw : undefined)
      })
      return Buffer.concat(parts)
    },
  }
}

/** @param draw damages the header where given */
function frame(payload: Uint8Array, seqno: number, draw?: Draw): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES)
  const lengths = [0, 1, 3, payload.length + 1, payload.length - 1, 1 << 24, (1 << 24) + 1, 0x7fffffff, 0xffffffff]
  const length = draw?.(2) === 0 ? (lengths[draw(lengths.length)] as number) : payload.length
  const number = draw?.(2) === 0 ? draw(0xffffffff) : seqno
  header.writeUInt32LE(length >>> 0, 0)
  header.writeUInt32LE(number >>> 0, 4)
  return Buffer.concat([header, payload])
}

export const randomBytes = (draw: Draw, length: number): Uint8Array => Uint8Array.from({ length }, () => draw(256))
