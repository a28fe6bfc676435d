/**
 * WAV files: what they say of themselves, and their samples as one channel of floats. Other containers are told apart so that the
 * refusal can name them. Source: Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" (RIFF WAVE) and its
 * WAVEFORMATEXTENSIBLE.
 */
import type { CocoonError } from '../../util/index.ts'
import { invalid } from '../embedded/errors.ts'

export type SampleEncoding = 'u8' | 's16' | 's24' | 's32' | 'f32' | 'f64'

export interface SoundFormat {
  /** Frames per second. */
  readonly rate: number
  readonly channels: number
  readonly encoding: SampleEncoding
}

export interface Sound extends SoundFormat {
  readonly frames: number
  /** `frames` times `channels` samples, little-endian. */
  readonly data: Uint8Array
}

export const SAMPLE_BYTES: Readonly<Record<SampleEncoding, number>> = { u8: 1, s16: 2, s24: 3, s32: 4, f32: 4, f64: 8 }

/** Telephones have 8,000; below, consonants are gone. */
const MIN_RATE = 8_000
const MAX_RATE = 192_000
const MAX_CHANNELS = 8
/** Writers that do not know the length beforehand (pipes) leave this; the rest of the file is meant. */
const UNKNOWN_LENGTH = 0xffff_ffff

const PCM = 1
const FLOAT = 3
const EXTENSIBLE = 0xfffe

/** Throws `request.invalid` about `file`. */
export function parseWav(file: Uint8Array): Sound {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  if (file.length < 12 || tag(file, 0) !== 'RIFF' || tag(file, 8) !== 'WAVE') throw notWav(file)
  let format: SoundFormat | undefined
  for (let at = 12; at + 8 <= file.length; ) {
    const [name, declared] = [tag(file, at), view.getUint32(at + 4, true)]
    const [start, left] = [at + 8, file.length - at - 8]
    if (name === 'data') {
      if (format === undefined) throw broken('its data stands before its format')
      const frameBytes = SAMPLE_BYTES[format.encoding] * format.channels
      if (declared !== UNKNOWN_LENGTH && declared > left)
        throw broken(`it is cut off: ${declared} bytes of sound are announced and ${left} are there`)
      const frames = Math.floor(Math.min(declared, left) / frameBytes)
      if (frames === 0) throw invalid('file', 'holds no sound', 'empty_audio')
      return { ...format, frames, data: file.subarray(start, start + frames * frameBytes) }
    }
    if (declared > left) throw broken('it is cut off inside its headers')
    if (name === 'fmt ') format = parseFormat(view, start, declared)
    // Chunks begin at even places.
    at = start + declared + (declared % 2)
  }
  throw broken(format === undefined ? 'it says no format' : 'it has no sound in it')
}

function parseFormat(view: DataView, at: number, bytes: number): SoundFormat {
  if (bytes < 16) throw broken('its format is too short')
  let kind = view.getUint16(at, true)
  const [channels, rate, bits] = [
    view.getUint16(at + 2, true),
    view.getUint32(at + 4, true),
    view.getUint16(at + 14, true),
  ]
  // The first two bytes of the identifier that follows are what the field itself would have said.
  if (kind === EXTENSIBLE && bytes >= 40) kind = view.getUint16(at + 24, true)
  const encoding = ENCODINGS[`${kind}/${bits}`]
  if (encoding === undefined)
    throw invalid('file', `is a WAV file in an encoding that this engine does not read. ${MEND}`, 'unsupported_audio')
  if (rate < MIN_RATE || rate > MAX_RATE)
    throw invalid('file', `has ${rate} frames a second; ${MIN_RATE} to ${MAX_RATE} can be read`, 'unsupported_audio')
  if (channels < 1 || channels > MAX_CHANNELS)
    throw invalid('file', `has ${channels} channels; 1 to ${MAX_CHANNELS} can be read`, 'unsupported_audio')
  return { rate, channels, encoding }
}

const ENCODINGS: Readonly<Record<string, SampleEncoding>> = {
  [`${PCM}/8`]: 'u8',
  [`${PCM}/16`]: 's16',
  [`${PCM}/24`]: 's24',
  [`${PCM}/32`]: 's32',
  [`${FLOAT}/32`]: 'f32',
  [`${FLOAT}/64`]: 'f64',
}

/** The mean of the channels, in -1 to 1. What is no number counts as silence. @param data whole frames */
export function readMono({ channels, encoding }: SoundFormat, data: Uint8Array): Float32Array {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const read = READERS[encoding]
  const step = SAMPLE_BYTES[encoding]
  const mono = new Float32Array(data.length / (step * channels))
  for (let i = 0, at = 0; i < mono.length; i++) {
    let sum = 0
    for (let channel = 0; channel < channels; channel++, at += step) sum += read(view, at)
    const mean = sum / channels
    mono[i] = Number.isFinite(mean) ? Math.max(-1, Math.min(1, mean)) : 0
  }
  return mono
}

const READERS: Readonly<Record<SampleEncoding, (view: DataView, at: number) => number>> = {
  u8: (view, at) => (view.getUint8(at) - 128) / 128,
  s16: (view, at) => view.getInt16(at, true) / 2 ** 15,
  s24: (view, at) => (view.getUint16(at, true) + view.getInt8(at + 2) * 2 ** 16) / 2 ** 23,
  s32: (view, at) => view.getInt32(at, true) / 2 ** 31,
  f32: (view, at) => view.getFloat32(at, true),
  f64: (view, at) => view.getFloat64(at, true),
}

const MEND = 'Convert it: ffmpeg -i INPUT -ar 16000 -ac 1 -c:a pcm_s16le OUTPUT.wav'

/** How files of other kinds begin, by place and bytes. */
const OTHERS: readonly (readonly [at: number, begins: string, name: string])[] = [
  [0, 'ID3', 'an MP3 file'],
  [0, '\xff\xfb', 'an MP3 file'],
  [0, '\xff\xf3', 'an MP3 file'],
  [0, '\xff\xf1', 'an AAC file'],
  [0, 'OggS', 'an Ogg file'],
  [0, 'fLaC', 'a FLAC file'],
  [4, 'ftyp', 'an MP4 or M4A file'],
  [0, '\x1a\x45\xdf\xa3', 'a WebM or Matroska file'],
  [0, 'FORM', 'an AIFF file'],
  [0, 'RIFX', 'a big-endian WAV file'],
  [0, 'RF64', 'a 64-bit WAV file'],
]

function notWav(file: Uint8Array): CocoonError {
  const name = OTHERS.find(([at, begins]) => latin(file, at, begins.length) === begins)?.[2]
  return invalid(
    'file',
    `is ${name ?? 'no sound file that is known here'}; this engine reads WAV. ${MEND}`,
    'unsupported_audio',
  )
}

const broken = (why: string): CocoonError => invalid('file', `is no complete WAV file: ${why}`, 'invalid_audio')

const latin = (bytes: Uint8Array, at: number, length: number): string =>
  String.fromCharCode(...bytes.subarray(at, at + length))
const tag = (bytes: Uint8Array, at: number): string => latin(bytes, at, 4)
