import { readFileSync } from 'node:fs'
import { Address, beginCell, Cell, Dictionary } from '@ton/core'
import { describe, expect, test } from 'vitest'
import { CocoonError, fromHex, manualClock, seededRandom, silentLog, toHex } from '../../util/index.ts'
import { digestCell, digestOf, parseBoc } from '../cell-hash.ts'
import { digestParams, loadParams } from '../contracts/params.ts'
import { NETWORKS } from '../networks.ts'
import type { AccountState, ChainReader } from '../reader.ts'
import type { RootConfig } from '../registry.ts'
import { createChainRegistry } from './chain-registry.ts'
import { parseRootState, type RootDraft, storeKeyManager, storeRootLists, storeRootState } from './state.ts'

const mainnet = JSON.parse(
  readFileSync(new URL('../../../spec/vectors/chain/mainnet-2026-04.json', import.meta.url), 'utf8'),
)
const cellOf = (hex: string): Cell => parseBoc(fromHex(hex), 'vector')
const code = (n: number): Cell => beginCell().storeUint(n, 8).endCell()
const owner = new Address(0, Buffer.alloc(32, 0x11))
const rootAddress = new Address(0, Buffer.alloc(32, 0x44))
const hash = (byte: string): string => byte.repeat(32)

function draft(structVersion: number, change: Partial<RootDraft> = {}): RootDraft {
  return {
    owner,
    version: 3,
    proxyHashes: [hash('aa')],
    proxies: [
      { seqno: 7, address: '1.2.3.4:5 6.7.8.9:10' },
      { seqno: 2, address: '[1.2.3.4:5]' },
      { seqno: 3, address: 'proxy.example:5' },
    ],
    lastProxySeqno: 7,
    workerHashes: [hash('bb'), hash('bc')],
    modelHashes: [],
    params: { ...loadParams(cellOf(mainnet.paramsWithoutCodes)), structVersion, codes: codes() },
    keyManager: {
      publicKeys: [{ publicKey: hash('01'), keyType: 1, expiresAtS: 5 }],
      publicKey: hash('cc'),
      address: '9.8.7.6:5',
    },
    ...change,
  }
}
const codes = () => ({ proxy: code(1), worker: code(2), client: code(3) })

