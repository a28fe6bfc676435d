/** One window of sound, written down token by token: always the likeliest, so that the same sound gives the same text. */
import { compressionRatio } from './compression-ratio.ts'
import type { Heard, SpeechModel } from './speech-model.ts'
import { chooseToken, likeliest, probabilityOf } from './token-rules.ts'

export interface WindowTask {
  /** A code of the vocabulary; without one the model is asked what it hears. */
  readonly language: string | undefined
  /** Text that the sound follows, as tokens. */
  readonly previous: readonly number[]
  /** How many may be written. */
  readonly maxTokens: number
}

export interface WindowText {
  /** As asked, or as heard; undefined where nothing was. */
  readonly language: string | undefined
  /** Times included, without the end. Empty where nobody speaks. */
  readonly tokens: readonly number[]
  /** All that were written, the end and those of silence included. */
  readonly writtenTokens: number
  /** What was fed beside the sound. */
  readonly fedTokens: number
  /** `maxTokens` came before the end. */
  readonly isCut: boolean
  /** Mean natural logarithm. */
  readonly averageLogProbability: number
  readonly noSpeechProbability: number
}

/** Where the model thinks that nobody speaks, it must believe its words and not be repeating itself. */
const NO_SPEECH_PROBABILITY = 0.6
const MIN_LOG_PROBABILITY = -1
const MAX_COMPRESSION = 2.4
/** As in training: half of the places are for what was said before, the other half for what is being said. */
const halfOf = (maxTokens: number): number => Math.floor(maxTokens / 2)

/** @param isCancelled asked before each token. Ends early when it says so, with what there is */
export async function writeWindow(
  { rules, maxTokens: places }: Pick<SpeechModel, 'rules' | 'maxTokens'>,
  heard: Heard,
  task: WindowTask,
  isCancelled: () => boolean,
): Promise<WindowText> {
  const { vocabulary } = rules
  const language = task.language ?? (await findLanguage(rules.vocabulary, heard))
  const kept = task.previous.slice(-(halfOf(places) - 1))
  const opening = [
    ...(kept.length > 0 ? [vocabulary.previous, ...kept] : []),
    vocabulary.start,
    vocabulary.tokenByLanguage.get(language) as number,
    vocabulary.transcribe,
  ]
  const opened = await heard.open(opening)
  const noSpeechProbability = probabilityOf(
    opened[opening.indexOf(vocabulary.start)] as Float32Array,
    vocabulary.noSpeech,
  )
  const limit = Math.min(task.maxTokens, halfOf(places))
  const tokens: number[] = []
  let logits = opened.at(-1) as Float32Array
  let [sum, writtenTokens] = [0, 0]
  let isEnded = false
  while (writtenTokens < limit && !isCancelled()) {
    const { token, logProbability } = chooseToken(rules, logits, tokens)
    sum += logProbability
    writtenTokens++
    isEnded = token === vocabulary.end
    if (isEnded) break
    tokens.push(token)
    if (writtenTokens < limit) logits = await heard.next(token)
  }
  const averageLogProbability = writtenTokens === 0 ? 0 : sum / writtenTokens
  const isSilent =
    noSpeechProbability > NO_SPEECH_PROBABILITY &&
    (averageLogProbability < MIN_LOG_PROBABILITY || compressionRatio(vocabulary.text(tokens)) > MAX_COMPRESSION)
  return {
    language,
    tokens: isSilent ? [] : tokens,
    writtenTokens,
    fedTokens: opening.length + (task.language === undefined ? 1 : 0),
    // A window's own limit is no cut: the next one goes on.
    isCut: !isEnded && limit === task.maxTokens,
    averageLogProbability,
    noSpeechProbability,
  }
}

/** Of a window in which there is nothing to hear: the model would make something up. */
export const silentWindow = ({ language }: WindowTask): WindowText => ({
  language,
  tokens: [],
  writtenTokens: 0,
  fedTokens: 0,
  isCut: false,
  averageLogProbability: 0,
  noSpeechProbability: 1,
})

async function findLanguage(vocabulary: SpeechModel['rules']['vocabulary'], heard: Heard): Promise<string> {
  const [logits] = await heard.open([vocabulary.start])
  const token = likeliest(logits as Float32Array, vocabulary.tokenByLanguage.values())
  for (const [code, id] of vocabulary.tokenByLanguage) if (id === token) return code
  return 'en'
}
