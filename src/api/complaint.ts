/** What is wrong with a value, as one sentence about one field that never repeats what the field holds. Browser-safe. */
import type { z } from 'zod'

/** A complaint about one field, in words that never repeat its value. */
export interface FieldComplaint {
  /** `messages[0].role`; empty for the body itself. */
  readonly field: string
  /** Starts with a verb: "must be …", "is required". */
  readonly says: string
}

/** The first complaint of a failed check of `value`. */
export function complaintOf(error: z.ZodError, value: unknown): FieldComplaint {
  const { issue, path } = deepest(error.issues[0] as z.core.$ZodIssue, [])
  const field = path
    .map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i > 0 ? '.' : ''}${String(key)}`))
    .join('')
  const isUnknown = issue.code === 'unrecognized_keys'
  return { field, says: !isUnknown && isAbsent(value, path) ? 'is required' : words(issue) }
}

interface Placed {
  readonly issue: z.core.$ZodIssue
  readonly path: readonly PropertyKey[]
}

/** A union reports every branch; the one that got furthest into the value is the one the caller meant. */
function deepest(issue: z.core.$ZodIssue, above: readonly PropertyKey[]): Placed {
  const path = [...above, ...issue.path]
  // The field at fault is the one that nobody knows, not what it stands in.
  if (issue.code === 'unrecognized_keys') return { issue, path: [...path, harmless(issue.keys[0] ?? '')] }
  if (issue.code !== 'invalid_union') return { issue, path }
  const inner = issue.errors.flatMap((branch) => branch.slice(0, 1)).map((one) => deepest(one, path))
  const furthest = inner.toSorted((a, b) => b.path.length - a.path.length)[0]
  return furthest !== undefined && furthest.path.length > path.length ? furthest : { issue, path }
}

/** A name of the caller's own making: short, and without what could forge a line. */
const harmless = (name: string): string => name.replaceAll(/[^\w.-]/g, '?').slice(0, MAX_NAME_CHARS)
const MAX_NAME_CHARS = 64

/** How zod's own sentences begin, which are not meant for callers. */
const DEFAULT_SENTENCE = /^(?:Invalid|Too|Unrecognized) /

function words(issue: z.core.$ZodIssue): string {
  if (!DEFAULT_SENTENCE.test(issue.message)) return issue.message
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${ARTICLES[issue.expected] ?? `of type ${issue.expected}`}`
    case 'too_small':
      return `must ${issue.inclusive === true ? 'be at least' : 'be more than'} ${issue.minimum}${unit(issue.origin)}`
    case 'too_big':
      return `must be at most ${issue.maximum}${unit(issue.origin)}`
    case 'invalid_value':
      return `must be one of ${issue.values.map((v) => JSON.stringify(v)).join(', ')}`
    case 'unrecognized_keys':
      return 'is not known here'
    default:
      return 'is not valid'
  }
}

const ARTICLES: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'an integer',
  boolean: 'true or false',
  array: 'an array',
  object: 'an object',
  record: 'an object',
}

const unit = (origin: string): string => (origin === 'string' ? ' characters' : origin === 'array' ? ' items' : '')

function isAbsent(value: unknown, path: readonly PropertyKey[]): boolean {
  let at = value
  for (const key of path) {
    if (typeof at !== 'object' || at === null) return false
    at = (at as Record<PropertyKey, unknown>)[key]
  }
  return at === undefined
}
