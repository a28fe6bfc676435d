/** Tokens to text, a token at a time, without ever showing half a character. */

/** Text of these tokens, given the ones before them; bytes that are no UTF-8 come out as U+FFFD. */
export type Detokenize = (tokens: readonly number[], before: readonly number[]) => string

const REPLACEMENT = '\uFFFD'
/** Tokens kept as context: whether a word starts with a space depends on the one before. */
const CONTEXT_TOKENS = 4
/** A character has four bytes, so a longer wait means the bytes are no text at all. */
const MAX_PENDING_TOKENS = 32

export interface TokenText {
  /** Text that is certain after this token; empty while a character is incomplete. */
  push(token: number): string
}

/**
 * A character may be split over several tokens. The text of all unfinished tokens is decoded together; everything but a
 * trailing U+FFFD is final, because later bytes can only change the last, incomplete character. What is incomplete at the
 * very end is never shown.
 */
export function createTokenText(detokenize: Detokenize): TokenText {
  let before: readonly number[] = []
  let pending: number[] = []
  let shown = 0
  return {
    push(token) {
      pending.push(token)
      const text = detokenize(pending, before)
      const unfinished = text.endsWith(REPLACEMENT) && pending.length < MAX_PENDING_TOKENS
      const certain = unfinished ? text.slice(0, -1) : text
      const fresh = certain.slice(shown)
      if (unfinished) {
        shown = Math.max(shown, certain.length)
      } else {
        before = [...before, ...pending].slice(-CONTEXT_TOKENS)
        pending = []
        shown = 0
      }
      return fresh
    },
  }
}
