import { expect, test } from 'vitest'
import { writeWav } from '../../../test/support/wav-writer.ts'
import { parseWav, readMono } from './wav.ts'

const LEVELS = [0, 0.5, -0.5, 0.25, -1]

/** The same sound in every encoding: kind, bits, and how one level is written. */
const ENCODINGS: Readonly<Record<string, readonly [kind: number, bits: number, write: (level: number) => Buffer]>> = {
  'unsigned 8-bit': [1, 8, (level) => Buffer.from([128 + level * 128])],
  '16-bit': [1, 16, (level) => little(2, (b) => b.writeInt16LE(level * 2 ** 15))],
  '24-bit': [1, 24, (level) => little(3, (b) => b.writeIntLE(level * 2 ** 23, 0, 3))],
  '32-bit': [1, 32, (level) => little(4, (b) => b.writeInt32LE(level * 2 ** 31))],
  '32-bit float': [3, 32, (level) => little(4, (b) => b.writeFloatLE(level))],
  '64-bit float': [3, 64, (level) => little(8, (b) => b.writeDoubleLE(level))],
}

function little(bytes: number, write: (buffer: Buffer) => unknown): Buffer {
  const buffer = Buffer.alloc(bytes)
  write(buffer)
  return buffer
}

const monoOf = (file: Uint8Array): readonly number[] => {
  const sound = parseWav(file)
  return [...readMono(sound, sound.data)]
}

test.each(Object.keys(ENCODINGS))('%s samples are read as the levels that were written', (name) => {
  const [kind, bits, write] = ENCODINGS[name] as (typeof ENCODINGS)[string]
  expect(monoOf(writeWav({ rate: 16_000, kind, bits, data: Buffer.concat(LEVELS.map(write)) }))).toEqual(LEVELS)
})

test('several channels become their mean', () => {
  const data = Buffer.from(Int16Array.of(16_384, -16_384, 16_384, 0).buffer)
  expect(monoOf(writeWav({ rate: 8_000, channels: 2, data }))).toEqual([0, 0.25])
})

test('what is no number is silent, and what is too loud is cut', () => {
  const data = new Uint8Array(Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, 3, -3).buffer)
  expect(monoOf(writeWav({ rate: 8_000, kind: 3, bits: 32, data }))).toEqual([0, 0, 1, -1])
})

test('chunks that say nothing of the sound are skipped, also those of an odd length', () => {
  const data = Buffer.from(Int16Array.of(16_384).buffer)
  expect(monoOf(writeWav({ rate: 8_000, data, extraChunk: Buffer.from('abc') }))).toEqual([0.5])
})

test('the extensible form is read by the kind that it names', () => {
  const file = writeWav({ rate: 48_000, data: Buffer.from(Int16Array.of(16_384).buffer) })
  const format = Buffer.alloc(48)
  file.copy(format, 0, 12, 36)
  format.writeUInt32LE(40, 4)
  format.writeUInt16LE(0xfffe, 8)
  format.writeUInt16LE(1, 32)
  expect(monoOf(Buffer.concat([file.subarray(0, 12), format, file.subarray(36)]))).toEqual([0.5])
})

test('a length that a pipe could not know means the rest of the file', () => {
  const data = Buffer.from(Int16Array.of(16_384, -16_384).buffer)
  expect(monoOf(writeWav({ rate: 8_000, data, declaredBytes: 0xffff_ffff }))).toEqual([0.5, -0.5])
})

const SAMPLE = new Uint8Array(200)
const GOOD = writeWav({ rate: 8_000, data: SAMPLE })
const FAULTS: Readonly<Record<string, readonly [file: Uint8Array, code: string, says: string]>> = {
  'a file that is no sound': [
    Buffer.from('hello '.repeat(10)),
    'unsupported_audio',
    'no sound file that is known here',
  ],
  'an empty file': [new Uint8Array(), 'unsupported_audio', 'no sound file'],
  'an Ogg file': [Buffer.from(`OggS${' '.repeat(60)}`), 'unsupported_audio', 'an Ogg file'],
  'an MP4 file': [Buffer.from(`\0\0\0 ftypisom${' '.repeat(60)}`), 'unsupported_audio', 'an MP4 or M4A file'],
  'µ-law': [writeWav({ rate: 8_000, kind: 7, bits: 8, data: SAMPLE }), 'unsupported_audio', 'ffmpeg -i INPUT'],
  'a rate below speech': [writeWav({ rate: 4_000, data: SAMPLE }), 'unsupported_audio', '4000 frames a second'],
  'a rate above all microphones': [writeWav({ rate: 200_000, data: SAMPLE }), 'unsupported_audio', '8000 to 192000'],
  'no channel': [writeWav({ rate: 8_000, channels: 0, data: SAMPLE }), 'unsupported_audio', '0 channels'],
  'too many channels': [writeWav({ rate: 8_000, channels: 9, data: SAMPLE }), 'unsupported_audio', '9 channels'],
  'no sound in it': [writeWav({ rate: 8_000, data: new Uint8Array() }), 'empty_audio', 'holds no sound'],
  'less than a sample': [writeWav({ rate: 8_000, data: new Uint8Array(1) }), 'empty_audio', 'holds no sound'],
  'data that is missing': [GOOD.subarray(0, 100), 'invalid_audio', '200 bytes of sound are announced and 56 are there'],
  'no data': [GOOD.subarray(0, 36), 'invalid_audio', 'no sound in it'],
  'a format that is cut off': [GOOD.subarray(0, 24), 'invalid_audio', 'cut off inside its headers'],
  'data before the format': [
    Buffer.concat([GOOD.subarray(0, 12), GOOD.subarray(36)]),
    'invalid_audio',
    'its data stands before its format',
  ],
}

test.each(Object.keys(FAULTS))('%s is refused, and the error says why', (name) => {
  const [file, code, says] = FAULTS[name] as (typeof FAULTS)[string]
  const info: unknown = expect.objectContaining({ param: 'file', code, message: expect.stringContaining(says) })
  expect(() => parseWav(file)).toThrowError(expect.objectContaining({ code: 'request.invalid', info }))
})

test('a file cut anywhere is refused, never read beyond its end', () => {
  for (let end = 0; end < GOOD.length; end++)
    expect(() => parseWav(GOOD.subarray(0, end)), `cut at ${end}`).toThrowError(
      expect.objectContaining({ code: 'request.invalid' }),
    )
})
