/** The thread of one place: loads runtime and model, then writes down windows one after the other, each as it was asked. */
import { parentPort, workerData } from 'node:worker_threads'
import { type ErrorCode, toCocoonError } from '../../util/index.ts'
import { loadOnnxRuntime } from './onnx-runtime.ts'
import { resample } from './resample.ts'
import { readWindow, type Segment } from './segments.ts'
import { logMelSpectrogram, SAMPLE_RATE } from './spectrogram.ts'
import { loadSpeechModel, type SpeechModel } from './speech-model.ts'
import { readMono, type SoundFormat } from './wav.ts'
import { silentWindow, type WindowText, writeWindow } from './write-window.ts'

export interface ThreadStart {
  readonly modelPath: string
  readonly runtimePath: string
  readonly runtimeSha256: string
}

export interface WindowJob {
  readonly format: SoundFormat
  /** Whole frames, as in the file: what the window needs and a little to both sides. */
  readonly data: Uint8Array
  /** Which frame of the file comes first in `data`. */
  readonly dataStart: number
  /** At 16,000 a second. */
  readonly startSample: number
  readonly samples: number
  readonly language: string | undefined
  /** What the sound follows; empty for nothing. */
  readonly prompt: string
  readonly maxTokens: number
  /** One number; anything but zero ends the window with the next token. */
  readonly cancelled: Int32Array
}

export interface WindowAnswer extends WindowText {
  readonly segments: readonly Segment[]
  /** Seconds by which the next window begins later. */
  readonly advance: number
}

/** What a place says of itself once it can work. */
export interface ThreadReady {
  readonly languages: readonly string[]
}

/** One for the loading, then one for each job in its order. */
export type ThreadReply =
  | { readonly answer: ThreadReady | WindowAnswer }
  | { readonly failure: { readonly code: ErrorCode; readonly message: string } }

const port = parentPort
if (port !== null) {
  const reply = (work: Promise<ThreadReady | WindowAnswer>): Promise<void> =>
    work.then(
      (answer) => port.postMessage({ answer } satisfies ThreadReply),
      (thrown: unknown) => {
        const { code, message } = toCocoonError(thrown, 'engine.generation-failed')
        port.postMessage({ failure: { code, message } } satisfies ThreadReply)
      },
    )
  const start = workerData as ThreadStart
  const loading = loadOnnxRuntime(start.runtimePath, start.runtimeSha256).then((runtime) =>
    loadSpeechModel(runtime, start.modelPath),
  )
  void reply(loading.then(({ rules }) => ({ languages: [...rules.vocabulary.tokenByLanguage.keys()] })))
  port.on('message', (job: WindowJob) => void reply(loading.then((model) => write(model, job))))
}

/** 60 dB below full: rooms are louder, and no speech is quieter than that all the time. */
const SILENCE = 0.001

async function write(model: SpeechModel, job: WindowJob): Promise<WindowAnswer> {
  const rates = { fromRate: job.format.rate, toRate: SAMPLE_RATE }
  const samples = resample(rates, readMono(job.format, job.data), job.dataStart, job.startSample, job.samples)
  const { vocabulary } = model.rules
  const previous = job.prompt === '' ? [] : vocabulary.encode(` ${job.prompt.trim()}`)
  const task = { ...job, previous }
  const isCancelled = (): boolean => Atomics.load(job.cancelled, 0) !== 0
  const text = samples.every((sample) => Math.abs(sample) < SILENCE)
    ? silentWindow(task)
    : await writeWindow(model, await model.listen(logMelSpectrogram(samples, model.bands)), task, isCancelled)
  const { tokens, isCut } = text
  return {
    ...text,
    ...readWindow(vocabulary, {
      tokens,
      offset: job.startSample / SAMPLE_RATE,
      length: job.samples / SAMPLE_RATE,
      isCut,
    }),
  }
}
