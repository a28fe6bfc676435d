/**
 * The tokens of a Whisper model: which stand for text, which for times and languages, and what a row of them says. Source: the
 * model's `tokenizer.json`; bytes are spelled as in GPT-2's byte-level encoding.
 */
import { z } from 'zod'
import { CocoonError } from '../../util/index.ts'

export interface Vocabulary {
  readonly size: number
  /** The answer is complete. Every lower token is text. */
  readonly end: number
  /** Opens a transcript; a language and `transcribe` follow. */
  readonly start: number
  readonly transcribe: number
  /** Opens what was said before. */
  readonly previous: number
  readonly noSpeech: number
  readonly noTimes: number
  /** 0.00 s; each further one is 20 ms later. */
  readonly firstTime: number
  readonly tokenByLanguage: ReadonlyMap<string, number>
  /** What the text tokens among these say; the rest is left out. */
  text(tokens: readonly number[]): string
  /** A text as tokens, in the way the model was trained on. */
  encode(text: string): readonly number[]
}

/** Seconds between two times. */
export const TIME_STEP = 0.02

const TokenizerFile = z.looseObject({
  added_tokens: z.array(z.looseObject({ id: z.int().nonnegative(), content: z.string() })),
  model: z.looseObject({
    vocab: z.record(z.string(), z.int().nonnegative()),
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])),
  }),
})

/** @param json content of `tokenizer.json`. Throws `engine.model-unusable` */
export function readVocabulary(json: string): Vocabulary {
  const parsed = TokenizerFile.safeParse(parseJson(json))
  if (!parsed.success) throw unusable('its tokenizer.json is no byte-level tokenizer')
  const { added_tokens: added, model } = parsed.data
  const idByName = new Map(added.map(({ content, id }) => [content, id]))
  const special = (...names: readonly string[]): number => {
    const id = names.map((name) => idByName.get(`<|${name}|>`)).find((found) => found !== undefined)
    if (id === undefined)
      throw unusable(`its vocabulary has no <|${names[0]}|>; only models for many languages can be used`)
    return id
  }
  const end = special('endoftext')
  const noTimes = special('notimestamps')
  const bytes = textBytes(model.vocab, end)
  const merge = merger(model.vocab, model.merges)
  const tokenByLanguage = new Map<string, number>()
  // They stand in one row between the opening and the tasks.
  for (const { content, id } of added) {
    const code = /^<\|([a-z]{2,3})\|>$/.exec(content)?.[1]
    if (code !== undefined && id > special('startoftranscript') && id < special('translate'))
      tokenByLanguage.set(code, id)
  }
  return {
    size: Math.max(...idByName.values(), noTimes + Math.round(30 / TIME_STEP) + 1) + 1,
    end,
    start: special('startoftranscript'),
    transcribe: special('transcribe'),
    previous: special('startofprev'),
    noSpeech: special('nospeech', 'nocaptions'),
    noTimes,
    firstTime: noTimes + 1,
    tokenByLanguage,
    text: (tokens) => {
      const parts = tokens.filter((token) => token < end).map((token) => bytes[token] ?? new Uint8Array())
      return new TextDecoder().decode(Buffer.concat(parts))
    },
    encode: (text) => (text.match(PIECES) ?? []).flatMap((piece) => merge(spell(piece))),
  }
}

/**
 * GPT-2's rule for where tokens may not reach across: endings, words, numbers, signs, and the blanks in front of each. Longer runs than any
 * token are cut, since joining takes time by their square.
 */
const PIECES = /'(?:s|t|re|ve|m|ll|d)| ?\p{L}{1,64}| ?\p{N}{1,64}| ?[^\s\p{L}\p{N}]{1,64}|\s{1,64}(?!\S)|\s{1,64}/gu

/** A character for each byte: its own where that prints, one behind all of them where not. */
const LETTERS: readonly string[] = (() => {
  const prints = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff)
  let next = 0x100
  return Array.from({ length: 0x100 }, (_, byte) => String.fromCharCode(prints(byte) ? byte : next++))
})()

const spell = (text: string): string[] => [...Buffer.from(text)].map((byte) => LETTERS[byte] as string)

function textBytes(vocab: Readonly<Record<string, number>>, end: number): readonly Uint8Array[] {
  const byteByLetter = new Map(LETTERS.map((letter, byte) => [letter, byte]))
  const bytes: Uint8Array[] = []
  for (const [spelling, id] of Object.entries(vocab))
    if (id < end) bytes[id] = Uint8Array.from(spelling, (letter) => byteByLetter.get(letter) ?? 0x3f)
  return bytes
}

/** Joins the neighbours that were learned first, until none are left that were learned. */
function merger(
  vocab: Readonly<Record<string, number>>,
  merges: readonly (string | readonly [string, string])[],
): (letters: readonly string[]) => readonly number[] {
  const rankByPair = new Map(merges.map((pair, rank) => [typeof pair === 'string' ? pair : pair.join(' '), rank]))
  return (letters) => {
    let parts = [...letters]
    for (;;) {
      const ranks = parts.slice(1).map((part, i) => rankByPair.get(`${parts[i]} ${part}`) ?? Infinity)
      const best = Math.min(...ranks)
      if (best === Infinity) return parts.map((part) => vocab[part]).filter((id) => id !== undefined)
      const at = ranks.indexOf(best)
      parts = [...parts.slice(0, at), `${parts[at]}${parts[at + 1]}`, ...parts.slice(at + 2)]
    }
  }
}

/** The model's file is wrong; `why` continues "The speech model cannot be used: ". */
export const unusable = (why: string, cause?: unknown): CocoonError =>
  new CocoonError(
    'engine.model-unusable',
    { message: `The speech model cannot be used: ${why}.` },
    cause === undefined ? undefined : { cause },
  )

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
