/** Reading an input file to its end before anything runs: what is wrong is told with the number of its line. */
import { CocoonError } from '../util/index.ts'
import { batchError } from './errors.ts'
import type { LineDesk } from './desk.ts'
import { inputLines } from './input-lines.ts'
import type { BatchProblem, NewLine } from './records.ts'
import type { StoredBytes } from './vault.ts'

export interface ValidationLimits {
  readonly maxLines: number
}

/** Lines given to `keep` at a time. */
const GROUP_LINES = 500
/** Whoever got a format wrong got it wrong in every line: more would help nobody. */
const MAX_PROBLEMS = 100

/**
 * @param keep takes right lines as they come; those of a file with problems are worth nothing
 * @returns what is wrong; nothing when the file is right
 */
export async function validateInput(
  file: StoredBytes,
  endpoint: string,
  desk: LineDesk,
  limits: ValidationLimits,
  keep: (lines: readonly NewLine[]) => Promise<void>,
  signal: AbortSignal,
): Promise<readonly BatchProblem[]> {
  const problems: BatchProblem[] = []
  const numberById = new Map<string, number>()
  let group: NewLine[] = []
  let count = 0
  try {
    for await (const { number, at, bytes } of inputLines(file, desk.maxLineBytes)) {
      signal.throwIfAborted()
      if (++count > limits.maxLines)
        throw batchError('request.too-many-lines', `A batch may have ${limits.maxLines} lines: split the file.`, {
          line: number,
        })
      try {
        const { customId, model } = desk.read(bytes, endpoint)
        const before = numberById.get(customId)
        if (before !== undefined)
          throw batchError('request.duplicate-custom-id', `'custom_id' is that of line ${before} already.`, {
            field: 'custom_id',
          })
        numberById.set(customId, number)
        group.push({ seq: number, customId, model, at, bytes: bytes.length })
      } catch (error) {
        problems.push(problemOf(error, number))
        if (problems.length === MAX_PROBLEMS) return problems
      }
      if (group.length < GROUP_LINES) continue
      if (problems.length === 0) await keep(group)
      group = []
    }
  } catch (error) {
    signal.throwIfAborted()
    problems.push(problemOf(error, null))
    return problems
  }
  if (problems.length > 0) return problems
  if (count === 0)
    return [problemOf(batchError('request.empty-file', 'The file has no lines: write one request on each.'), null)]
  await keep(group)
  return []
}

/** Rethrows what is no fault of the file. */
function problemOf(error: unknown, line: number | null): BatchProblem {
  if (!(error instanceof CocoonError) || error.family !== 'request') throw error
  const { field, line: told } = error.info
  return {
    code: error.code,
    message: error.message,
    param: typeof field === 'string' ? field : null,
    line: typeof told === 'number' ? told : line,
  }
}
