import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Address } from '../chain/index.ts'
import { reveal } from '../util/index.ts'
import { type CreateClientOptions, readOptions } from './options.ts'

const NETWORK = { root_owner_address: `0:${'22'.repeat(32)}` }

describe('a wrong option is refused by its name:', () => {
  test.each<[options: object, code: string, says: string]>([
    [{}, 'config.sdk-option', "'network' must be the path"],
    [{ network: '' }, 'config.sdk-option', "'network' must be the path"],
    [{ network: { root_owner_address: 5 } }, 'chain.network-file', 'root_owner_address'],
    [{ network: '/nowhere/network.json' }, 'chain.network-file', '/nowhere/network.json'],
    [{ network: NETWORK, ownerAddress: 'me' }, 'chain.address', "'ownerAddress'"],
    [{ network: NETWORK, maxRunning: 0 }, 'config.sdk-option', "'maxRunning'"],
    [{ network: NETWORK, proxyConnections: 1.5 }, 'config.sdk-option', "'proxyConnections'"],
    [{ network: NETWORK, connectWaitMs: -1 }, 'config.sdk-option', "'connectWaitMs' must be a whole number"],
    [{ network: NETWORK, closeGraceMs: Number.NaN }, 'config.sdk-option', "'closeGraceMs'"],
    [{ network: NETWORK, maxTokens: 5 }, 'config.sdk-option', "'maxTokens' is not an option"],
  ])('%j', (options, code, says) => {
    const read = (): unknown => readOptions(options as CreateClientOptions)
    expect(read).toThrow(expect.objectContaining({ code, message: expect.stringContaining(says) }))
  })
})

test('without options the defaults are those of the HTTP API', () => {
  const { api, node, secret } = readOptions({ network: NETWORK })
  expect(api).toEqual({
    defaultMaxTokens: 1000,
    defaultMaxCoefficient: 4000,
    defaultTimeoutMs: 120_000,
    maxRunning: 1000,
    maxBodyBytes: 8 << 20,
    maxBufferedBytes: 32 << 20,
    maxUndeliveredBytes: 16 << 20,
  })
  expect(node.proxyConnections).toBe(2)
  expect(reveal(secret)).toBe('')
})

test('a network may be a file or its content', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cocoon-sdk-'))
  const path = join(folder, 'network.json')
  writeFileSync(path, JSON.stringify(NETWORK))
  const [fromFile, fromObject] = [path, NETWORK].map((network) => readOptions({ network }).registry)
  expect(fromFile?.current().owner.equals(fromObject?.current().owner as Address)).toBe(true)
  fromFile?.close()
  rmSync(folder, { recursive: true })
})
