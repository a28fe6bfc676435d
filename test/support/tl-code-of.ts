import { CocoonError } from '../../src/util/index.ts'

/** The code of the CocoonError that `run` throws; undefined when it throws nothing. Any other error passes through. */
export function codeOf(run: () => unknown): string | undefined {
  try {
    run()
    return undefined
  } catch (error) {
    if (error instanceof CocoonError) return error.code
    throw error
  }
}
