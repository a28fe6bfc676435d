/**
 * `cocoon up`: a whole network on this machine. Chain, engine, proxy, worker and client as separate processes, supervised, one
 * log; then one question, so that the first thing a person sees is an answer with its price, its evidence and its payment.
 */
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { baseName } from '../../api/index.ts'
import { CocoonError, reveal, toCocoonError } from '../../util/index.ts'
import { isNetworkName } from '../../chain/index.ts'
import { ask, showCost } from '../ask.ts'
import { DEFAULT_FILE, type Loaded } from '../config.ts'
import { ownerKeyOf } from '../gateway/admin-key.ts'
import { fetchModel, fetchSpeechRuntime, isSpeechModel } from '../model.ts'
import type { Config } from '../schema.ts'
import { allSettings, pathText } from '../settings.ts'
import { printable, type Terminal } from '../terminal.ts'
import { describeChain, prepareChain, QUICK_SETTINGS, type UpChain } from './chain.ts'
import { writeDevnet } from './network.ts'
import { showPayment } from './payment.ts'
import { createSupervisor, lastWords, type Supervisor } from './supervisor.ts'

export interface UpOptions {
  /** End after the first answer. */
  readonly once: boolean
  /** Use this engine instead of the embedded one. */
  readonly engineUrl: string | undefined
  /** Show every log line, not only warnings. */
  readonly verbose: boolean
  readonly mainPath: string
  /** Environment of the children: every setting, whatever source it had here. */
  readonly childEnv: (overrides: Readonly<Record<string, string>>) => NodeJS.ProcessEnv
}

const ANSWER_TOKENS = 96
const START_TIMEOUT_MS = 180_000
const CONTRACT_POLL_MS = 200

export async function runUp(loaded: Loaded, options: UpOptions, t: Terminal): Promise<number> {
  const { config } = loaded
  const stop = new AbortController()
  const onSignal = (): void => stop.abort(new CocoonError('config.stopped', { message: 'stopped' }))
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)
  const log = openLogFile(config)
  const screen = createScreen(t, log.write, options.verbose)
  const supervisor = createSupervisor({
    mainPath: options.mainPath,
    onLine: screen.line,
    onExit: screen.exit(stop),
    onStart: writePidFile(config),
  })
  try {
    const { model, isSpeech, chain } = await bringUp(loaded, options, supervisor, screen, t, stop.signal)
    // Nobody can ask it anything but with a recording.
    const answered = isSpeech ? 0 : await askOnce(config, model, t, stop.signal)
    const paid = isSpeech || chain === null || answered !== 0 || (await showPayment(config, chain, t, stop.signal))
    const status = paid ? answered : 1
    if (options.once) return status
    suggest(loaded, { model, isSpeech }, log.path, t)
    await new Promise<void>((resolve) => {
      if (stop.signal.aborted) resolve()
      stop.signal.addEventListener('abort', () => resolve(), { once: true })
    })
    const why = toCocoonError(stop.signal.reason)
    if (why.code !== 'config.stopped') throw why
    return 0
  } catch (error) {
    if (stop.signal.aborted && toCocoonError(stop.signal.reason).code === 'config.stopped') return 130
    throw error
  } finally {
    screen.quiet()
    t.write(t.style('dim', 'stopping … '))
    // Children finish running answers within their own grace; a moment more, then they are killed.
    await supervisor.stop(options.once ? 5_000 : config.shutdownGraceMs + 5_000)
    t.line(t.style('dim', 'stopped'))
    await log.close()
  }
}

interface Up {
  /** The name callers ask for. */
  readonly model: string
  /** Whether the embedded engine turns recordings into text instead of answering. */
  readonly isSpeech: boolean
  /** Null without one. */
  readonly chain: UpChain | null
}

