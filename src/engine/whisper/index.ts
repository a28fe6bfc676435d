/**
 * The embedded speech engine. Its runtime and its threads start with the server and not before, so that importing this costs nothing
 * in the processes that only talk to an engine over HTTP.
 */
import type { WhisperOptionsInput } from './options.ts'
import type { WhisperServer, WhisperServerDeps } from './server.ts'

export { type WhisperOptions, whisperOptions, type WhisperOptionsInput } from './options.ts'
export type { WhisperServer, WhisperServerDeps } from './server.ts'

/** See `server.ts`. Throws `engine.model-unusable`, or what `listen` throws. */
export async function startWhisperServer(
  options: WhisperOptionsInput,
  deps: WhisperServerDeps = {},
): Promise<WhisperServer> {
  const server = await import('./server.ts')
  return server.startWhisperServer(options, deps)
}
