/** `cocoon engine`: the embedded engine as an OpenAI-compatible server, a process of its own. Which one, the model's file says. */
import { startLlamaServer } from '../engine/llama/index.ts'
import { startWhisperServer } from '../engine/whisper/index.ts'
import { CATALOGUE, type LocalModel, SPEECH_RUNTIME } from '../models/index.ts'
import type { Log } from '../util/index.ts'
import { portError } from './compose.ts'
import { untilStopped } from './lifecycle.ts'
import { createLog } from './log.ts'
import { fetchModel, fetchSpeechRuntime, isSpeechModel } from './model.ts'
import type { Loaded } from './config.ts'

export async function runEngine(loaded: Loaded): Promise<number> {
  const { config } = loaded
  const log = createLog(config.log, 'engine', process.stdout)
  const model = await fetchModel(config, config.engine.model, process.stderr)
  const servedModelName = config.engine.servedName ?? model.name
  const start = (await isSpeechModel(model.path)) ? startSpeech : startText
  const server = await start(loaded, model, servedModelName, log).catch((error: unknown) => {
    throw portError(error, 'the engine', '--port (engine.port)')
  })
  log.info('the engine is ready', { url: server.url, model: servedModelName })
  return untilStopped({ close: () => server.close() }, log, config.engine.drainMs)
}

interface Server {
  readonly url: string
  close(): Promise<void>
}

function startText({ config, origins }: Loaded, model: LocalModel, servedModelName: string, log: Log): Promise<Server> {
  const { model: _, servedName: _name, ...options } = config.engine
  // What the catalogue advises for a model holds where nobody said otherwise.
  const advised = CATALOGUE.find((c) => c.name === model.name)?.sampling ?? {}
  const advice = Object.fromEntries(Object.entries(advised).filter(([name]) => !origins.has(`engine.${name}`)))
  return startLlamaServer({ ...options, ...advice, modelPath: model.path, servedModelName }, { log })
}

async function startSpeech({ config }: Loaded, model: LocalModel, servedModelName: string, log: Log): Promise<Server> {
  const { host, port, parallel, threads, maxQueued, drainMs } = config.engine
  const runtime = await fetchSpeechRuntime(config, process.stderr)
  return startWhisperServer(
    {
      host,
      port,
      maxQueued,
      drainMs,
      servedModelName,
      modelPath: model.path,
      runtimePath: runtime.path,
      runtimeSha256: SPEECH_RUNTIME.sha256,
      // Each place is a thread that computes.
      parallel: Math.min(parallel, threads),
    },
    { log },
  )
}
