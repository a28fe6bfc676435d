/** Every frame recorded between nodes of the public C++ reference: what it contains, and that we would write the same. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  allConstructors,
  clientToProxyMessages,
  clientToProxyQueries,
  constructorId,
  decode,
  decodeOneOf,
  encode,
  encodeUnion,
  httpMessages,
  proxyToClientMessages,
  proxyToWorkerMessages,
  tcpPackets,
  type Union,
  workerToProxyMessages,
  workerToProxyQueries,
} from '../../src/tl/index.ts'
import { fromHex, toHex } from '../../src/util/index.ts'

interface Recorded {
  readonly atUs: number
  readonly leg: 'client' | 'worker'
  readonly connection: number
  readonly from: 'client' | 'worker' | 'proxy'
  /** `peer-info` is a note from a router to the node behind it, on loopback only: no part of this protocol. */
  readonly kind: 'frame' | 'peer-info'
  /** What another decoder found in the frame, outermost first. Absent for `peer-info`. */
  readonly objects?: readonly string[]
  readonly hex: string
}

const FRAME_HEADER_BYTES = 8
const SESSIONS = [
  { session: 'any', frames: 60 },
  { session: 'fake_tdx-c1000', frames: 50 },
  { session: 'client-direct-tls', frames: 48 },
  { session: 'modes', frames: 208 },
]

const linesOf = (session: string): readonly Recorded[] =>
  readFileSync(new URL(`../../spec/vectors/captures/session-${session}.jsonl`, import.meta.url), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

const queriesOf = ({ leg }: Recorded): Union<{ readonly _: string }> =>
  leg === 'client' ? clientToProxyQueries : workerToProxyQueries

const messagesOf = ({ leg, from }: Recorded): Union<{ readonly _: string }> => {
  if (from === 'proxy') return leg === 'client' ? proxyToClientMessages : proxyToWorkerMessages
  return leg === 'client' ? clientToProxyMessages : workerToProxyMessages
}

/** Decodes one of a union, holds its encoding against the bytes, and gives the value. */
function throughAndBack<V extends { readonly _: string }>(of: Union<V>, bytes: Uint8Array): V {
  const value = decodeOneOf(of, bytes)
  expect(toHex(encodeUnion(of, value))).toBe(toHex(bytes))
  return value
}

/** A query's answer may be any constructor: its type depends on the query. */
function answerThroughAndBack(bytes: Uint8Array): { readonly _: string } {
  const def = allConstructors.find(({ id }) => id === constructorId(bytes))
  if (def === undefined) throw new Error('an answer of no known constructor')
  const value = decode(def, bytes)
  expect(toHex(encode(def, value))).toBe(toHex(bytes))
  return value
}

/** Names of the objects in a frame, outermost first; every one has been through and back. */
function openFrame(line: Recorded, payload: Uint8Array): readonly string[] {
  const packet = throughAndBack(tcpPackets, payload)
  switch (packet._) {
    case 'tcp.query':
      return [packet._, throughAndBack(queriesOf(line), packet.data)._]
    case 'tcp.queryAnswer':
      return [packet._, answerThroughAndBack(packet.data)._]
    case 'tcp.packet': {
      const message = throughAndBack(messagesOf(line), packet.data)
      const names = [packet._, message._]
      if ('query' in message) names.push(throughAndBack(httpMessages, message.query as Uint8Array)._)
      if (/\.queryAnswer(Ex)?$/.test(message._) && 'answer' in message)
        names.push(throughAndBack(httpMessages, message.answer as Uint8Array)._)
      return names
    }
    default:
      return [packet._]
  }
}

describe.each(SESSIONS)('session $session', ({ session, frames }) => {
  const recorded = linesOf(session)

  test(`has ${frames} frames, numbered from 0 without a gap in each direction of each connection`, () => {
    const nextSeqno = new Map<string, number>()
    let seen = 0
    for (const line of recorded.filter(({ kind }) => kind === 'frame')) {
      const frame = fromHex(line.hex)
      const header = new DataView(frame.buffer)
      const stream = `${line.leg} ${line.connection} ${line.from}`
      expect(header.getUint32(0, true)).toBe(frame.length - FRAME_HEADER_BYTES)
      expect(header.getInt32(4, true)).toBe(nextSeqno.get(stream) ?? 0)
      nextSeqno.set(stream, header.getInt32(4, true) + 1)
      seen++
    }
    expect(seen).toBe(frames)
  })

  test('every frame, the object in it and the HTTP message in that decode and encode to the same bytes', () => {
    for (const line of recorded.filter(({ kind }) => kind === 'frame')) {
      expect(openFrame(line, fromHex(line.hex).subarray(FRAME_HEADER_BYTES))).toEqual(line.objects)
    }
  })

  test('each connection begins with one note of the router, which is no frame of this protocol', () => {
    const notes = recorded.filter(({ kind }) => kind === 'peer-info')
    expect(notes.map(({ leg }) => leg).toSorted()).toEqual(['client', 'worker'])
  })
})