/** Starts everything in order, a line each. */
async function bringUp(
  loaded: Loaded,
  options: UpOptions,
  supervisor: Supervisor,
  screen: Screen,
  t: Terminal,
  signal: AbortSignal,
): Promise<Up> {
  const { config } = loaded
  const withChain = usesChain(config)
  const given = (path: string): boolean => loaded.origins.has(path)
  t.line(t.style('bold', 'Cocoon') + t.style('dim', '  a whole network on this machine'))
  t.line(
    t.style(
      'yellow',
      withChain
        ? 'Test network: the evidence is simulated and proves nothing; the money is play money on a chain of its own.'
        : 'Test network: the evidence is simulated and proves nothing; tokens are metered and priced, no money moves.',
    ),
  )
  t.line()
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(START_TIMEOUT_MS)])
  let engineUrl = options.engineUrl
  let model = baseName(config.worker.model)
  let isSpeech = false
  if (engineUrl === undefined) {
    const file = await step(t, 'model', config.engine.model.split('#')[0] as string, async () => {
      const pulled = await fetchModel(config, config.engine.model, process.stdout, { signal })
      return [`${pulled.name}, ${Math.round(pulled.bytes / 1e6)} MB`, pulled]
    })
    isSpeech = await isSpeechModel(file.path)
    if (isSpeech)
      await step(t, 'runtime', 'what computes speech models', async () => {
        const { name, bytes } = await fetchSpeechRuntime(config, process.stdout, { signal })
        return [`${name}, ${Math.round(bytes / 1e6)} MB`, null]
      })
    if (!given('worker.model')) model = config.engine.servedName ?? file.name
    engineUrl = `http://${config.engine.host}:${config.engine.port}`
    const env = options.childEnv({ COCOON_ENGINE_SERVED_NAME: model, COCOON_LOG_FORMAT: 'json' })
    await step(
      t,
      'engine',
      `${isSpeech ? 'Whisper' : 'llama.cpp'}, ${config.engine.threads} thread${config.engine.threads === 1 ? '' : 's'}`,
      async () => {
        await supervisor.start({ name: 'engine', args: ['engine'], readyUrl: `${engineUrl}/health`, env }, deadline)
        return [engineUrl as string, null]
      },
    )
  } else {
    const served = await modelsAt(engineUrl)
    if (!given('worker.model')) model = served[0] ?? model
    t.line(done(t, 'engine', engineUrl))
  }
  const chain = withChain ? await bringUpChain(loaded, options, supervisor, t, deadline) : null
  const quick = chain === null ? [] : QUICK_SETTINGS.filter(([setting]) => !given(setting))
  const network = chain !== null ? 'devnet' : config.network === 'devnet' ? writeDevnet(config) : config.network
  const env = options.childEnv({
    ...Object.fromEntries(quick.map(([, variable, value]) => [variable, value])),
    COCOON_WORKER_ENGINE_URL: engineUrl,
    COCOON_WORKER_MODEL: given('worker.model') ? config.worker.model : model,
    COCOON_NETWORK: network,
    COCOON_LOG_FORMAT: 'json',
  })
  const start = (role: 'proxy' | 'worker' | 'client', readiness: string, what: string): Promise<null> =>
    step(t, role, what, async () => {
      const { host, port } = config[role].http
      await supervisor.start(
        { name: role, args: [role], readyUrl: `http://${host}:${port}${readiness}`, env },
        deadline,
      )
      return [what, null]
    })
  await start('proxy', '/healthz', `workers on ${config.proxy.workerPort}, clients on ${config.proxy.clientPort}`)
  if (chain !== null)
    await step(t, 'contract', 'the proxy deploys its contract', async () => [
      await proxyContract(config, deadline),
      null,
    ])
  await start('worker', '/readyz', `offers ${model}`)
  await start('client', '/readyz', `http://${config.client.http.host}:${config.client.http.port}/v1`)
  screen.started()
  return { model, isSpeech, chain }
}

/** Throws `config.network` for networks of other people. */
function usesChain({ network, up }: Config): boolean {
  if (!isNetworkName(network)) return false
  if (network === 'devnet') return up.chain
  throw new CocoonError('config.network', {
    message: `\`cocoon up\` makes a network of its own and takes no part in ${network}: leave --network out, or run \`cocoon client --network ${network}\` and its like`,
  })
}