describe('the root contract’s data', () => {
  test.each([0, 1, 2, 3, 4, 5])('struct version %i loads, and nothing may follow it', (v) => {
    const data = storeRootState(draft(v))
    const state = parseRootState(data)
    expect(state.version).toBe(3)
    expect(state.proxies.map((p) => p.seqno)).toEqual([2, 7])
    expect(state.skippedProxies).toBe(1)
    expect([...state.workerHashes]).toEqual([hash('bb'), hash('bc')])
    expect(toHex(state.params.codes.worker.hash)).toBe(toHex(code(2).hash()))
    expect(state.keyManager === null).toBe(v < 4)
    if (v >= 4) {
      expect(state.keyManager).toEqual({
        address: { host: '9.8.7.6', port: 5 },
        publicKey: hash('cc'),
        imageHash: null,
      })
      expect(state.publicKeys).toEqual([{ publicKey: hash('01'), keyType: 1, expiresAtS: 5 }])
    }
    const longer = (end: (b: ReturnType<typeof beginCell>) => typeof b) =>
      end(beginCell().storeSlice(data.beginParse())).endCell()
    const refused = expect.objectContaining({ code: 'chain.layout' })
    expect(() => parseRootState(longer((b) => b.storeBit(0)))).toThrow(refused)
    if (data.refs.length < 4) expect(() => parseRootState(longer((b) => b.storeRef(Cell.EMPTY)))).toThrow(refused)
    const fewer = beginCell().storeBits(data.bits)
    for (const ref of data.refs.slice(0, -1)) fewer.storeRef(ref)
    expect(() => parseRootState(fewer.endCell())).toThrow(refused)
  })

  test('a newer struct version is refused by name', () => {
    expect(() => parseRootState(storeRootState(draft(6)))).toThrow(
      expect.objectContaining({ code: 'chain.struct-version', message: expect.stringContaining('update') }),
    )
  })

  test('an unreadable address of the key manager spoils the whole', () => {
    expect(() => parseRootState(storeRootState(draft(4, { keyManager: { address: 'nowhere' } })))).toThrow(
      expect.objectContaining({ code: 'chain.layout' }),
    )
  })

  test('a root without code is refused: no address follows from it', () => {
    const params = { ...draft(3).params, codes: { proxy: null, worker: null, client: null } }
    expect(() => parseRootState(storeRootState(draft(3, { params })))).toThrow(
      expect.objectContaining({ code: 'chain.layout', message: expect.stringContaining('no code') }),
    )
  })

  test('an entry of a kind that is not known is skipped', () => {
    const entries = Dictionary.empty(Dictionary.Keys.Uint(32), {
      serialize: (_: true, into) => void into.storeBit(1).storeUint(0, 7),
      parse: () => true as const,
    })
    entries.set(1, true)
    const lists = beginCell().storeBit(0).storeDict(entries).storeUint(1, 32).storeBit(0).storeBit(0).endCell()
    const data = storeRootState(draft(3))
    const cell = beginCell()
      .storeBits(data.bits)
      .storeRef(lists)
      .storeRef(data.refs[1] as Cell)
      .endCell()
    expect(parseRootState(cell)).toMatchObject({ proxies: [], skippedProxies: 1 })
  })

  test('the state of mainnet in April 2026 is read and written to the same hash', () => {
    const { root } = mainnet
    const params = loadParams(cellOf(mainnet.paramsWithoutCodes))
    const data = beginCell().storeAddress(Address.parse(root.owner)).storeUint(root.version, 32)
    const [lists, keyManager] = [cellOf(root.lists), cellOf(root.keyManager)]
    // Our code cells in place of theirs, which are known by hash.
    const whole = beginCell()
      .storeBuilder(data)
      .storeRef(lists)
      .storeRef(storeRootState(draft(4, { params: { ...params, codes: codes() } })).refs[1] as Cell)
      .storeRef(keyManager)
      .endCell()
    const state = parseRootState(whole)
    expect(state).toMatchObject({
      version: 87,
      proxies: [
        { seqno: 2, forWorkers: { host: '91.108.4.11', port: 5222 }, forClients: { host: '91.108.4.11', port: 8888 } },
      ],
      skippedProxies: 0,
      lastProxySeqno: 3,
      keyManager: { address: null, publicKey: null, imageHash: null },
      publicKeys: [],
    })
    expect([state.proxyHashes.size, state.workerHashes.size, state.modelHashes.size]).toEqual([4, 5, 4])
    expect(state.params).toMatchObject({ structVersion: 4, paramsVersion: 17, uniqueId: 239, isTest: false })

    const known = (name: string) => ({ hash: fromHex(root.codes[name].hash), depth: root.codes[name].depth })
    const codesByHash = { proxy: known('proxy'), worker: known('worker'), client: known('client') }
    const paramsDigest = digestParams({ ...params, codes: codesByHash }, 'root')
    expect(toHex(paramsDigest.hash)).toBe(root.paramsHash)
    const ours = storeRootLists({
      ...draft(4),
      proxyHashes: [...state.proxyHashes],
      workerHashes: [...state.workerHashes],
      modelHashes: [...state.modelHashes],
      proxies: [{ seqno: 2, address: '91.108.4.11:5222 91.108.4.11:8888' }],
      lastProxySeqno: 3,
    })
    const digest = digestCell(data, [digestOf(ours), paramsDigest, digestOf(storeKeyManager({}))])
    expect(toHex(digest.hash)).toBe(root.dataHash)
  })

  test('mainnet’s root contract has a well-formed address; testnet’s must be given', () => {
    expect(Address.parse(NETWORKS.mainnet.root).workChain).toBe(0)
    expect(NETWORKS.testnet.root).toBeNull()
  })
})

/** Settles what was started, without time going by. */
const settle = async (): Promise<void> => {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve))
}

function watch(options: { isTest?: boolean } = {}) {
  const clock = manualClock(1_777_000_000_000)
  const source: { read: () => Partial<AccountState> } = { read: () => ({}) }
  const asked: boolean[] = []
  const reader = {
    async getAccount(address: Address, { confirmed = false } = {}) {
      asked.push(confirmed)
      return {
        address,
        status: 'active',
        balanceNano: 0n,
        code: Cell.EMPTY,
        data: null,
        lastLt: 1n,
        lastHash: hash('00'),
        seqno: 1,
        atMs: clock.now(),
        ...source.read(),
      } satisfies AccountState
    },
  } as unknown as ChainReader
  const open = () =>
    createChainRegistry({
      reader,
      rootAddress,
      isTest: options.isTest ?? false,
      evidence: 'none',
      checkHashes: true,
      clock,
      random: seededRandom(3),
      log: silentLog,
    })
  return { clock, source, asked, open }
}

