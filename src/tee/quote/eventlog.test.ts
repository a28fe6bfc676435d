import { expect, test } from 'vitest'
import { concatBytes, utf8 } from '../../util/index.ts'
import { MAX_EVENT_LOG_BYTES, parseEventLog } from './eventlog.ts'
import { replayEventLog, verifyEventLog } from './eventlog-replay.ts'

const u16 = (n: number): Uint8Array => Uint8Array.of(n & 0xff, n >>> 8)
const u32 = (n: number): Uint8Array => Uint8Array.of(n & 0xff, (n >>> 8) & 0xff, (n >>> 16) & 0xff, n >>> 24)
const SHA384: readonly [number, number] = [0x0c, 48]
const SHA256: readonly [number, number] = [0x0b, 32]

function specification(algorithms: readonly (readonly [number, number])[] = [SHA384], vendor = 0): Uint8Array {
  const event = concatBytes(
    utf8('Spec ID Event03\0'),
    u32(0),
    Uint8Array.of(0, 2, 0, 2),
    u32(algorithms.length),
    ...algorithms.flatMap(([id, size]) => [u16(id), u16(size)]),
    Uint8Array.of(vendor),
    new Uint8Array(vendor),
  )
  return concatBytes(u32(1), u32(3), new Uint8Array(20), u32(event.length), event)
}

function record(register: number, type: number, fill: number, algorithms = [SHA384]): Uint8Array {
  const digests = algorithms.flatMap(([id, size]) => [u16(id), new Uint8Array(size).fill(fill)])
  return concatBytes(u32(register), u32(type), u32(algorithms.length), ...digests, u32(3), utf8('abc'))
}

const HEAD = specification()
const END = u32(0xffffffff)
const copy = (bytes: Uint8Array, at: number, ...values: readonly number[]): Uint8Array => {
  const changed = bytes.slice()
  changed.set(values, at)
  return changed
}

/** Shows what is hashed: keeps the last 48 bytes. */
const fakeSha384 = (bytes: Uint8Array): Uint8Array => bytes.slice(-48)

test('a log ends at its terminator, at a record of zeros, or with its bytes', () => {
  const one = record(1, 13, 7)
  const used = HEAD.length + one.length
  expect(parseEventLog(concatBytes(HEAD, one, END, new Uint8Array(9).fill(0xff)))).toMatchObject({
    end: 'terminator',
    bytesUsed: used,
  })
  expect(parseEventLog(concatBytes(HEAD, one, new Uint8Array(99)))).toMatchObject({
    end: 'zero-record',
    bytesUsed: used,
  })
  expect(parseEventLog(concatBytes(HEAD, one))).toMatchObject({ end: 'end-of-bytes', bytesUsed: used })
})

test('events of MRTD and those without action extend nothing', async () => {
  const log = parseEventLog(concatBytes(HEAD, record(0, 13, 1), record(1, 3, 2), record(2, 13, 3), record(4, 13, 4)))
  const registers = await replayEventLog(fakeSha384, log)
  expect(registers.map(([first]) => first)).toEqual([0, 3, 0, 4])
})

test('of several digests the one with SHA-384 extends; a log without it is refused', async () => {
  const both = parseEventLog(concatBytes(specification([SHA256, SHA384], 5), record(1, 13, 6, [SHA384, SHA256])))
  expect((await replayEventLog(fakeSha384, both))[0]).toEqual(new Uint8Array(48).fill(6))
  const without = parseEventLog(concatBytes(specification([SHA256]), record(1, 13, 6, [SHA256])))
  await expect(replayEventLog(fakeSha384, without)).rejects.toMatchObject({ code: 'attestation.event-log-algorithm' })
  const zero = new Uint8Array(48)
  expect(await verifyEventLog(fakeSha384, without, [zero, zero, zero, zero])).toMatchObject({
    ok: false,
    code: 'attestation.event-log-algorithm',
  })
})

const R = HEAD.length
test.each<[string, Uint8Array, string, number]>([
  ['nothing', new Uint8Array(), 'specification.register', 0],
  ['a first record of another type', copy(HEAD, 4, 4), 'specification.type', 4],
  ['a first record with a digest', copy(HEAD, 8, 1), 'specification.digest', 8],
  ['another signature', copy(HEAD, 32, 0x73), 'specification.signature', 32],
  ['another version', copy(HEAD, 53, 3), 'specification.version', 52],
  ['no algorithms', specification([]), 'specification.algorithms', 56],
  ['too many algorithms', copy(HEAD, 56, 6), 'specification.algorithms', 56],
  ['an algorithm with another size', specification([[0x0c, 47]]), 'specification.algorithm', 60],
  ['an unknown algorithm', specification([[0x99, 48]]), 'specification.algorithm', 60],
  ['an algorithm twice', specification([SHA384, SHA384]), 'specification.algorithm', 64],
  [
    'a first record that is longer than it says',
    concatBytes(copy(HEAD, 28, 34), Uint8Array.of(0)),
    'specification',
    65,
  ],
  ['a register above RTMR3', concatBytes(HEAD, record(5, 13, 1)), 'register', R],
  ['no digest', concatBytes(HEAD, copy(record(1, 13, 1), 8, 0)), 'digestCount', R + 8],
  ['a digest too many', concatBytes(HEAD, copy(record(1, 13, 1), 8, 2)), 'digestCount', R + 8],
  ['a digest of another algorithm', concatBytes(HEAD, copy(record(1, 13, 1), 12, 0x0b)), 'algorithm', R + 12],
  ['an event beyond the end', concatBytes(HEAD, copy(record(1, 13, 1), 65, 0x01)), 'event', R + 66],
  ['half a record', concatBytes(HEAD, record(1, 13, 1).subarray(0, 20)), 'digest', R + 14],
  ['too much', new Uint8Array(MAX_EVENT_LOG_BYTES + 1), 'log', MAX_EVENT_LOG_BYTES],
])('%s is refused with its place', (_, bytes, field, offset) => {
  expect(() => parseEventLog(bytes)).toThrow(
    expect.objectContaining({
      code: 'attestation.event-log-malformed',
      info: expect.objectContaining({ field, offset }),
    }),
  )
})

test('more records than any firmware writes are refused', () => {
  const many = concatBytes(HEAD, ...Array.from({ length: 8193 }, () => record(1, 13, 1)))
  expect(() => parseEventLog(many)).toThrow(expect.objectContaining({ code: 'attestation.event-log-malformed' }))
})