async function bringUpChain(
  loaded: Loaded,
  options: UpOptions,
  supervisor: Supervisor,
  t: Terminal,
  deadline: AbortSignal,
): Promise<UpChain> {
  const { host, port } = loaded.config.devnet
  const url = `http://${host}:${port}`
  const env = options.childEnv({ COCOON_LOG_FORMAT: 'json' })
  await step(t, 'chain', 'a TON chain with a real TVM', async () => {
    await supervisor.start({ name: 'devnet', args: ['devnet'], readyUrl: `${url}/devnet/status`, env }, deadline)
    return [`TON on this machine, ${url}`, null]
  })
  return step(t, 'root', 'deploys the root contract, funds the nodes', async () => {
    const chain = await prepareChain(loaded, t, t)
    return [describeChain(chain, loaded.config), chain]
  })
}

/** The proxy takes nobody in before its contract and its ledger agree. */
async function proxyContract({ proxy }: Config, signal: AbortSignal): Promise<string> {
  const url = `http://${proxy.http.host}:${proxy.http.port}/status`
  for (;;) {
    signal.throwIfAborted()
    const status = (await fetch(url).then((reply) => reply.json())) as { contract: string; enabled: boolean }
    if (status.enabled) return status.contract
    await new Promise((resolve) => setTimeout(resolve, CONTRACT_POLL_MS))
  }
}

async function askOnce(config: Config, model: string, t: Terminal, signal: AbortSignal): Promise<number> {
  const { question } = config.up
  t.line(`\n${t.style('bold', '?')} ${printable(question)}\n`)
  const apiKey = ownerKeyOf(config)
  const answer = await ask(
    {
      url: clientUrl(config),
      apiKey: apiKey === undefined ? undefined : reveal(apiKey),
      text: question,
      model,
      maxTokens: ANSWER_TOKENS,
      signal,
    },
    (text) => t.write(text),
  )
  t.line('\n')
  showCost(t, answer)
  return answer.completionTokens > 0 ? 0 : 1
}

function suggest(
  loaded: Loaded,
  { model, isSpeech }: Pick<Up, 'model' | 'isSpeech'>,
  logPath: string,
  t: Terminal,
): void {
  const url = clientUrl(loaded.config)
  t.line(`\n${t.style('bold', 'The network stays up.')} Try, in another terminal:\n`)
  const variables = elsewhere(loaded)
  if (variables.length > 0) t.line(`  export ${variables.join(' ')}`)
  if (!isSpeech) t.line(`  npx cocoon ask "Why is the sky blue?"`)
  t.line(`  npx cocoon status`)
  t.line(`  npx cocoon console          its address opens prices, keys, budgets and usage in a browser`)
  if (isSpeech) t.line(`  curl ${url}/v1/audio/transcriptions -F model=${model} -F file=@RECORDING.wav`)
  else {
    t.line(`  curl ${url}/v1/chat/completions -H 'content-type: application/json' \\`)
    t.line(`    -d '{"model":"${model}","messages":[{"role":"user","content":"Hi"}],"max_tokens":64}'`)
  }
  t.line(`\n  any OpenAI client: base URL ${url}/v1, any API key`)
  t.line(`  everything the nodes write: ${logPath}`)
  t.line(`\n${t.style('dim', 'Ctrl-C stops it.')}`)
}

/** What the commands that we suggest would not know in another terminal, as variables: what flags and variables said here. */
function elsewhere({ config, origins, file }: Loaded): string[] {
  const folder = file === null || file === resolve(DEFAULT_FILE) ? [] : [`COCOON_CONFIG=${quoted(file)}`]
  const settings = allSettings().filter(({ path, env }) => {
    const origin = origins.get(pathText(path))
    return (path[0] === 'home' || path[1] === 'http') && (origin === env || origin?.startsWith('--') === true)
  })
  const valueAt = (path: readonly string[]): unknown =>
    path.reduce<unknown>((part, name) => (part as Record<string, unknown>)[name], config)
  return [...folder, ...settings.map(({ path, env }) => `${env}=${quoted(String(valueAt(path)))}`)]
}

