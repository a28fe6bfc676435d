/**
 * A Whisper model as ONNX graphs: sound to what the decoder looks at, and tokens to what may follow them. Source: the layout of
 * Hugging Face's "optimum" exports (an encoder, and a decoder with and without a memory in one graph).
 */
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import type { OnnxRuntime, Session, Tensor } from './onnx-runtime.ts'
import { COLUMNS } from './spectrogram.ts'
import { unpack } from './unpack.ts'
import { parseJson, readVocabulary, unusable } from './vocabulary.ts'
import type { TokenRules } from './token-rules.ts'

export interface SpeechModel {
  readonly rules: TokenRules
  /** Rows of the spectrogram. */
  readonly bands: number
  /** Most tokens in one window, the opening ones included. */
  readonly maxTokens: number
  /** @param spectrogram `bands` rows of one window */
  listen(spectrogram: Float32Array): Promise<Heard>
}

/** One window, ready to be written down. */
export interface Heard {
  /** Forgets what was written. @returns the logits after each of the tokens */
  open(tokens: readonly number[]): Promise<readonly Float32Array[]>
  /** @returns the logits after one token more */
  next(token: number): Promise<Float32Array>
}

const Config = z.looseObject({
  num_mel_bins: z.int().positive(),
  d_model: z.int().positive(),
  decoder_attention_heads: z.int().positive(),
  max_target_positions: z.int().positive(),
})
const Generation = z.looseObject({
  suppress_tokens: z.array(z.int().nonnegative()).default([]),
  begin_suppress_tokens: z.array(z.int().nonnegative()).default([]),
})

const ENCODER = 'onnx/encoder_model_quantized.onnx'
const DECODER = 'onnx/decoder_model_merged_quantized.onnx'
const NEEDED = ['config.json', 'generation_config.json', 'tokenizer.json', ENCODER, DECODER] as const

/** @param path a tar with the model's files, in whichever folder. Throws `engine.model-unusable` */
export async function loadSpeechModel(runtime: OnnxRuntime, path: string): Promise<SpeechModel> {
  const neededIn = (name: string): string | undefined =>
    NEEDED.find((needed) => name === needed || name.endsWith(`/${needed}`))
  const files = new Map<string, Uint8Array>()
  try {
    for (const [name, bytes] of await unpack(await readFile(path), (one) => neededIn(one) !== undefined))
      files.set(neededIn(name) as string, bytes)
  } catch (cause) {
    throw unusable(`${path} is no archive that can be read`, cause)
  }
  const missing = NEEDED.filter((name) => !files.has(name))
  if (missing.length > 0) throw unusable(`${path} has no ${missing.join(', ')}`)
  const fileOf = (name: (typeof NEEDED)[number]): Uint8Array => files.get(name) as Uint8Array
  const json = (name: (typeof NEEDED)[number]): string => Buffer.from(fileOf(name)).toString()
  const config = Config.safeParse(parseJson(json('config.json')))
  const generation = Generation.safeParse(parseJson(json('generation_config.json')))
  if (!config.success || !generation.success) throw unusable('its configuration is not that of a Whisper model')
  const vocabulary = readVocabulary(json('tokenizer.json'))
  const create = (bytes: Uint8Array): Promise<Session> =>
    runtime.InferenceSession.create(bytes, { executionProviders: ['wasm'] }).catch((cause: unknown) => {
      throw unusable('its graphs could not be loaded', cause)
    })
  const [encoder, decoder] = [await create(fileOf(ENCODER)), await create(fileOf(DECODER))]
  const { num_mel_bins: bands, d_model: width, decoder_attention_heads: heads, max_target_positions } = config.data
  return {
    rules: {
      vocabulary,
      suppressed: generation.data.suppress_tokens,
      suppressedFirst: generation.data.begin_suppress_tokens,
    },
    bands,
    maxTokens: max_target_positions,
    async listen(spectrogram) {
      const features = new runtime.Tensor('float32', spectrogram, [1, bands, COLUMNS])
      const { last_hidden_state: states } = await encoder.run({ input_features: features }, ['last_hidden_state'])
      if (states === undefined) throw unusable('its encoder has no last_hidden_state')
      return hear(runtime, decoder, states, heads, width / heads)
    },
  }
}

/** The decoder's memory of sound and text, which goes out with each token and in again with the next. */
function hear(runtime: OnnxRuntime, decoder: Session, states: Tensor, heads: number, headWidth: number): Heard {
  const pastNames = decoder.inputNames.filter((name) => name.startsWith('past_key_values.'))
  const presentNames = decoder.outputNames.filter((name) => name.startsWith('present.'))
  const nothing = new runtime.Tensor('float32', new Float32Array(0), [1, heads, 0, headWidth])
  let memory = new Map<string, Tensor>()

  async function run(tokens: readonly number[], remembers: boolean): Promise<Tensor> {
    const ids = new runtime.Tensor('int64', BigInt64Array.from(tokens, BigInt), [1, tokens.length])
    const found = await decoder.run(
      {
        input_ids: ids,
        encoder_hidden_states: states,
        use_cache_branch: new runtime.Tensor('bool', Uint8Array.of(remembers ? 1 : 0), [1]),
        ...Object.fromEntries(pastNames.map((name) => [name, memory.get(name) ?? nothing])),
      },
      // What was made of the sound does not change from token to token.
      ['logits', ...presentNames.filter((name) => !remembers || !name.includes('.encoder.'))],
    )
    for (const name of presentNames) {
      const present = found[name]
      if (present !== undefined) memory.set(name.replace('present.', 'past_key_values.'), present)
    }
    return found['logits'] as Tensor
  }

  return {
    async open(tokens) {
      memory = new Map()
      const { data, dims } = await run(tokens, false)
      const size = dims[2] as number
      return tokens.map((_, i) => (data as Float32Array).slice(i * size, (i + 1) * size))
    },
    next: async (token) => (await run([token], true)).data as Float32Array,
  }
}
