/** `cocoon doctor`: what this machine can do, what is missing, how to mend it. Looks only; changes nothing. */
import { execFile } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import net from 'node:net'
import { availableParallelism, cpus, freemem, totalmem } from 'node:os'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { formatAddress, openChainAccess } from '../chain/index.ts'
import { listModels } from '../models/index.ts'
import { noMetrics, silentLog, systemClock, systemRandom, toCocoonError } from '../util/index.ts'
import { type Finding, finding } from './finding.ts'
import { describeMachine, runTool } from './machine/description.ts'
import { judgeGpuSettings, judgeMachine } from './machine/judge.ts'
import { modelCache } from './model.ts'
import { chooseNetwork } from './network.ts'
import type { Config } from './schema.ts'
import type { Terminal } from './terminal.ts'

const GIB = 2 ** 30

export async function examine(config: Config): Promise<readonly Finding[]> {
  const engine = await engineAt(config.worker.engine.url)
  const machine = await describeMachine({ root: '/', run: runTool })
  return [
    nodeVersion(),
    processor(),
    memory(),
    await disk(config),
    await models(config),
    engine,
    network(config),
    await chain(config),
    ...(await Promise.all(portsOf(config).map(([name, host, port, setting]) => portFree(name, host, port, setting)))),
    await gpu(),
    ...judgeMachine(machine),
    ...judgeGpuSettings(machine, config.attestation),
  ]
}

/** Exit status 1 when something that every node needs is missing. */
export async function runDoctor(config: Config, t: Terminal, asJson: boolean): Promise<number> {
  const findings = await examine(config)
  if (asJson) t.line(JSON.stringify(findings, null, 2))
  else
    for (const f of findings) {
      const mark =
        f.verdict === 'ok'
          ? t.style('green', 'ok  ')
          : f.verdict === 'note'
            ? t.style('yellow', 'note')
            : t.style('red', 'no  ')
      t.line(`${mark}  ${f.about.padEnd(18)} ${f.what}`)
      if (f.mend !== '') t.line(`${' '.repeat(25)}→ ${f.mend}`)
    }
  return findings.some((f) => f.verdict === 'missing') ? 1 : 0
}

function nodeVersion(): Finding {
  return finding('Node', 'ok', `${process.versions.node} (${process.execPath})`)
}

function processor(): Finding {
  const model = cpus()[0]?.model ?? process.arch
  const flags = linuxFile('/proc/cpuinfo')?.match(/^flags\s*:(.*)$/m)?.[1] ?? ''
  const vector = ['avx512f', 'avx2', 'avx'].find((f) => flags.includes(f))
  const cores = availableParallelism()
  const what = `${model}, ${cores} cores${vector === undefined ? '' : `, ${vector.toUpperCase()}`}`
  if (process.arch === 'x64' && flags !== '' && vector === undefined)
    return finding(
      'processor',
      'note',
      `${what}; without AVX the embedded engine is very slow`,
      'use an engine on another machine: worker.engine.url',
    )
  return finding('processor', 'ok', what)
}

function memory(): Finding {
  const [all, free] = [totalmem() / GIB, freemem() / GIB]
  const what = `${all.toFixed(1)} GiB, ${free.toFixed(1)} free`
  return free < 1.5
    ? finding(
        'memory',
        'note',
        what,
        'the default model needs about 1 GiB; close something, or use an engine elsewhere',
      )
    : finding('memory', 'ok', what)
}

async function disk(config: Config): Promise<Finding> {
  const place = existsSync(config.home) ? config.home : dirname(config.home)
  try {
    accessSync(place, constants.W_OK)
    const { bavail, bsize } = await statfs(place)
    const free = (bavail * bsize) / GIB
    const what = `${free.toFixed(1)} GiB free in ${config.home}`
    return free < 1
      ? finding('disk', 'missing', what, 'free 1 GiB, or set COCOON_HOME to another disk')
      : finding('disk', 'ok', what)
  } catch (error) {
    return finding(
      'disk',
      'missing',
      `${config.home} cannot be used: ${(error as Error).message}`,
      'set COCOON_HOME to a folder you may write to',
    )
  }
}

async function models(config: Config): Promise<Finding> {
  const here = await listModels(modelCache(config))
  if (here.length === 0)
    return finding(
      'models',
      'note',
      'none pulled yet',
      `cocoon model pull ${config.engine.model.length > 40 ? 'REFERENCE' : config.engine.model}`,
    )
  return finding('models', 'ok', here.map((m) => m.name).join(', '))
}

