/**
 * The stream of text a model writes, taken apart: thinking, answer, the beginning of a tool call, a stop string. Text that
 * could still turn into one of the marks is held back, so that no part of a mark is ever shown.
 */

export type Piece =
  | { readonly type: 'content'; readonly text: string }
  | { readonly type: 'reasoning'; readonly text: string }

export type Ended =
  | { readonly why: 'stop' }
  /** `after`: what was written after the mark within the same token. */
  | { readonly why: 'call'; readonly after: string }

export interface Marks {
  /** Ends the answer; is not shown. */
  readonly stop: readonly string[]
  /** Opens a tool call. */
  readonly call: readonly string[]
  /** Thinking, where the model has marks for it. Only an answer that starts with the opening mark is taken to think. */
  readonly thought?: { readonly open: string; readonly close: string; readonly isOpen: boolean }
}

export interface Splitter {
  /** Pieces that are certain now. After `ended` is set, nothing more may be pushed. */
  push(text: string): readonly Piece[]
  /** What was held back, when the model ended by itself. */
  finish(): readonly Piece[]
  readonly ended: Ended | undefined
  readonly thinking: boolean
}

export function createSplitter(marks: Marks): Splitter {
  let state: 'start' | 'thought' | 'after-thought' | 'answer' = marks.thought?.isOpen ? 'thought' : 'start'
  let held = ''
  let ended: Ended | undefined

  const piece = (text: string): readonly Piece[] => {
    if (text === '') return []
    return [{ type: state === 'thought' ? 'reasoning' : 'content', text }]
  }

  function marksNow(): readonly string[] {
    if (state === 'thought') return marks.thought === undefined ? [] : [marks.thought.close]
    const open = state === 'start' && marks.thought !== undefined ? [marks.thought.open] : []
    return [...marks.stop, ...marks.call, ...open]
  }

  function push(text: string): readonly Piece[] {
    const pieces: Piece[] = []
    held += text
    for (;;) {
      // After its thoughts a model writes an empty line, which belongs to neither.
      if (state === 'after-thought') {
        held = held.trimStart()
        if (held === '') return pieces
        state = 'answer'
      }
      const current = marksNow()
      const hit = firstMark(held, current)
      if (hit === undefined) {
        const keep = heldBack(held, current)
        const certain = held.slice(0, held.length - keep)
        pieces.push(...piece(certain))
        held = held.slice(held.length - keep)
        if (state === 'start' && certain.trim() !== '') state = 'answer'
        return pieces
      }
      const textBefore = held.slice(0, hit.at)
      const after = held.slice(hit.at + hit.mark.length)
      if (state === 'start' && hit.mark === marks.thought?.open) {
        if (textBefore.trim() !== '') {
          state = 'answer'
          continue
        }
        state = 'thought'
      } else {
        pieces.push(...piece(state === 'thought' ? textBefore.trimEnd() : textBefore))
        if (state !== 'thought') {
          held = ''
          ended = marks.stop.includes(hit.mark) ? { why: 'stop' } : { why: 'call', after }
          return pieces
        }
        state = 'after-thought'
      }
      held = after
    }
  }

  return {
    push,
    finish() {
      const rest = piece(held)
      held = ''
      return rest
    },
    get ended() {
      return ended
    },
    get thinking() {
      return state === 'thought'
    },
  }
}

/**
 * The mark that is complete first, as if the text came letter by letter, so that the size of its pieces makes no difference;
 * of two that end at one place, the longer.
 */
function firstMark(text: string, marks: readonly string[]): { readonly at: number; readonly mark: string } | undefined {
  let best: { at: number; mark: string } | undefined
  for (const mark of marks) {
    const at = text.indexOf(mark)
    if (at < 0) continue
    const earlier = best === undefined ? 1 : best.at + best.mark.length - (at + mark.length)
    if (earlier > 0 || (earlier === 0 && mark.length > (best?.mark.length ?? 0))) best = { at, mark }
  }
  return best
}

/** Length of the longest end of the text that is the beginning of a mark. */
function heldBack(text: string, marks: readonly string[]): number {
  let longest = 0
  for (const mark of marks) {
    for (let n = Math.min(mark.length - 1, text.length); n > longest; n--) {
      if (text.endsWith(mark.slice(0, n))) {
        longest = n
        break
      }
    }
  }
  return longest
}