describe('the registry on chain', () => {
  test('serves the root contract, with its address and the given policy', async () => {
    const { source, open, asked } = watch()
    source.read = () => ({ data: storeRootState(draft(4)) })
    const registry = open()
    expect(() => registry.current()).toThrow(expect.objectContaining({ code: 'chain.stale' }))
    const config = await registry.ready()
    expect(config).toMatchObject({ version: 3, root: rootAddress, checkHashes: true, testClientBalanceNano: 0n })
    expect(config.keyManager?.publicKey).toBe(hash('cc'))
    expect(asked).toEqual([true])
    expect(registry.status()).toMatchObject({ version: 3, skippedProxies: 1, lastError: null })
    registry.close()
  })

  test('takes a higher version within a minute and tells listeners, and no other change', async () => {
    const { clock, source, open } = watch()
    let data = storeRootState(draft(4))
    source.read = () => ({ data })
    const registry = open()
    await registry.ready()
    const seen: RootConfig[] = []
    registry.subscribe((config) => seen.push(config))
    data = storeRootState(draft(4, { version: 3, lastProxySeqno: 8 }))
    clock.advance(60_000)
    await settle()
    expect(registry.current().lastProxySeqno).toBe(7)
    expect(registry.status().lastError?.code).toBe('chain.contradiction')
    data = storeRootState(draft(4, { version: 4, lastProxySeqno: 9 }))
    clock.advance(60_000)
    await settle()
    expect(registry.current()).toMatchObject({ version: 4, lastProxySeqno: 9 })
    data = storeRootState(draft(4))
    clock.advance(60_000)
    await settle()
    expect(registry.current().version).toBe(4)
    expect(seen.map((c) => c.version)).toEqual([4])
    registry.close()
  })

  test('goes on for two hours without the chain, then refuses, and serves again when it is back', async () => {
    const { clock, source, open } = watch()
    let isDown = false
    source.read = () => {
      if (isDown) throw new CocoonError('chain.unavailable', { message: 'no endpoint' })
      return { data: storeRootState(draft(4)) }
    }
    const registry = open()
    await registry.ready()
    isDown = true
    for (let minute = 0; minute < 119; minute++) {
      clock.advance(60_000)
      await settle()
    }
    expect(registry.current().version).toBe(3)
    clock.advance(120_000)
    await settle()
    expect(() => registry.current()).toThrow(
      expect.objectContaining({ code: 'chain.stale', message: expect.stringContaining('no endpoint') }),
    )
    isDown = false
    clock.advance(60_000)
    await settle()
    expect(registry.current().version).toBe(3)
    registry.close()
  })

  test('a clock that was set back serves nothing, since it cannot tell what is stale', async () => {
    const { clock, source, open } = watch()
    let behindMs = 0
    source.read = () => ({ data: storeRootState(draft(4)), atMs: clock.now() + behindMs })
    const registry = open()
    await registry.ready()
    behindMs = 3_600_000
    clock.advance(60_000)
    await settle()
    expect(() => registry.current()).toThrow(
      expect.objectContaining({
        code: 'chain.clock',
        message: expect.stringMatching(/35\d\d s behind the chain’s.*set it, best by NTP/),
      }),
    )
    behindMs = 0
    registry.close()
  })

  test('a contract that changes without a higher version is not served for ever', async () => {
    const { clock, source, open } = watch()
    let data = storeRootState(draft(4))
    source.read = () => ({ data })
    const registry = open()
    await registry.ready()
    data = storeRootState(draft(4, { lastProxySeqno: 8 }))
    for (let minute = 0; minute < 122; minute++) {
      clock.advance(60_000)
      await settle()
    }
    expect(() => registry.current()).toThrow(expect.objectContaining({ code: 'chain.stale' }))
    registry.close()
  })

  test.each([
    ['the contract of a test network', { isTest: true }, { data: storeRootState(draft(4)) }, 'chain.test-flag'],
    ['an account without code', {}, { status: 'uninitialized', data: null }, 'chain.no-root'],
    ['a newer layout', {}, { data: storeRootState(draft(6)) }, 'chain.struct-version'],
    ['something else', {}, { data: Cell.EMPTY }, 'chain.layout'],
  ] as const)('refuses %s at once', async (_, options, account, expected) => {
    const { source, open } = watch(options)
    source.read = () => account
    const registry = open()
    await expect(registry.ready()).rejects.toMatchObject({ code: expected })
    expect(() => registry.current()).toThrow(expect.objectContaining({ code: expected }))
    registry.close()
  })

  test('waits for the chain until it is there, or until it may wait no longer', async () => {
    const { clock, source, open } = watch()
    let isDown = true
    source.read = () => {
      if (isDown) throw new CocoonError('chain.unavailable')
      return { data: storeRootState(draft(4)) }
    }
    const registry = open()
    const abort = new AbortController()
    const [given, waiting] = [registry.ready(abort.signal), registry.ready()]
    await settle()
    abort.abort(new Error('enough'))
    await expect(given).rejects.toThrow('enough')
    isDown = false
    for (let i = 0; i < 20; i++) {
      clock.advance(1_000)
      await settle()
    }
    expect((await waiting).version).toBe(3)
    registry.close()
  })
})