async function engineAt(url: string): Promise<Finding> {
  try {
    const reply = await fetch(new URL('/v1/models', url), { signal: AbortSignal.timeout(2_000) })
    const { data = [] } = (await reply.json()) as { data?: readonly { id: string }[] }
    return finding(
      'engine',
      'ok',
      `${url} serves ${
        data
          .map((m) => m.id)
          .slice(0, 4)
          .join(', ') || 'no model'
      }`,
    )
  } catch {
    return finding(
      'engine',
      'note',
      `nothing answers at ${url}`,
      '`cocoon up` starts the embedded engine, for text or with --model whisper-tiny for speech; for vLLM and others set worker.engine.url (docs/models.md)',
    )
  }
}

function network(config: Config): Finding {
  try {
    const chosen = chooseNetwork(config)
    if (chosen.kind === 'file') return finding('network', 'ok', `network file ${chosen.path}`)
    const { name, root, endpoints } = chosen.chain
    const asked = endpoints.map((e) => new URL(e.url).host).join(', ')
    if (root !== null)
      return finding('network', 'ok', `${name}, root ${formatAddress(root, chosen.chain.isTest)}, asks ${asked}`)
    return finding(
      'network',
      'note',
      `${name}, no root contract known`,
      'deploy one with `cocoon root deploy`, or set rootContractAddress',
    )
  } catch (error) {
    return finding('network', 'missing', toCocoonError(error).message, 'correct the setting')
  }
}

const CHAIN_TIMEOUT_MS = 5_000

/** Whether endpoints answer, serve the network that is meant, and go by the same time as this machine. */
async function chain(config: Config): Promise<Finding> {
  let asked = ''
  try {
    const chosen = chooseNetwork(config)
    if (chosen.kind === 'file') return finding('chain', 'ok', 'none: this network has no chain')
    asked = chosen.chain.endpoints.map((e) => new URL(e.url).host).join(', ')
    const deps = { clock: systemClock, random: systemRandom, log: silentLog, metrics: noMetrics }
    const { seqno, atMs } = await openChainAccess(chosen.chain, deps).masterchainInfo({
      signal: AbortSignal.timeout(CHAIN_TIMEOUT_MS),
    })
    const ageS = Math.max(0, Math.round((systemClock.now() - atMs) / 1000))
    return finding('chain', 'ok', `${asked}: block ${seqno}, ${ageS} s old`)
  } catch (error) {
    const { code, message } = toCocoonError(error)
    if (code === 'chain.clock' || code === 'chain.other-network')
      return finding('chain', 'missing', message, MENDS[code])
    return finding(
      'chain',
      'note',
      `${asked}: ${message}`,
      'start `cocoon devnet`, or look at ton.endpoints and the network',
    )
  }
}
const MENDS = { 'chain.clock': 'set the clock, best by NTP', 'chain.other-network': 'correct ton.endpoints' } as const

function portsOf(config: Config): readonly (readonly [string, string, number, string])[] {
  const { client, proxy, worker } = config
  return [
    ['client API', client.http.host, client.http.port, 'client.http.port'],
    ['proxy workers', proxy.host, proxy.workerPort, 'proxy.workerPort'],
    ['proxy clients', proxy.host, proxy.clientPort, 'proxy.clientPort'],
    ['proxy operations', proxy.http.host, proxy.http.port, 'proxy.http.port'],
    ['worker operations', worker.http.host, worker.http.port, 'worker.http.port'],
  ]
}

function portFree(name: string, host: string, port: number, setting: string): Promise<Finding> {
  return new Promise((resolve) => {
    const probe = net.createServer()
    probe.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE'
      resolve(
        finding(
          name,
          'note',
          `port ${port} ${taken ? 'is taken (by a running node?)' : `cannot be used: ${error.message}`}`,
          `if that is not yours, choose another with ${setting}`,
        ),
      )
    })
    probe.listen({ host, port }, () => probe.close(() => resolve(finding(name, 'ok', `port ${port} is free`))))
  })
}

async function gpu(): Promise<Finding> {
  try {
    const { stdout } = await promisify(execFile)(
      'nvidia-smi',
      ['--query-gpu=name,memory.total', '--format=csv,noheader'],
      { timeout: 5_000 },
    )
    return finding('GPU', 'ok', stdout.trim().split('\n').join('; '))
  } catch {
    return finding(
      'GPU',
      'note',
      'no NVIDIA GPU found: small models run on the processor',
      'see docs/models.md for what each model needs',
    )
  }
}

function linuxFile(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}
