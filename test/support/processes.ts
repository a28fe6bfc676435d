/** The program as users run it: child processes with a home of their own and free ports. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

/** The command. */
export const MAIN = resolve(import.meta.dirname, '../../bin/cocoon.mjs')

export interface Cocoon {
  readonly env: Readonly<Record<string, string>>
  readonly home: string
  readonly clientUrl: string
  /** Runs a command to its end. */
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ended>
  start(args: readonly string[], env?: Readonly<Record<string, string>>): Started
  /** Kills what still runs. */
  close(): void
}

export interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Started {
  readonly child: ChildProcess
  readonly output: () => string
  readonly ended: Promise<Ended>
}

export async function cocoonHome(): Promise<Cocoon> {
  const home = mkdtempSync(join(tmpdir(), 'cocoon-home-'))
  const ports = await freePorts(7)
  const [client, workers, clients, proxyOps, workerOps, engine, devnet] = ports.map(String) as [
    string,
    string,
    string,
    string,
    string,
    string,
    string,
  ]
  const { PATH = '', TMPDIR = tmpdir(), TEST_COMPILE_CACHE = join(home, '.cache') } = process.env
  const env = {
    PATH,
    TMPDIR,
    NODE_COMPILE_CACHE: TEST_COMPILE_CACHE,
    HOME: home,
    COCOON_HOME: home,
    COCOON_CLIENT_HTTP_PORT: client,
    COCOON_PROXY_WORKER_PORT: workers,
    COCOON_PROXY_CLIENT_PORT: clients,
    COCOON_PROXY_HTTP_PORT: proxyOps,
    COCOON_PROXY_POW_DIFFICULTY: '4',
    COCOON_WORKER_HTTP_PORT: workerOps,
    COCOON_ENGINE_PORT: engine,
    COCOON_DEVNET_PORT: devnet,
    COCOON_SHUTDOWN_GRACE_MS: '2000',
    NO_COLOR: '1',
  }
  const running = new Set<ChildProcess>()
  const start = (args: readonly string[], more: Readonly<Record<string, string>> = {}): Started => {
    const child = spawn(process.execPath, [MAIN, ...args], {
      env: { ...env, ...more },
      cwd: home,
    })
    running.add(child)
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (data) => (stdout += data))
    child.stderr.on('data', (data) => (stderr += data))
    const ended = new Promise<Ended>((done) => {
      child.once('close', (status) => {
        running.delete(child)
        done({ status, stdout, stderr })
      })
    })
    return { child, ended, output: () => stdout + stderr }
  }
  return {
    env,
    home,
    clientUrl: `http://127.0.0.1:${client}`,
    start,
    run: (args, more) => start(args, more).ended,
    close() {
      for (const child of running) child.kill('SIGKILL')
    },
  }
}

/** Ports nobody listens on at this instant; taken together, so that they differ. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<net.Server>((done) => {
          const server = net.createServer().listen(0, '127.0.0.1', () => done(server))
        }),
    ),
  )
  const ports = servers.map((s) => (s.address() as net.AddressInfo).port)
  await Promise.all(servers.map((s) => new Promise((done) => s.close(done))))
  return ports
}