/** For a shell. */
const quoted = (text: string): string => (/^[\w./:@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`)

const clientUrl = ({ client }: Config): string => `http://${client.http.host}:${client.http.port}`

async function modelsAt(url: string): Promise<readonly string[]> {
  try {
    const reply = await fetch(new URL('/v1/models', url), { signal: AbortSignal.timeout(10_000) })
    const { data = [] } = (await reply.json()) as { data?: readonly { id: string }[] }
    return data.map((m) => m.id)
  } catch (cause) {
    throw new CocoonError(
      'config.engine',
      {
        message: `no OpenAI-compatible engine answers at ${url}; start it first, or leave out --engine to use the embedded one`,
      },
      { cause },
    )
  }
}

const done = (t: Terminal, name: string, what: string): string =>
  `${t.style('green', '✓')} ${name.padEnd(9)}${t.style('dim', what)}`

/** A line that says what is being waited for, and then that it is there. */
async function step<T>(
  t: Terminal,
  name: string,
  what: string,
  work: () => Promise<readonly [what: string, result: T]>,
): Promise<T> {
  const startMs = Date.now()
  if (t.isTTY) t.write(`${t.style('dim', `… ${name.padEnd(9)}${what}`)}`)
  const clear = t.isTTY ? '\r\u001b[2K' : ''
  try {
    const [result, value] = await work()
    const tookS = (Date.now() - startMs) / 1000
    t.line(`${clear}${done(t, name, result)}${tookS > 1 ? t.style('dim', `  ${tookS.toFixed(1)} s`) : ''}`)
    return value
  } catch (error) {
    t.line(`${clear}${t.style('red', '✗')} ${name.padEnd(9)}${what}`)
    throw error
  }
}

interface Screen {
  line(name: string, line: string): void
  exit(stop: AbortController): (name: string, how: string, restartInMs: number | null) => void
  started(): void
  quiet(): void
}

const LOUD = new Set(['warn', 'error', 'fatal'])

/** Log lines of the children: all of them into the file, the important ones onto the terminal once the start is over. */
function createScreen(t: Terminal, write: (line: string) => void, verbose: boolean): Screen {
  let showing = verbose
  return {
    line(name, line) {
      write(line)
      if (!showing || (!verbose && !LOUD.has(levelOf(line)))) return
      t.line(`${t.style('dim', `${name.padEnd(7)}`)} ${printable(lastWords(line))}`)
    },
    exit: (stop) => (name, how, restartInMs) => {
      if (restartInMs === null)
        return stop.abort(
          new CocoonError('config.child', {
            message: `${name} ended with ${how}: its configuration is wrong, see the lines above`,
          }),
        )
      t.line(`${t.style('yellow', '!')} ${name} ended with ${how}; starting it again in ${restartInMs / 1000} s`)
    },
    started: () => void (showing = true),
    quiet: () => void (showing = verbose),
  }
}

function levelOf(line: string): string {
  return /"level":"(\w+)"/.exec(line.slice(0, 200))?.[1] ?? 'error'
}

/** `<home>/run/NAME.pid`, for people and tools that look for a node's process. */
function writePidFile(config: Config): (name: string, pid: number) => void {
  const folder = join(config.home, 'run')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  return (name, pid) => writeFileSync(join(folder, `${name}.pid`), `${pid}\n`)
}

function openLogFile(config: Config): { readonly path: string; write(line: string): void; close(): Promise<void> } {
  const path = join(config.home, 'logs', 'up.log')
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const file = createWriteStream(path, { flags: 'w', mode: 0o600 })
  return {
    path,
    write: (line) => void file.write(`${line}\n`),
    close: () => new Promise((resolve) => file.end(resolve)),
  }
}
