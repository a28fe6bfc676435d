/**
 * A language model for tests: two layers of the llama architecture with weights drawn from a fixed seed, one token per byte.
 * It writes lower-case gibberish, quickly (hundreds of tokens a second), and never ends by itself: whatever ends an answer in
 * a test is the feature under test. Grammars, stop strings, embeddings and parallel sequences all work on it for real.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeGguf, type GgufTensor, type GgufValue } from './gguf-writer.ts'

export const TINY_MODEL = {
  contextSize: 4096,
  embeddingSize: 64,
  /** The token that opens a tool call, so that a test can make the model want one by `logit_bias`. */
  callToken: 262,
} as const

const SEED = 0xc0c0
const FEED_FORWARD = 128
const LAYERS = 2
const HEADS = 4
const FIRST_BYTE = 3

const CHAT_TEMPLATE =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

/** For a model that thinks: names the marks, and takes the thoughts out of earlier answers. */
const THINKING_TEMPLATE =
  '{# <think>thoughts</think>answer #}' +
  "{% for message in messages %}{{ '[' + message['role'] + ']\\n' + message['content'].split('</think>')[-1] + '<|im_end|>' + '\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '[assistant]\\n' }}{% endif %}"

const TEMPLATES = { chat: CHAT_TEMPLATE, thinking: THINKING_TEMPLATE, none: undefined } as const
type TemplateKind = keyof typeof TEMPLATES

/** Types of the format: 1 normal, 2 unknown, 3 control, 4 user defined, 6 byte. */
const TOKENS: readonly { readonly text: string; readonly type: number }[] = [
  { text: '<unk>', type: 2 },
  { text: '<s>', type: 3 },
  { text: '</s>', type: 3 },
  ...Array.from({ length: 256 }, (_, byte) => ({
    text: `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
    type: 6,
  })),
  // Without this one the tokenizer has nothing to turn a space into.
  { text: '▁', type: 1 },
  { text: '<|im_start|>', type: 3 },
  { text: '<|im_end|>', type: 3 },
  { text: '||call:', type: 4 },
]
const END_OF_TURN = 261

/** Path of the file, written on first use. Its name follows from its content, so that every version has its own. */
export function tinyModelPath(template: TemplateKind = 'chat'): string {
  const bytes = encodeTinyModel(TEMPLATES[template])
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 16)
  const dir = join(tmpdir(), 'cocoon-test-models')
  const path = join(dir, `tiny-${hash}.gguf`)
  if (!existsSync(path)) {
    mkdirSync(dir, { recursive: true })
    // Renamed into place: test files run side by side and may all be first.
    const draft = `${path}.${process.pid}`
    writeFileSync(draft, bytes)
    renameSync(draft, path)
  }
  return path
}

function encodeTinyModel(chatTemplate: string | undefined): Uint8Array {
  const size = TINY_MODEL.embeddingSize
  const vocabulary = TOKENS.length
  const random = generator(SEED)
  const noise = (count: number, scale: number) =>
    Float32Array.from({ length: count }, () => (random() - 0.5) * 2 * scale)
  const ones = () => new Float32Array(size).fill(1)

  // Dimension 0 of the stream is kept constant; the output layer reads it as a bias per token.
  const embedding = noise(size * vocabulary, 1)
  for (let token = 0; token < vocabulary; token++) embedding[token * size] = 1
  const output = noise(size * vocabulary, 0.25)
  for (let token = 0; token < vocabulary; token++) output[token * size] = biasOf(token) / 1.6
  const intoStream = (inner: number) => {
    const weights = noise(size * inner, 0.2)
    weights.fill(0, 0, inner)
    return weights
  }

  const tensors: GgufTensor[] = [
    { name: 'token_embd.weight', dims: [size, vocabulary], values: embedding },
    { name: 'output_norm.weight', dims: [size], values: ones() },
    { name: 'output.weight', dims: [size, vocabulary], values: output },
  ]
  for (let layer = 0; layer < LAYERS; layer++) {
    const add = (name: string, dims: readonly number[], values: Float32Array) =>
      tensors.push({ name: `blk.${layer}.${name}.weight`, dims, values })
    add('attn_norm', [size], ones())
    add('ffn_norm', [size], ones())
    add('attn_q', [size, size], noise(size * size, 0.2))
    add('attn_k', [size, size], noise(size * size, 0.2))
    add('attn_v', [size, size], noise(size * size, 0.2))
    add('attn_output', [size, size], intoStream(size))
    add('ffn_gate', [size, FEED_FORWARD], noise(size * FEED_FORWARD, 0.2))
    add('ffn_up', [size, FEED_FORWARD], noise(size * FEED_FORWARD, 0.2))
    add('ffn_down', [FEED_FORWARD, size], intoStream(FEED_FORWARD))
  }
  return encodeGguf(metadata(chatTemplate), tensors)
}

function metadata(chatTemplate: string | undefined): Readonly<Record<string, GgufValue>> {
  const u32 = (value: number): GgufValue => ({ type: 'u32', value })
  return {
    'general.architecture': { type: 'string', value: 'llama' },
    'general.name': { type: 'string', value: 'cocoon-tiny' },
    'llama.context_length': u32(TINY_MODEL.contextSize),
    'llama.embedding_length': u32(TINY_MODEL.embeddingSize),
    'llama.block_count': u32(LAYERS),
    'llama.feed_forward_length': u32(FEED_FORWARD),
    'llama.attention.head_count': u32(HEADS),
    'llama.attention.layer_norm_rms_epsilon': { type: 'f32', value: 1e-5 },
    'llama.rope.dimension_count': u32(TINY_MODEL.embeddingSize / HEADS),
    'tokenizer.ggml.model': { type: 'string', value: 'llama' },
    'tokenizer.ggml.tokens': { type: 'strings', value: TOKENS.map((t) => t.text) },
    'tokenizer.ggml.scores': { type: 'f32s', value: TOKENS.map(() => 0) },
    'tokenizer.ggml.token_type': { type: 'i32s', value: TOKENS.map((t) => t.type) },
    'tokenizer.ggml.bos_token_id': u32(1),
    'tokenizer.ggml.eos_token_id': u32(END_OF_TURN),
    'tokenizer.ggml.unknown_token_id': u32(0),
    'tokenizer.ggml.add_space_prefix': { type: 'bool', value: false },
    ...(chatTemplate === undefined
      ? {}
      : { 'tokenizer.chat_template': { type: 'string', value: chatTemplate } as const }),
  }
}

/** How much the model likes a token: letters and spaces best, anything that would end or break the text hardly ever. */
function biasOf(token: number): number {
  const byte = token - FIRST_BYTE
  if (byte < 0 || byte > 255) return -12
  const char = String.fromCharCode(byte)
  if (/[a-z ]/.test(char)) return 5
  if (/[A-Z0-9.,!?"{}:[\]-]/.test(char)) return 1
  return -10
}

/** xorshift32, in [0, 1). */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
