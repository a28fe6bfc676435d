/** The program as users run it: `cocoon up` with a real (tiny) model, real processes, real sockets. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../support/network.ts'
import { type Cocoon, cocoonHome, MAIN, type Started } from '../support/processes.ts'
import { tinyModelPath } from '../support/tiny-model.ts'

const QUESTION = 'marker-7f3a: what is a proxy?'
const model = tinyModelPath()
let cocoon: Cocoon

beforeAll(async () => void (cocoon = await cocoonHome()))
afterAll(() => cocoon.close())

test('up --once brings chain and network up, shows an answer with its price and its payment on chain, and ends', async () => {
  const ended = await cocoon.run(['up', '--once', '--model', model, '--up-question', QUESTION])
  expect(ended.stderr).toBe('')
  expect(ended.status).toBe(0)
  expect(ended.stdout).toMatch(/✓ engine[\s\S]*✓ chain[\s\S]*✓ root[\s\S]*✓ proxy[\s\S]*✓ worker[\s\S]*✓ client/)
  expect(ended.stdout).toMatch(/tokens +\d+ in, \d+ out/)
  expect(ended.stdout).toMatch(/price +[1-9]\d* nanoTON/)
  expect(ended.stdout).toContain('simulated (proves nothing; test network)')
  const charged = /the client is charged (\d+) tokens in total\n.*hash=[0-9a-f]{64}/.exec(ended.stdout)?.[1]
  expect(Number(charged)).toBeGreaterThan(0)
  expect(ended.stdout).toMatch(new RegExp(`the worker is paid ${charged} tokens in total\\n.*hash=[0-9a-f]{64}`))
  expect(ended.stdout).toMatch(/client contract .* charged 0\.0\d+ TON, holds 0\.9\d+ TON/)
  expect(await reaches(cocoon.clientUrl)).toBe(false)
}, 120_000)

test('up without a chain meters and prices, and says that no money moves', async () => {
  const ended = await cocoon.run(['up', '--once', '--model', model, '--up-question', QUESTION, '--up-chain', 'false'])
  expect(ended.status).toBe(0)
  expect(ended.stdout).toContain('no money moves')
  expect(ended.stdout).not.toContain('The payment')
})

test('up takes no part in networks of other people', async () => {
  const ended = await cocoon.run(['up', '--once', '--model', model, '--network', 'testnet'])
  expect(ended.status).toBe(2)
  expect(ended.stderr).toContain('cocoon client --network testnet')
})

describe('a network that stays up', () => {
  let up: Started
  beforeAll(async () => {
    up = cocoon.start(['up', '--model', model, '--up-question', QUESTION])
    await until(
      () => up.output().includes('The network stays up') || up.child.exitCode !== null,
      'the network is up',
      200_000,
    )
  }, 220_000)

  test('answers `ask`, and says what it cost', async () => {
    const ended = await cocoon.run(['ask', QUESTION, '--max-tokens', '8', '--json'])
    expect(JSON.parse(ended.stdout)).toMatchObject({ completionTokens: 8, evidence: 'simulated' })
    const { promptTokens, costNano } = JSON.parse(ended.stdout) as { promptTokens: number; costNano: string }
    expect(BigInt(costNano)).toBe(20n * BigInt(promptTokens + 8))
  })

  test('names what another terminal has to know to find it', async () => {
    const line = /^ {2}(export COCOON_HOME=.*)$/m.exec(up.output())?.[1]
    const env = { PATH: process.env['PATH'], HOME: process.env['HOME'] }
    const command = `${line} && exec '${process.execPath}' '${MAIN}' status --json`
    const { stdout } = await promisify(execFile)('sh', ['-c', command], { env })
    const nodes = JSON.parse(stdout) as { readonly role: string; readonly reasons: readonly string[] }[]
    expect(nodes).toMatchObject(['client', 'proxy', 'worker'].map((role) => ({ role, reasons: [] })))
  })

  test('shows nodes and models in `status`', async () => {
    const ended = await cocoon.run(['status'])
    expect(ended.status).toBe(0)
    expect(ended.stdout).toMatch(/proxy contract \S{48} \(normal\): earned [\d.]+ TON/)
    for (const role of ['client', 'proxy', 'worker']) expect(ended.stdout).toMatch(new RegExp(`${role} +ready`))
    expect(ended.stdout).toMatch(/tiny-\w+ +simulated +– +0\/60/)
  })

  test('serves the console at the address that `console` prints, built from this checkout', async () => {
    const url = new URL((await cocoon.run(['console'])).stdout.trim())
    const page = await fetch(url)
    expect(await page.text()).toContain('<title>Cocoon · console</title>')
    for (const name of ['console.js', 'console.css'])
      expect((await fetch(new URL(name, page.url))).headers.get('content-type')).toMatch(/^text\/(?:javascript|css)/)
    const authorization = `Bearer ${url.hash.slice(1)}`
    const self = await fetch(new URL('/admin/self', url), { headers: { authorization } })
    expect(await self.json()).toEqual({ role: 'node', project: null, member: null })
  })

  test.each(['worker', 'proxy', 'client', 'engine', 'devnet'] as const)(
    'starts a killed %s again, and answers again',
    async (role) => {
      const before = pidOf(cocoon, role)
      process.kill(before, 'SIGKILL')
      await until(
        () => up.output().includes(`! ${role} ended with signal SIGKILL`),
        `the supervisor notices the ${role}`,
      )
      await until(async () => (await cocoon.run(['status'])).status === 0, 'everything is ready again', 40_000)
      expect(pidOf(cocoon, role)).not.toBe(before)
      // A worker looks at its engine now and then: it may find out that one was gone only when another is there.
      let ended = await cocoon.run(['ask', 'again', '--max-tokens', '4'])
      await until(
        async () =>
          ended.status === 0 || (ended = await cocoon.run(['ask', 'again', '--max-tokens', '4'])).status === 0,
        'it answers again',
        20_000,
      )
      expect(ended.stderr).toBe('')
    },
  )

  test('ends with everything it started when it is told to stop', async () => {
    const pids = (['worker', 'proxy', 'client', 'engine'] as const).map((role) => pidOf(cocoon, role))
    up.child.kill('SIGTERM')
    await up.ended
    await until(() => pids.every((pid) => !isAlive(pid)), 'no process is left')
    expect(await reaches(cocoon.clientUrl)).toBe(false)
  })

  test('wrote neither questions nor answers into its log', () => {
    const log = readFileSync(join(cocoon.home, 'logs', 'up.log'), 'utf8')
    expect(log).toContain('"role":"proxy"')
    expect(log).not.toContain('marker-7f3a')
  })
})

test('nodes end by themselves when their supervisor is killed', async () => {
  const up = cocoon.start(['up', '--model', model])
  await until(() => up.output().includes('The network stays up'), 'the network is up', 200_000)
  const pids = (['worker', 'proxy', 'client', 'engine'] as const).map((role) => pidOf(cocoon, role))
  up.child.kill('SIGKILL')
  await until(() => pids.every((pid) => !isAlive(pid)), 'every node is gone')
}, 250_000)

test('a port in use stops the start, naming port and setting', async () => {
  const squatter = http.createServer()
  await new Promise<void>((done) => squatter.listen(0, '127.0.0.1', done))
  const port = String((squatter.address() as AddressInfo).port)
  const ended = await cocoon.run(['up', '--once', '--model', model], { COCOON_PROXY_CLIENT_PORT: port })
  expect(ended.status).toBe(2)
  expect(ended.stderr).toContain(`port ${port}`)
  expect(ended.stderr).toContain('--client-port')
  await new Promise((done) => squatter.close(done))
})

test('a model file with another hash than the pinned one is refused before anything starts', async () => {
  const ended = await cocoon.run(['up', '--once', '--model', `${model}#sha256=${'0'.repeat(64)}`])
  expect(ended.status).toBe(1)
  expect(ended.stderr).toContain('model.hash-mismatch')
  expect(ended.stdout).not.toContain('✓ engine')
})

test.each([
  ['a bad flag', ['proxy', '--bogus'], 2, '--bogus'],
  ['an unknown command', ['launch'], 2, 'launch'],
  ['no network file', ['client', '--network', '/nonexistent/net.json'], 2, '/nonexistent/net.json'],
  ['nobody at the client’s address', ['ask', 'hi'], 2, 'cocoon up'],
  ['an unknown model', ['model', 'rm', 'nope'], 1, 'cocoon model list'],
] as const)('%s: the exit status and the mend are clear', async (_, args, status, named) => {
  const ended = await cocoon.run(args)
  expect(ended.status).toBe(status)
  expect(ended.stderr).toContain(named)
})

test('doctor looks at this machine and says what is missing', async () => {
  const ended = await cocoon.run(['doctor', '--json'])
  const about = (JSON.parse(ended.stdout) as { about: string }[]).map((f) => f.about)
  expect(about).toEqual(expect.arrayContaining(['Node', 'processor', 'memory', 'disk', 'engine', 'enclave', 'GPU']))
})

function pidOf({ home }: Cocoon, role: string): number {
  const pid = Number(readFileSync(join(home, 'run', `${role}.pid`), 'utf8'))
  return pid
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function reaches(url: string): Promise<boolean> {
  return fetch(url).then(
    () => true,
    () => false,
  )
}
