/** Other processes: started, waited for, measured and ended. */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import net from 'node:net'

/** A process that nobody may forget: `await using` ends it. */
export interface Running extends AsyncDisposable {
  readonly name: string
  readonly child: ChildProcess
}

const START_TIMEOUT_MS = 60_000
const END_TIMEOUT_MS = 15_000

/** One of our own helper programs. Resolves with its first message, by which it says that it is ready. */
export async function startHelper<M>(file: string, args: readonly string[]): Promise<Running & { readonly hello: M }> {
  const child = fork(new URL(file, import.meta.url), args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const hello = await new Promise<M>((resolve, reject) => {
    child.once('message', (message) => resolve(message as M))
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code} before it was ready`)))
  })
  return { name: file, child, hello, [Symbol.asyncDispose]: () => end(child) }
}

/** `cocoon ROLE`, configured by its environment only. Resolves when it answers on `/healthz`. */
export async function startRole(
  role: 'proxy' | 'worker' | 'client',
  env: Readonly<Record<string, string>>,
  options: { readonly httpPort: number; readonly profileInto: string | undefined },
): Promise<Running> {
  const cocoon = new URL('../bin/cocoon.mjs', import.meta.url).pathname
  const profile =
    options.profileInto === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.profileInto}/${role}`]
  const child = spawn(process.execPath, [...profile, cocoon, role], {
    env: { PATH: process.env.PATH, COCOON_LOG_LEVEL: 'silent', ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const running: Running = { name: role, child, [Symbol.asyncDispose]: () => end(child) }
  try {
    await until(() => answers(options.httpPort, '/healthz'), `${role} answers`, child)
  } catch (error) {
    await end(child)
    throw error
  }
  return running
}

export async function answers(port: number, path: string): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`)
    await response.arrayBuffer()
    return response.ok
  } catch {
    return false
  }
}

export async function until(isTrue: () => Promise<boolean>, what: string, child?: ChildProcess): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS
  while (!(await isTrue())) {
    if (child !== undefined && child.exitCode !== null) throw new Error(`ended with ${child.exitCode} before: ${what}`)
    if (Date.now() > deadline) throw new Error(`not within ${START_TIMEOUT_MS} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    const force = setTimeout(() => child.kill('SIGKILL'), END_TIMEOUT_MS)
    child.once('exit', () => {
      clearTimeout(force)
      resolve()
    })
    child.kill('SIGTERM')
  })
}

export interface Usage {
  /** User and system time since the start. */
  readonly cpuMs: number
  readonly rssMib: number
  readonly peakRssMib: number
}

/** Ticks of /proc are hundredths of a second on every Linux that Node runs on. */
const MS_PER_TICK = 10

/** Undefined where there is no /proc. */
export function usageOf({ child }: Running): Usage | undefined {
  const folder = `/proc/${child.pid}`
  if (!existsSync(folder)) return undefined
  const stat = readFileSync(`${folder}/stat`, 'latin1')
  // The name of the program stands in brackets and may hold blanks.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const status = readFileSync(`${folder}/status`, 'latin1')
  const mib = (field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) / 1024
  return {
    cpuMs: (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK,
    rssMib: mib('VmRSS'),
    peakRssMib: mib('VmHWM'),
  }
}

/** Ports that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = net.createServer()
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as net.AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
