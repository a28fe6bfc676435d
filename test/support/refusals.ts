/** How a parser of evidence may refuse: an error of ours, of its family, with a place inside the input. */
import { CocoonError, toHex } from '../../src/util/index.ts'

/** The code; null when `run` returned. Throws on any other kind of failure, and shows the input. */
export function refusalOf(run: () => unknown, input: Uint8Array): string | null {
  try {
    run()
    return null
  } catch (error) {
    const at = error instanceof CocoonError ? error.info.offset : undefined
    if (
      error instanceof CocoonError &&
      error.family === 'attestation' &&
      typeof at === 'number' &&
      at >= 0 &&
      at <= Math.max(input.length, 1 << 22)
    )
      return error.code
    throw new Error(`not a proper refusal of ${toHex(input.subarray(0, 4096))}`, { cause: error })
  }
}
