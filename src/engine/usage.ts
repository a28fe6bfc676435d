/**
 * Reading token counts from the JSON an engine sends, and the edits that follow from them: cost fields added, or usage
 * taken out where only we asked for it. The names of the cost fields are the reference implementation’s.
 */
import { addMembers, cutMember, type Edit, findMembers, type Member, skipSpace } from './json-scan.ts'
import { NO_USAGE, type RawUsage, type UsageCost } from './types.ts'

/** What to do with one JSON document of an answer. */
export type Verdict = 'keep' | 'drop' | Edit

export interface UsageReader {
  /** Reads one document and says what becomes of it. */
  judge(json: Uint8Array): Verdict
  /** The largest counts seen so far, each on its own. */
  readonly usage: RawUsage
  /** Whether any document had a usage object, even one of zeros. */
  readonly seen: boolean
}

export interface UsageReaderOptions {
  /** The caller did not ask for usage in its stream: take it out of `choices` chunks and drop the chunk that is only it. */
  readonly hide: boolean
  readonly cost: (usage: RawUsage) => UsageCost
}

const NAMES = ['usage', 'choices'] as const
const OPEN_OBJECT = 0x7b
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const SMALL_N = 0x6e

export function createUsageReader({ hide, cost }: UsageReaderOptions): UsageReader {
  let usage = NO_USAGE
  let seen = false

  /** Whether a count grew. */
  function raise(next: RawUsage): boolean {
    const grew =
      next.promptTokens > usage.promptTokens ||
      next.cachedTokens > usage.cachedTokens ||
      next.completionTokens > usage.completionTokens ||
      next.reasoningTokens > usage.reasoningTokens
    if (grew)
      usage = {
        promptTokens: Math.max(usage.promptTokens, next.promptTokens),
        cachedTokens: Math.max(usage.cachedTokens, next.cachedTokens),
        completionTokens: Math.max(usage.completionTokens, next.completionTokens),
        reasoningTokens: Math.max(usage.reasoningTokens, next.reasoningTokens),
      }
    return grew
  }

  return {
    judge(json) {
      const [member, choices] = findMembers(json, NAMES)?.members ?? []
      if (member === undefined) return 'keep'
      // Only chunks of choices fall under `include_usage`; usage elsewhere (a transcription's last event) stays.
      const hidden = hide && choices !== undefined
      if (json[member.valueStart] === SMALL_N) return hidden ? cutMember(json, member) : 'keep'
      const object = parseObject(json, member)
      if (object === undefined) return 'keep'
      seen = true
      const grew = raise(readUsage(object))
      if (hidden) return isEmptyArray(json, choices) ? 'drop' : cutMember(json, member)
      if (!grew) return 'keep'
      const { promptNano, completionNano } = cost(usage)
      const fields =
        `"prompt_total_cost":${promptNano},"completion_total_cost":${completionNano},` +
        `"total_cost":${promptNano + completionNano}`
      return addMembers(json, member.valueStart, member.valueEnd - 1, fields)
    },
    get usage() {
      return usage
    },
    get seen() {
      return seen
    },
  }
}

/**
 * Where an engine says what an answer took whose body has no place for it (a text, subtitles): a usage object as JSON. Read only
 * where the body had none, and not for the caller.
 */
export const USAGE_HEADER = 'x-engine-usage'

/** Undefined where the header is missing or no object. */
export function usageInHeader(value: string | undefined): RawUsage | undefined {
  if (value === undefined) return undefined
  try {
    const usage: unknown = JSON.parse(value)
    return typeof usage === 'object' && usage !== null ? readUsage(usage as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

/** Counts of one usage object. What is missing, negative, fractional or no number counts as 0. */
export function readUsage(usage: Readonly<Record<string, unknown>>): RawUsage {
  return {
    promptTokens: count(usage.prompt_tokens),
    cachedTokens: count(memberOf(usage.prompt_tokens_details, 'cached_tokens')),
    completionTokens: count(usage.completion_tokens),
    reasoningTokens: Math.max(
      count(memberOf(usage.completion_tokens_details, 'reasoning_tokens')),
      count(usage.reasoning_tokens),
    ),
  }
}

function count(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : 0
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}

function parseObject(json: Uint8Array, { valueStart, valueEnd }: Member): Record<string, unknown> | undefined {
  if (json[valueStart] !== OPEN_OBJECT) return undefined
  try {
    const text = Buffer.from(json.buffer, json.byteOffset + valueStart, valueEnd - valueStart).toString()
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    return undefined
  }
}

function isEmptyArray(json: Uint8Array, { valueStart }: Member): boolean {
  return json[valueStart] === OPEN_ARRAY && json[skipSpace(json, valueStart + 1)] === CLOSE_ARRAY
}
