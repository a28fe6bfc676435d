/** `cocoon engine`: the embedded llama.cpp as an OpenAI-compatible server, a process of its own. */
import { startLlamaServer } from '../engine/llama/index.ts'
import { CATALOGUE } from '../models/index.ts'
import { portError } from './compose.ts'
import { untilStopped } from './lifecycle.ts'
import { createLog } from './log.ts'
import { fetchModel } from './model.ts'
import type { Loaded } from './config.ts'

export async function runEngine({ config, origins }: Loaded): Promise<number> {
  const log = createLog(config.log, 'engine', process.stdout)
  const { model: reference, servedName, ...options } = config.engine
  const model = await fetchModel(config, reference, process.stderr)
  const servedModelName = servedName ?? model.name
  // What the catalogue advises for a model holds where nobody said otherwise.
  const advised = CATALOGUE.find((c) => c.name === model.name)?.sampling ?? {}
  const advice = Object.fromEntries(Object.entries(advised).filter(([name]) => !origins.has(`engine.${name}`)))
  const server = await startLlamaServer(
    { ...options, ...advice, modelPath: model.path, servedModelName },
    { log },
  ).catch((error: unknown) => {
    throw portError(error, 'the engine', '--port (engine.port)')
  })
  log.info('the engine is ready', { url: server.url, model: servedModelName })
  return untilStopped({ close: () => server.close() }, log, config.engine.drainMs)
}
