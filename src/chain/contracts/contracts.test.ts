import { readFileSync } from 'node:fs'
import { Address, beginCell, Cell } from '@ton/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromHex, toHex } from '../../util/index.ts'
import { codeCell, digestOf, parseBoc } from '../cell-hash.ts'
import { isSignatureValid, signingKeyFromSeed } from '../ed25519.ts'
import { clientContractAddress, contractAddressOf, proxyContractAddress, workerContractAddress } from './addresses.ts'
import { clientMessages, type ClientState, clientState } from './client.ts'
import { commonMessages, EXIT_CODES } from './common.ts'
import { clientStateInit, proxyStateInit, workerStateInit } from './deploy.ts'
import { textCommand, textComment } from './message.ts'
import {
  externalMessage,
  initialWalletData,
  internalMessage,
  loadWalletOrder,
  nodeWalletAddress,
  signWalletOrder,
  WALLET_COMMANDS,
  walletMessages,
  walletState,
} from './node-wallet.ts'
import { digestParams, loadParams, reducedParams, type RootParams, storeParams } from './params.ts'
import { buildSaveState, payloads, proxyMessages, type ProxyState, proxyState } from './proxy.ts'
import { readProxyEvent } from './proxy-events.ts'
import { rootMessages } from './root-messages.ts'
import { redirectExcesses, signClosing, signPayment, signPublicKey, verifyPayment } from './signed-payment.ts'
import { workerMessages, type WorkerState, workerState } from './worker.ts'

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../../spec/vectors/chain/${name}`, import.meta.url), 'utf8'))
const vectors = read('contracts.json')
const mainnet = read('mainnet-2026-04.json')

const account = (byte: string): Address => new Address(0, Buffer.alloc(32, Number.parseInt(byte, 16)))
const seed = (byte: number): ReturnType<typeof signingKeyFromSeed> => signingKeyFromSeed(new Uint8Array(32).fill(byte))
const of = (name: string): Address => account(vectors.accounts[name])
const proxyKey = seed(vectors.proxyKeySeedByte)
const cellOf = (hex: string): Cell => parseBoc(fromHex(hex), 'vector')
const layoutError = expect.objectContaining({ code: 'chain.layout' })

type Codes = Readonly<Record<'proxy' | 'worker' | 'client', { hash: string; depth: number }>>
function paramsOf(structVersion: number, codes: Codes): RootParams {
  const { minStakeNano, pricePerToken, workerFeePerToken, ...rest } = vectors.params
  const code = (name: keyof Codes) => ({ hash: fromHex(codes[name].hash), depth: codes[name].depth })
  return {
    ...rest,
    structVersion,
    pricePerToken: BigInt(pricePerToken),
    workerFeePerToken: BigInt(workerFeePerToken),
    minProxyStakeNano: BigInt(minStakeNano),
    minClientStakeNano: BigInt(minStakeNano),
    codes: { proxy: code('proxy'), worker: code('worker'), client: code('client') },
  }
}

describe.each(vectors.revisions as readonly Record<string, unknown>[])(
  'contracts of the revision $name',
  (revision) => {
    const params = paramsOf(revision.structVersion as number, revision.codes as Codes)
    const proxy = proxyContractAddress(params, {
      owner: of('proxyOwner'),
      publicKey: proxyKey.publicKey,
      root: of('root'),
    })
    const parties = { proxy, proxyPublicKey: proxyKey.publicKey }

    test('the params cell and all three addresses are those of the original code', () => {
      expect(toHex(reducedParams(params, 'peer').hash())).toBe(revision.paramsWithoutCodesHash)
      expect(proxy.toRawString()).toBe(revision.proxy)
      expect(clientContractAddress(params, { ...parties, owner: of('clientOwner') }).toRawString()).toBe(
        revision.client,
      )
      expect(workerContractAddress(params, { ...parties, owner: of('workerOwner') }).toRawString()).toBe(
        revision.worker,
      )
    })

    test('deploying without the code itself is refused', () => {
      expect(() => clientStateInit(params, { ...parties, owner: of('clientOwner') })).toThrow(
        expect.objectContaining({ code: 'chain.code-unknown' }),
      )
    })
  },
)

test('what is deployed has the address that follows from digests', () => {
  const code = (n: number) => codeCell(beginCell().storeUint(n, 8).storeRef(Cell.EMPTY).endCell())
  const params: RootParams = {
    ...paramsOf(4, vectors.revisions[0].codes),
    codes: { proxy: code(1), worker: code(2), client: code(3) },
  }
  const who = { owner: account('22'), proxy: account('23'), proxyPublicKey: proxyKey.publicKey }
  const proxyWho = { owner: account('11'), publicKey: proxyKey.publicKey, root: account('44') }
  const at = ({ code: c, data }: { code: Cell; data: Cell }) =>
    contractAddressOf(digestOf(c), digestOf(data)).toString()
  expect(at(proxyStateInit(params, proxyWho))).toBe(proxyContractAddress(params, proxyWho).toString())
  expect(at(clientStateInit(params, who))).toBe(clientContractAddress(params, who).toString())
  expect(at(workerStateInit(params, who))).toBe(workerContractAddress(params, who).toString())
})

test('real states of mainnet decode with nothing left over, and give their real addresses', () => {
  const params = paramsOf(4, mainnet.root.codes)
  expect(toHex(digestParams(params, 'proxy').hash)).toBe(mainnet.paramsForProxyHash)
  const { owner, publicKey, root, address } = mainnet.proxy
  const proxy = proxyContractAddress(params, {
    owner: Address.parse(owner),
    publicKey: fromHex(publicKey),
    root: Address.parse(root),
  })
  expect(proxy.toString()).toBe(address)

  const client: ClientState = clientState.loadCell(cellOf(mainnet.client.state))
  expect(toHex(clientState.storeCell(client).hash())).toBe(toHex(cellOf(mainnet.client.state).hash()))
  expect(loadParams(client.params)).toMatchObject({ paramsVersion: 17, pricePerToken: 20n, codes: { client: null } })
  expect(client.parties.proxy.equals(proxy)).toBe(true)
  const theirs = { owner: Address.parse(mainnet.client.ownerWallet), proxy, proxyPublicKey: fromHex(publicKey) }
  expect(clientContractAddress(params, theirs).equals(Address.parse(mainnet.client.address))).toBe(true)

  const wallet = walletState.loadCell(cellOf(mainnet.wallet.state))
  expect(wallet).toMatchObject({ seqno: mainnet.wallet.seqno, subwallet: 0, status: 0 })
})

test.each(vectors.wallets as readonly Record<string, string | number>[])('the node wallet $address', (wallet) => {
  const who = { owner: account(wallet.ownerByte as string), publicKey: seed(wallet.keySeedByte as number).publicKey }
  expect(toHex(initialWalletData(who).hash())).toBe(wallet.dataHash)
  expect(nodeWalletAddress(who).equals(Address.parse(wallet.address as string))).toBe(true)
})

test.each(mainnet.walletOrders as readonly { body: string; seqno: number; validUntilS: number }[])(
  'the real wallet order $seqno is read, and one like it has the same layout',
  ({ body, seqno, validUntilS }) => {
    const order = loadWalletOrder(cellOf(body))
    expect(order).toMatchObject({ subwallet: 0, seqno, validUntilS })
    expect(order.transfers).toHaveLength(1)
    const ours = loadWalletOrder(signWalletOrder(order, proxyKey))
    expect(toHex(ours.hash)).toBe(toHex(order.hash))
    expect(isSignatureValid(proxyKey.publicKey, ours.hash, ours.signature)).toBe(true)
  },
)

test('the orders inside real wallet messages are a top-up and a change of secret', () => {
  const bodies = (mainnet.walletOrders as readonly { body: string }[]).map(({ body }) => {
    const transfer = loadWalletOrder(cellOf(body)).transfers[0]?.message as Cell
    return transfer.refs[0] as Cell
  })
  expect(clientMessages.topUp.read(bodies[0] as Cell).amount).toBe(8_700_929_120n)
  expect(clientMessages.changeSecret.read(bodies[1] as Cell).secretHash).toHaveLength(32)
})

test('an internal message and an external one around it have the bits of real ones', () => {
  const real = loadWalletOrder(cellOf(mainnet.walletOrders[0].body)).transfers[0]?.message as Cell
  const s = real.beginParse()
  s.skip(6)
  const to = s.loadAddress()
  s.skip(2)
  const ours = internalMessage({ to, valueNano: s.loadCoins(), body: real.refs[0] as Cell, bounce: true })
  expect(ours.bits.length).toBeGreaterThan(100)
  expect(externalMessage(to, Cell.EMPTY, { code: Cell.EMPTY, data: Cell.EMPTY }).refs.length).toBeGreaterThan(1)
  expect(() =>
    signWalletOrder(
      { subwallet: 0, validUntilS: 0, seqno: 0, transfers: Array(5).fill({ mode: 0, message: ours }) },
      proxyKey,
    ),
  ).toThrow(expect.objectContaining({ code: 'bug.wallet-messages' }))
})

describe('signed messages', () => {
  const revision = vectors.revisions[0]
  const receiver = (name: string): Address => Address.parse(revision[name])

  test.each(vectors.signed as readonly Record<string, string | number>[])(
    '$kind has the bytes of the original',
    (v) => {
      const queryId = BigInt(v.queryId as number)
      const contract = receiver(v.to as string)
      const data =
        v.kind === 'close'
          ? signClosing({ kind: 'close', contract }, proxyKey, of('excess'), queryId)
          : signPayment(
              { kind: v.kind as 'charge', tokens: BigInt(v.tokens as string), contract },
              proxyKey,
              of('excess'),
              queryId,
            )
      const root = parseBoc(data, 'envelope')
      expect(toHex((root.refs[0] as Cell).hash())).toBe(v.payloadHash)
      const slice = root.beginParse()
      slice.skip(96 + 267)
      expect(toHex(slice.loadBuffer(64))).toBe(v.signature)
      if (v.envelopeHash !== undefined) expect(toHex(root.hash())).toBe(v.envelopeHash)
      const known = vectors.envelopes[v.kind as string]
      if (known !== undefined) expect(toHex(data)).toBe(known)
    },
  )

  test('the receiver sends the rest to itself without touching what is signed', () => {
    const contract = account('44')
    const data = signPayment({ kind: 'payout', tokens: 5n, contract }, proxyKey, account('11'), 9n)
    const body = redirectExcesses(data, account('77'))
    const expected = { kind: 'payout', contract, proxyPublicKey: proxyKey.publicKey } as const
    expect(verifyPayment(new Uint8Array(body.toBoc()), expected).tokens).toBe(5n)
    expect(body.beginParse().skip(96).loadAddress().equals(account('77'))).toBe(true)
    expect(() => redirectExcesses(new Uint8Array(Cell.EMPTY.toBoc()), contract)).toThrow(
      expect.objectContaining({ code: 'chain.signed-payment' }),
    )
  })

  test('a payload with a reference, which no contract takes, is refused', () => {
    const contract = account('44')
    const payload = beginCell()
      .storeUint(0xa040ad28, 32)
      .storeUint(9, 64)
      .storeUint(5, 64)
      .storeAddress(contract)
      .storeRef(Cell.EMPTY)
      .endCell()
    const root = beginCell().storeUint(0xa040ad28, 32).storeUint(9, 64).storeAddress(contract)
    root.storeBuffer(Buffer.from(proxyKey.sign(payload.hash()))).storeRef(payload)
    expect(() =>
      verifyPayment(new Uint8Array(root.endCell().toBoc()), {
        kind: 'payout',
        contract,
        proxyPublicKey: proxyKey.publicKey,
      }),
    ).toThrow(expect.objectContaining({ code: 'chain.signed-payment' }))
  })

  test('a registered key is signed over everything that is stored', () => {
    const data = signPublicKey(
      { publicKey: proxyKey.publicKey, keyType: 1, expiresAtS: 99 },
      proxyKey,
      account('11'),
      3n,
    )
    const payload = parseBoc(data, 'x').refs[0] as Cell
    expect(payload.bits.length).toBe(32 + 64 + 256 + 8 + 32)
    expect(toHex(payload.hash())).not.toBe('')
  })
})

describe('messages', () => {
  const address = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((h) => new Address(0, Buffer.from(h)))
  const hash = fc.uint8Array({ minLength: 32, maxLength: 32 })
  const coins = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })
  const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })
  const u32 = fc.integer({ min: 0, max: 0xffffffff })
  const cell = fc.uint8Array({ maxLength: 64 }).map((b) => beginCell().storeBuffer(Buffer.from(b)).endCell())
  const state = fc.constantFrom('normal', 'closing', 'closed')
  const client = fc.record({ state, balance: coins, stake: coins, tokensUsed: u64, secretHash: hash })
  const base = { queryId: u64 }
  const cases: readonly (readonly [{ name: string; build(v: never): Cell; read(c: Cell): unknown }, object])[] = [
    [clientMessages.topUp, { ...base, amount: coins, excess: address }],
    [clientMessages.topUpWithSecret, { ...base, amount: coins, secretHash: hash, excess: address }],
    [clientMessages.register, { ...base, nonce: u64, excess: address }],
    [clientMessages.changeSecret, { ...base, secretHash: hash, excess: address }],
    [clientMessages.increaseStake, { ...base, newStake: coins, excess: address }],
    [clientMessages.withdraw, { ...base, excess: address }],
    [clientMessages.requestRefund, { ...base, excess: address }],
    [workerMessages.register, { ...base, excess: address }],
    [proxyMessages.clientRequest, { ...base, owner: address, client, payload: fc.option(cell) }],
    [proxyMessages.workerRequest, { ...base, owner: address, state, tokens: u64, payload: fc.option(cell) }],
    [proxyMessages.requestPayout, { ...base, excess: address }],
    [proxyMessages.increaseStake, { ...base, amount: coins, excess: address }],
    [proxyMessages.ownerClose, { ...base, excess: address }],
    [
      proxyMessages.saveState,
      { ...base, inner: u32, seqno: fc.integer({ min: -1, max: 2 ** 31 - 1 }), sessionHash: hash },
    ],
    [payloads.topUp, { amount: coins, excess: address }],
    [payloads.refundGranted, { amount: coins, excess: address }],
    [payloads.refundForced, { amount: coins, excess: address }],
    [payloads.register, { nonce: u64 }],
    [payloads.workerPayout, { workerPart: coins, proxyPart: coins, excess: address }],
    [commonMessages.excesses, base],
    [commonMessages.payout, base],
    [walletMessages.sendMessage, { ...base, mode: fc.integer({ min: 0, max: 3 }), message: cell }],
    [walletMessages.command, { command: fc.constantFrom(...Object.values(WALLET_COMMANDS)) }],
    [textCommand, { command: fc.integer({ min: 0, max: 255 }) }],
    [rootMessages.addWorkerHash, { ...base, hash }],
    [rootMessages.registerProxy, { ...base, address: fc.constantFrom('1.2.3.4:5', '', 'x'.repeat(114)) }],
    [rootMessages.updateProxy, { ...base, seqno: u32, address: fc.constant('1.2.3.4:5 6.7.8.9:10') }],
    [rootMessages.changePrice, { ...base, pricePerToken: coins, workerFeePerToken: coins }],
    [
      rootMessages.changeParams,
      {
        ...base,
        pricePerToken: coins,
        workerFeePerToken: coins,
        proxyDelayBeforeCloseS: u32,
        clientDelayBeforeCloseS: u32,
        minProxyStakeNano: coins,
        minClientStakeNano: coins,
      },
    ],
    [rootMessages.upgradeContracts, { ...base, proxy: cell, worker: cell, client: cell }],
    [rootMessages.changeKeyManager, { ...base, publicKey: hash, imageHash: hash, address: fc.constant('1.2.3.4:5') }],
    [
      rootMessages.addPublicKey,
      { ...base, publicKey: hash, keyType: fc.integer({ min: 0, max: 255 }), expiresAtS: u32 },
    ],
  ]

  test.each(cases.map(([m, fields]) => [m.name, m, fields] as const))(
    '%s: what is built is read, and one bit or reference more is refused',
    (_, message, fields) => {
      fc.assert(
        fc.property(fc.record(fields as Record<string, fc.Arbitrary<unknown>>), (value) => {
          const body = message.build(value as never)
          const again = message.build(message.read(body) as never)
          expect(again.equals(body)).toBe(true)
          const more = beginCell().storeSlice(body.beginParse())
          expect(() => message.read(more.storeBit(0).endCell())).toThrow(layoutError)
          if (body.refs.length < 4)
            expect(() =>
              message.read(beginCell().storeSlice(body.beginParse()).storeRef(Cell.EMPTY).endCell()),
            ).toThrow(layoutError)
          const less = body.beginParse().loadBits(Math.max(0, body.bits.length - 1))
          expect(() => message.read(beginCell().storeBits(less).endCell())).toThrow(layoutError)
        }),
        { numRuns: 20 },
      )
    },
  )

  test('every order has an opcode of its own', () => {
    const groups = [clientMessages, workerMessages, proxyMessages, payloads, commonMessages, rootMessages]
    const ops = groups.flatMap((group) => Object.values(group).map((m: { readonly op: number }) => m.op))
    expect(new Set(ops).size).toBe(ops.length)
  })

  test('params of every struct version come back, with defaults for what they lack', () => {
    const codes = { proxy: Cell.EMPTY, worker: null, client: Cell.EMPTY }
    for (let v = 0; v <= 5; v++) {
      const params = { ...paramsOf(v, vectors.revisions[0].codes), codes }
      const loaded = loadParams(storeParams(params))
      expect(loaded.multipliers.prompt).toBe(10_000)
      expect(loaded.multipliers.cached).toBe(v >= 2 ? 1_000 : 10_000)
      expect(loaded.multipliers.completion).toBe(v >= 3 ? 80_000 : 10_000)
      expect(loaded.minClientStakeNano).toBe(v >= 1 ? 15_000_000_000n : 1_000_000_000n)
      expect(loaded.codes.worker).toBeNull()
      expect(storeParams(loaded).equals(storeParams(params))).toBe(true)
    }
    const six = { ...paramsOf(6, vectors.revisions[0].codes), codes }
    expect(() => loadParams(storeParams(six))).toThrow(expect.objectContaining({ code: 'chain.struct-version' }))
    expect(() => loadParams(Cell.EMPTY)).toThrow(layoutError)
  })

  test('later states of contracts may have more fields; a wallet may not', () => {
    const parties = { owner: account('01'), proxy: account('02'), proxyPublicKey: new Uint8Array(32) }
    const longer = (cell: Cell) => beginCell().storeSlice(cell.beginParse()).storeUint(5, 7).endCell()
    const workerValues: WorkerState = { ...parties, state: 'closed', tokens: 9n, params: Cell.EMPTY }
    const worker = workerState.storeCell(workerValues)
    expect(workerState.loadPrefix(longer(worker))).toMatchObject({ state: 'closed', tokens: 9n })
    const proxyValues: ProxyState = {
      owner: account('01'),
      publicKey: new Uint8Array(32),
      root: account('02'),
      state: 'closing',
      balance: 7n,
      stake: 0n,
      unlockTs: 5,
      params: Cell.EMPTY,
    }
    const proxy = proxyState.storeCell(proxyValues)
    expect(proxyState.loadPrefix(longer(proxy))).toMatchObject({ state: 'closing', balance: 7n })
    const wallet = initialWalletData({ owner: account('01'), publicKey: new Uint8Array(32) })
    expect(() => walletState.loadCell(longer(wallet))).toThrow(layoutError)
    // State 3 does not exist.
    const bits = worker.beginParse()
    const broken = beginCell()
      .storeBits(bits.loadBits(267 * 2 + 256))
      .storeUint(3, 2)
      .storeSlice(bits.skip(2))
      .endCell()
    expect(() => workerState.loadPrefix(broken)).toThrow(layoutError)
  })
})

describe('what a proxy reads in its history', () => {
  const params = paramsOf(4, vectors.revisions[0].codes)
  const reader = {
    params,
    proxy: Address.parse(vectors.revisions[0].proxy),
    proxyPublicKey: proxyKey.publicKey,
    wallet: of('walletOwner'),
  }
  const client = {
    state: 'normal',
    balance: 5n,
    stake: 6n,
    tokensUsed: 7n,
    secretHash: new Uint8Array(32).fill(8),
  } as const
  const fromClient = (payload: Cell | null) =>
    proxyMessages.clientRequest.build({ queryId: 1n, owner: of('clientOwner'), client, payload })

  test('a client contract tells its state and the challenge it answers', () => {
    const sender = Address.parse(vectors.revisions[0].client)
    const body = fromClient(payloads.register.build({ nonce: 77n }))
    expect(readProxyEvent(sender, body, reader)).toMatchObject({ kind: 'client', client, nonce: 77n })
    expect(readProxyEvent(sender, fromClient(null), reader)).toMatchObject({ nonce: null })
  })

  test('nobody else tells it for the client, and nothing follows the message', () => {
    expect(readProxyEvent(of('clientOwner'), fromClient(null), reader)).toBeNull()
    const sender = Address.parse(vectors.revisions[0].client)
    const longer = beginCell().storeSlice(fromClient(null).beginParse()).storeBit(1).endCell()
    expect(readProxyEvent(sender, longer, reader)).toBeNull()
    expect(readProxyEvent(sender, Cell.EMPTY, reader)).toBeNull()
  })

  test('a worker contract tells what it was paid for', () => {
    const body = proxyMessages.workerRequest.build({
      queryId: 1n,
      owner: of('workerOwner'),
      state: 'closed',
      tokens: 9n,
      payload: null,
    })
    const sender = Address.parse(vectors.revisions[0].worker)
    expect(readProxyEvent(sender, body, reader)).toMatchObject({ kind: 'worker', state: 'closed', tokens: 9n })
    expect(readProxyEvent(of('workerOwner'), body, reader)).toBeNull()
  })

  test('a saved state counts from the proxy’s own wallet only', () => {
    const sessionHash = new Uint8Array(32).fill(3)
    const body = buildSaveState(4n, 12, sessionHash)
    expect(readProxyEvent(reader.wallet, body, reader)).toEqual({ kind: 'saveState', seqno: 12, sessionHash })
    expect(readProxyEvent(of('excess'), body, reader)).toBeNull()
    const other = proxyMessages.saveState.build({ queryId: 4n, inner: 1, seqno: 12, sessionHash })
    expect(readProxyEvent(reader.wallet, other, reader)).toBeNull()
  })
})

test('exit codes that contracts end with have a sentence', () => {
  for (const code of [5, 9, 1000, 1015, 1030, 1041, 2000]) expect(EXIT_CODES[code]).toMatch(/\w+ \w+/)
})

test('a letter that an owner types as a comment is the text command that contracts take', () => {
  for (const letter of ['c', 'w', 'b', 'u'])
    expect(textComment(letter).equals(textCommand.build({ command: letter.charCodeAt(0) }))).toBe(true)
})
