/** `cocoon engine`: the embedded llama.cpp as an OpenAI-compatible server, a process of its own. */
import type { Config } from './schema.ts'
import { portError } from './compose.ts'
import { untilStopped } from './lifecycle.ts'
import { createLog } from './log.ts'
import { fetchModel } from './model.ts'

export async function runEngine(config: Config): Promise<number> {
  const log = createLog(config.log, 'engine', process.stdout)
  const { model: reference, servedName, ...options } = config.engine
  const model = await fetchModel(config, reference, process.stderr)
  // Loaded here only: the bindings take half a second and memory that no other command needs.
  const { startLlamaServer } = await import('../engine/llama/index.ts')
  const server = await startLlamaServer(
    { ...options, modelPath: model.path, servedModelName: servedName ?? model.name },
    { log },
  ).catch((error: unknown) => {
    throw portError(error, 'the engine', '--port (engine.port)')
  })
  log.info('the engine is ready', { url: server.url, model: servedName ?? model.name })
  return untilStopped({ close: () => server.close() }, log, config.engine.drainMs)
}
