/** Small edits of the contracts that change what they do, for the mutation run. */

export interface Mutant {
  readonly file: string
  /** Counted from one. */
  readonly line: number
  /** The line as it is and as it would be. */
  readonly was: string
  readonly is: string
}

/** One edit a line at a time; every pattern is tried at every place of the line. */
const EDITS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/ >= /g, [' > ', ' < ']],
  [/ <= /g, [' < ', ' > ']],
  [/ > /g, [' >= ', ' < ']],
  [/(?<!=) < /g, [' <= ', ' > ']],
  [/ == /g, [' != ']],
  [/ != /g, [' == ']],
  [/ \+ /g, [' - ']],
  [/ - /g, [' + ']],
  [/ \* /g, [' + ']],
  [/ \+= /g, [' -= ', ' = ']],
  [/ -= /g, [' += ']],
  [/ & (?!~)/g, [' | ']],
  [/ \| (?=\()/g, [' & ']],
  [/\bmax\(/g, ['min(']],
  [/\bmin\(/g, ['max(']],
  [/STATE_CLOSED/g, ['STATE_CLOSING', 'STATE_NORMAL']],
  [/STATE_CLOSING/g, ['STATE_CLOSED', 'STATE_NORMAL']],
  [/STATE_NORMAL/g, ['STATE_CLOSING', 'STATE_CLOSED']],
  [/\bNOTICE\b(?! =)/g, ['(NOTICE + 1)']],
  [/\bRENT_FLOOR\b(?! =)/g, ['RENT', '0']],
  [/\bRENT\b(?! =)/g, ['RENT_FLOOR']],
  [/\bATTACHED\b(?! =)/g, ['(ATTACHED + 1)', '(ATTACHED - 1)']],
  [/\bCHARGE_HOP\b(?! =)/g, ['0']],
  [/\bCLOSED_GRACE\b(?! =)/g, ['0']],
  [/SEND_MODE_CARRY_ALL_BALANCE/g, ['SEND_MODE_REGULAR']],
  [/SEND_MODE_PAY_FEES_SEPARATELY/g, ['SEND_MODE_REGULAR']],
  [/ \| (?:SEND|RESERVE)_MODE_BOUNCE_ON_ACTION_FAIL/g, ['']],
  [/SEND_MODE_IGNORE_ERRORS/g, ['SEND_MODE_REGULAR']],
  [/BounceMode\.RichBounce/g, ['BounceMode.NoBounce']],
  [/\bERR_\w+/g, ['1199']],
  [/ \? /g, [' == false ? ']],
  [/\btrue\b/g, ['false']],
  [/\bfalse\b/g, ['true']],
]
/** Whole lines that are left out. */
const DROPPED =
  /^\s*(?:assert \(.*|.*\.assertEnd\(\);|.*\.assertBasechain\(\);|.*assertParams\(\);|assert\w+\(.*\);|contract\.set.*;|st\.save\(\);|st\.\w+ [-+]?= .*;|self\.\w+ [-+]?= .*;|reserve\w*\(.*\);|.*commitContract.*|(?:refund|returnExcess|report)\(.*\);|st\.(?:report|setUnlockTs|setSecretHash)\(.*\);|return;)$/

export function mutantsOf(file: string, source: string): Mutant[] {
  const mutants: Mutant[] = []
  const lines = source.split('\n')
  for (const [index, was] of lines.entries()) {
    if (/^\s*\/\//.test(was) || /^(?:import|struct|get fun|const OP_)/.test(was)) continue
    const code = was.replace(/\s*\/\/.*$/, '')
    const add = (is: string): void => void (is !== code && mutants.push({ file, line: index + 1, was: code, is }))
    for (const [pattern, replacements] of EDITS)
      for (const match of code.matchAll(pattern))
        for (const by of replacements) add(code.slice(0, match.index) + by + code.slice(match.index + match[0].length))
    if (DROPPED.test(code)) add('')
  }
  return mutants
}
