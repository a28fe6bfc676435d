/** Real evidence from the command line down: three processes, their evidence from a program, collateral over HTTP. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CollateralServer, serveCollateral } from '../../src/attest/index.ts'
import { toHex } from '../../src/util/index.ts'
import { createTestPlatform } from '../support/attested-peers.ts'
import { until } from '../support/network.ts'
import { type Cocoon, cocoonHome, type Started } from '../support/processes.ts'
import { keysText } from '../support/quote-command.ts'
import { type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts'
import { ROOT } from '../support/source-files.ts'

/** Vendors write whole seconds. */
const nowMs = Math.floor(Date.now() / 1000) * 1000
const platform = createTestPlatform({ nowMs })
let cocoon: Cocoon
let collateral: CollateralServer
let engine: ScriptedEngine
let networkFile: string
let env: Readonly<Record<string, string>>

const network = (cocoonPart: Record<string, unknown>): string =>
  JSON.stringify({
    root_owner_address: `0:${'22'.repeat(32)}`,
    version: 1,
    params_version: 1,
    registered_proxies: [
      {
        seqno: 1,
        address: `127.0.0.1:${cocoon.env['COCOON_PROXY_WORKER_PORT']} 127.0.0.1:${cocoon.env['COCOON_PROXY_CLIENT_PORT']}`,
      },
    ],
    proxy_hashes: [platform.imageHash],
    worker_hashes: [platform.imageHash],
    cocoon: { evidence: 'real', test_roots: { intel: toHex(platform.rootKey) }, ...cocoonPart },
  })

const write = (name: string, content: string): string => {
  const path = join(cocoon.home, name)
  writeFileSync(path, content)
  return path
}

beforeAll(async () => {
  cocoon = await cocoonHome()
  engine = await startScriptedEngine()
  const bundle = platform.bundle()
  collateral = await serveCollateral({ host: '127.0.0.1', port: 0, bundle: () => bundle })
  networkFile = write('network.json', network({}))
  const keys = write('keys.json', keysText(platform.keys))
  env = {
    COCOON_NETWORK: networkFile,
    COCOON_LOG_FORMAT: 'json',
    COCOON_WORKER_ENGINE_URL: engine.url,
    COCOON_WORKER_MODEL: 'test-model',
    COCOON_ATTESTATION_SOURCE: 'command',
    COCOON_ATTESTATION_SOURCE_COMMAND: [
      process.execPath,
      join(ROOT, 'test/support/quote-command.ts'),
      keys,
      String(nowMs),
    ].join(','),
    COCOON_ATTESTATION_INTEL_SERVER: collateral.url,
    COCOON_ATTESTATION_AMD_SERVER: 'off',
    COCOON_ATTESTATION_NVIDIA_SERVER: 'off',
  }
})
afterAll(async () => {
  cocoon.close()
  await collateral.close()
  await engine.close()
})

const answers = async (started: Started, port: string | undefined, path: string): Promise<boolean> => {
  if (started.child.exitCode !== null) throw new Error(`ended: ${started.output()}`)
  return fetch(`http://127.0.0.1:${port}${path}`).then(
    (reply) => reply.ok,
    () => false,
  )
}

/** Three processes on a machine that may be busy with other tests. */
const PATIENCE_MS = 240_000

test('an answer comes over verified peers, and status and verify say so', { timeout: PATIENCE_MS }, async () => {
  const proxy = cocoon.start(['proxy'], env)
  await until(
    () => answers(proxy, cocoon.env['COCOON_PROXY_HTTP_PORT'], '/healthz'),
    'the proxy is up',
    PATIENCE_MS / 4,
  )
  const worker = cocoon.start(['worker'], env)
  await until(
    () => answers(worker, cocoon.env['COCOON_WORKER_HTTP_PORT'], '/readyz'),
    'the worker is ready',
    PATIENCE_MS / 4,
  )
  const client = cocoon.start(['client'], env)
  await until(
    () => answers(client, cocoon.env['COCOON_CLIENT_HTTP_PORT'], '/readyz'),
    'the client is ready',
    PATIENCE_MS / 4,
  )
  expect(proxy.output()).toContain('TEST ROOTS')

  const asked = await cocoon.run(['ask', 'Hi', '--model', 'test-model'], env)
  expect([asked.status, asked.stdout]).toEqual([0, expect.stringMatching(/evidence +verified/)])

  const status = await cocoon.run(['status'], env)
  expect(status.stdout).toMatch(/test-model +verified/)
  expect(status.stdout).toContain('evidence of this network: real, on test roots')

  // The pinned roots of the program itself know nothing of this hardware.
  const at = `127.0.0.1:${cocoon.env['COCOON_PROXY_CLIENT_PORT']}`
  const verified = await cocoon.run(['verify', at, '--bundle', join(cocoon.home, 'collateral/bundle.json')], env)
  expect([verified.status, verified.stdout]).toEqual([1, expect.stringContaining('REFUSED')])
  expect(verified.stdout).toMatch(/tcb-info-signer-root|pck-root/)
})

test.each([
  ['a policy that accepts simulated evidence', { COCOON_ATTESTATION_POLICY: 'devnet' }, 'devnet'],
  ['no source of evidence', { COCOON_ATTESTATION_SOURCE: 'none' }, 'cocoon doctor'],
  [
    'a command that is not there',
    { COCOON_ATTESTATION_SOURCE_COMMAND: '/no/such/program' },
    'The evidence of this machine could not be had',
  ],
])('with %s a proxy does not start, and says why', { timeout: PATIENCE_MS }, async (_, more, words) => {
  const { status, stderr, stdout } = await cocoon.run(['proxy'], { ...env, ...more })
  expect(status).not.toBe(0)
  expect(stderr + stdout).toContain(words)
})

test('keys of a test maker beside simulated evidence are a mistake in the network file', {
  timeout: PATIENCE_MS,
}, async () => {
  const path = write('mixed.json', network({ evidence: 'simulated' }))
  const { status, stderr } = await cocoon.run(['client'], { ...env, COCOON_NETWORK: path })
  expect([status, stderr]).toEqual([expect.any(Number), expect.stringContaining('cocoon.test_roots')])
  expect(status).not.toBe(0)
})
