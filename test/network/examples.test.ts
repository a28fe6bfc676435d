/** The examples run as they are written, each in a process of its own, against a network in this one. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startNetwork, type TestNetwork } from '../support/network.ts'
import { answerChat, type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'

let engine: ScriptedEngine
let network: TestNetwork
const folder = mkdtempSync(join(tmpdir(), 'cocoon-examples-'))
const networkFile = join(folder, 'network.json')

beforeAll(async () => {
  engine = await startScriptedEngine(answerChat(['one', ' two', ' three']))
  network = await startNetwork({ engineUrl: engine.url, http: true })
  writeFileSync(networkFile, JSON.stringify(network.file))
})
afterAll(async () => {
  await network.close()
  await engine.close()
  rmSync(folder, { recursive: true })
})

interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

function example(name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const file = new URL(`../../examples/${name}`, import.meta.url).pathname
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ['--conditions=cocoon-source', file, ...args],
      { env: { PATH: process.env['PATH'], ...env }, timeout: 50_000 },
      (_error, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }),
    )
  })
}

test('the openai example answers, streams, tells the cost and ends by itself', async () => {
  const ran = await example('openai-sdk.ts', [networkFile])
  expect(ran).toMatchObject({ code: 0, stderr: '' })
  expect(ran.stdout).toBe(
    'test-model: one two three\nstreamed: one two three\ncost: 16 nanoTON for 8 tokens, evidence: simulated\n',
  )
})

test('the AI SDK example answers, streams, tells the usage and ends by itself', async () => {
  const ran = await example('ai-sdk.ts', [], { COCOON_NETWORK: networkFile })
  expect(ran).toMatchObject({ code: 0, stderr: '' })
  expect(ran.stdout).toBe('test-model: one two three\nstreamed: one two three\ntokens: 5 in, 3 out\n')
})

test('the plain fetch example reads a stream and its cost from a node’s HTTP port', async () => {
  const ran = await example('fetch.ts', [network.baseURL])
  expect(ran).toMatchObject({ code: 0, stderr: '' })
  expect(ran.stdout).toMatch(/^at most \d+ nanoTON\ntest-model: one two three\ncost: 16 nanoTON\n$/)
})

test('an example without a network says how to give it one', async () => {
  const ran = await example('openai-sdk.ts', [])
  expect(ran.code).toBe(2)
  expect(ran.stderr).toContain('COCOON_NETWORK')
})
