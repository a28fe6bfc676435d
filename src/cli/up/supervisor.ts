/** Child processes of `cocoon up`: started in order, restarted when they fall, stopped in the opposite order, one log. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { CocoonError } from '../../util/index.ts'

export interface ChildSpec {
  readonly name: string
  /** Arguments of this program: a command of ours. */
  readonly args: readonly string[]
  /** Answers 200 once the node can work. */
  readonly readyUrl: string
  readonly env: NodeJS.ProcessEnv
}

export interface SupervisorDeps {
  readonly mainPath: string
  /** Every line a child writes. */
  onLine(name: string, line: string): void
  onExit(name: string, how: string, restartInMs: number | null): void
  onStart(name: string, pid: number): void
}

export interface Supervisor {
  /** Resolves when the child is ready; rejects when it ends before, with the last lines it wrote. */
  start(spec: ChildSpec, signal: AbortSignal): Promise<void>
  /** Stops all, last started first; kills what does not end in time. */
  stop(graceMs: number): Promise<void>
}

/** A child that ends with this status says that its configuration is wrong: starting it again would not help. */
const CONFIG_EXIT = 2
const RESTART_MS = { first: 500, most: 10_000, stableAfter: 30_000 }
const READY_POLL_MS = 50
const KEPT_LINES = 20

interface Child {
  readonly spec: ChildSpec
  process: ChildProcess
  readonly lastLines: string[]
  startedMs: number
  failures: number
  restart: NodeJS.Timeout | null
  /** Has been ready once: from then on its end is an accident to mend, before it is a failed start. */
  isUp: boolean
}

export function createSupervisor(deps: SupervisorDeps): Supervisor {
  const children: Child[] = []
  let stopping = false

  function launch(child: Child): void {
    const { spec } = child
    child.startedMs = Date.now()
    child.process = spawn(process.execPath, [...nodeFlags(), deps.mainPath, ...spec.args], {
      env: spec.env,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    if (child.process.pid !== undefined) deps.onStart(spec.name, child.process.pid)
    for (const stream of [child.process.stdout, child.process.stderr]) {
      if (stream === null) continue
      createInterface({ input: stream }).on('line', (line) => {
        child.lastLines.push(line)
        if (child.lastLines.length > KEPT_LINES) child.lastLines.shift()
        deps.onLine(spec.name, line)
      })
    }
    child.process.once('exit', (code, signal) => {
      if (stopping || !child.isUp) return
      const how = signal === null ? `status ${code}` : `signal ${signal}`
      if (code === CONFIG_EXIT) return deps.onExit(spec.name, how, null)
      if (Date.now() - child.startedMs > RESTART_MS.stableAfter) child.failures = 0
      const pauseMs = Math.min(RESTART_MS.most, RESTART_MS.first * 2 ** child.failures++)
      deps.onExit(spec.name, how, pauseMs)
      child.restart = setTimeout(() => launch(child), pauseMs)
    })
  }

  return {
    async start(spec, signal) {
      const child = { spec, lastLines: [], startedMs: 0, failures: 0, restart: null, isUp: false } as unknown as Child
      children.push(child)
      launch(child)
      const ended = new Promise<never>((_, reject) => {
        child.process.once('exit', () => {
          // Its last lines are still in the pipe.
          setTimeout(
            () =>
              reject(
                new CocoonError('config.child', {
                  message: `${spec.name} ended while starting:\n${child.lastLines.map(lastWords).join('\n')}`,
                }),
              ),
            READY_POLL_MS,
          )
        })
      })
      await Promise.race([becomesReady(spec.readyUrl, signal), ended])
      child.isUp = true
    },
    async stop(graceMs) {
      stopping = true
      for (const child of children.toReversed()) {
        clearTimeout(child.restart ?? undefined)
        await end(child.process, graceMs)
      }
    },
  }
}

async function becomesReady(url: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted()
    try {
      if ((await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(2_000)]) })).ok) return
    } catch {
      signal.throwIfAborted()
    }
    await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS))
  }
}

function end(child: ChildProcess, graceMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    const kill = setTimeout(() => child.kill('SIGKILL'), graceMs)
    child.once('exit', () => {
      clearTimeout(kill)
      resolve()
    })
    child.kill('SIGTERM')
  })
}

/** The sentence of a JSON log line, or the line. */
export function lastWords(line: string): string {
  try {
    const { msg, ...fields } = JSON.parse(line) as { msg?: string }
    const { level: _level, time: _time, role: _role, ...facts } = fields as Record<string, unknown>
    const shown = Object.entries(facts).map(([k, v]) => `${k}=${typeof v === 'string' ? v : JSON.stringify(v)}`)
    return [msg, ...shown].join(' ')
  } catch {
    return line
  }
}

/** As this process was started, but a debugger's port is one process's. */
const nodeFlags = (): string[] => process.execArgv.filter((flag) => !flag.startsWith('--inspect'))
