/** `@ton/ton`, unmodified, does not notice that this is not the network. */
import { Address, beginCell, Cell, comment, SendMode, toNano, type TupleItem } from '@ton/core'
import { keyPairFromSeed } from '@ton/crypto'
import { internal, WalletContractV3R2, WalletContractV4, WalletContractV5R1 } from '@ton/ton'
import { expect, test } from 'vitest'
import { boc, call, clientOf, compileRelay, deploy, startLocal, TON, tick, v2 } from './support.ts'

const keys = keyPairFromSeed(Buffer.alloc(32, 7))
const STRANGER = new Address(0, Buffer.alloc(32, 0x51))

const WALLETS = {
  'v3 r2': WalletContractV3R2.create({ workchain: 0, publicKey: keys.publicKey }),
  'v4 r2': WalletContractV4.create({ workchain: 0, publicKey: keys.publicKey }),
  'v5 r1': WalletContractV5R1.create({ workchain: 0, publicKey: keys.publicKey }),
}

test.each(Object.entries(WALLETS))(
  'wallet %s deploys itself with its first transfer and sends again with the next number',
  async (name, contract) => {
    const local = await startLocal()
    const wallet = local.client.open(contract as WalletContractV4)
    await local.faucet(wallet.address, 10n * TON)
    await local.settle()
    expect(await local.client.getBalance(wallet.address)).toBe(10n * TON)
    expect(await local.client.isContractDeployed(wallet.address)).toBe(false)

    for (const seqno of [0, 1]) {
      await wallet.sendTransfer({
        seqno,
        secretKey: keys.secretKey,
        sendMode: SendMode.PAY_GAS_SEPARATELY,
        messages: [internal({ to: STRANGER, value: toNano('1.5'), bounce: false, body: `payment ${seqno}` })],
      })
      await local.settle()
    }
    expect(await local.client.isContractDeployed(wallet.address)).toBe(true)
    expect(await wallet.getSeqno()).toBe(2)
    expect(await local.client.getBalance(STRANGER)).toBe(3n * TON)

    const own = await local.client.getTransactions(wallet.address, { limit: 10 })
    expect(own.map((t) => [t.inMessage?.info.type, t.outMessagesCount])).toEqual([
      ['external-in', 1],
      ['external-in', 1],
      ['internal', 0],
    ])
    const [arrived] = await local.client.getTransactions(STRANGER, { limit: 1 })
    expect(arrived?.inMessage?.body.equals(comment('payment 1'))).toBe(true)

    const shown = await call(local.url, `/api/v3/walletStates?address=${wallet.address}`)
    expect(shown.body).toMatchObject({ wallets: [{ is_wallet: true, wallet_type: `wallet ${name}`, seqno: 2 }] })
    expect(await v2(local.url, 'getWalletInformation', { address: wallet.address.toString() })).toMatchObject({
      wallet: true,
      seqno: 2,
      account_state: 'active',
    })
  },
)

test('a transfer with a used number or a foreign key is refused before it is taken, as lite servers do', async () => {
  const local = await startLocal()
  const wallet = local.client.open(WALLETS['v4 r2'])
  await local.faucet(wallet.address, 10n * TON)
  await local.settle()
  const transfer = (seqno: number, secretKey: Buffer) =>
    wallet.sendTransfer({ seqno, secretKey, messages: [internal({ to: STRANGER, value: TON, bounce: false })] })
  await transfer(0, keys.secretKey)
  await local.settle()
  // 33: the number; 35: the signature.
  const { secretKey: foreign } = keyPairFromSeed(Buffer.alloc(32, 8))
  await expect(transfer(0, keys.secretKey)).rejects.toMatchObject({
    response: {
      status: 500,
      data: { ok: false, code: 500, error: expect.stringMatching(/not accepted[^]*exitcode=33/) },
    },
  })
  await expect(transfer(1, foreign)).rejects.toMatchObject({
    response: { data: { error: expect.stringContaining('exitcode=35') } },
  })
})

test('a provider reads state, calls get methods, sends and lists transactions', async () => {
  const local = await startLocal()
  const relay = (await compileRelay())(1)
  await deploy(local, relay)
  const provider = local.client.provider(relay.address, relay.init)
  const state = await provider.getState()
  expect(state).toMatchObject({ balance: expect.any(BigInt), state: { type: 'active' } })
  expect(state.state.type === 'active' && relay.init.code?.equals(cellOf(state.state.code))).toBe(true)

  await provider.external(beginCell().storeUint(0, 16).storeUint(1, 64).endCell())
  await local.settle()
  expect((await provider.get('counted', [])).stack.readBigNumber()).toBe(1n)

  const { last } = await provider.getState()
  const page = await provider.getTransactions(relay.address, last?.lt ?? 0n, last?.hash ?? Buffer.alloc(0))
  expect(page.map((t) => t.lt)).toEqual([last?.lt, page[0]?.prevTransactionLt])
  expect(page[0]?.hash().equals(last?.hash ?? Buffer.alloc(0))).toBe(true)
})

test('get methods take and give every kind of value, and say their exit codes', async () => {
  const local = await startLocal()
  const relay = (await compileRelay())(1)
  await deploy(local, relay)
  const { client } = local
  const number = (value: bigint): TupleItem[] => [{ type: 'int', value }]
  expect((await client.runMethod(relay.address, 'checked', number(10n))).stack.readBigNumber()).toBe(-10n)
  expect((await client.runMethod(relay.address, 'checked', number(-(2n ** 255n)))).stack.readBigNumber()).toBe(
    2n ** 255n,
  )
  expect(await client.runMethodWithError(relay.address, 'checked', number(11n))).toMatchObject({ exit_code: 55 })
  expect(await client.runMethodWithError(relay.address, 'no_such_method')).toMatchObject({ exit_code: 11 })
  expect(await client.runMethodWithError(STRANGER, 'seqno')).toMatchObject({ exit_code: -13 })
  await expect(client.runMethod(relay.address, 'checked', number(11n))).rejects.toThrow('exit_code: 55')

  const c = comment('a cell')
  const { stack } = await client.runMethod(relay.address, 'shapes', [
    { type: 'cell', cell: c },
    { type: 'slice', cell: c },
  ])
  expect(stack.readNumber()).toBe(7)
  expect(stack.readCell().equals(c)).toBe(true)
  expect(stack.readCell().equals(c)).toBe(true)
  const pair = stack.pop() as unknown as { items: [bigint, Cell] }
  expect(pair.items[0]).toBe(8n)
  expect(pair.items[1].equals(c)).toBe(true)
  expect(stack.readBigNumberOpt()).toBe(null)

  const v3 = await call(local.url, '/api/v3/runGetMethod', {
    address: relay.address.toString(),
    method: 'checked',
    stack: [{ type: 'num', value: '0x5' }],
  })
  expect(v3.body).toMatchObject({ exit_code: 0, stack: [{ type: 'num', value: '-0x5' }] })
})

test('blocks, shards and their transactions are found the way indexers walk them', async () => {
  const local = await startLocal()
  const relay = (await compileRelay())(1)
  await deploy(local, relay)
  const { latestSeqno, initSeqno } = await local.client.getMasterchainInfo()
  expect(latestSeqno).toBeGreaterThan(initSeqno)
  const found: string[] = []
  for (let seqno = initSeqno; seqno <= latestSeqno; seqno++)
    for (const shard of await local.client.getWorkchainShards(seqno))
      for (const t of await local.client.getShardTransactions(shard.workchain, shard.seqno, shard.shard))
        found.push(`${t.account} ${t.lt}`)
  const own = await local.client.getTransactions(relay.address, { limit: 10 })
  expect(found).toEqual(own.map((t) => `${relay.address} ${t.lt}`))
})

test('a sent message is found by either hash, and transactions by their messages', async () => {
  const local = await startLocal()
  const wallet = local.client.open(WALLETS['v5 r1'])
  const relay = (await compileRelay())(1)
  await deploy(local, relay)
  await local.faucet(wallet.address, 10n * TON)
  await local.settle()
  const external = tick(relay, 1)
  const sent = await call(local.url, '/api/v3/message', { boc: boc(external) })
  expect(sent.status).toBe(200)
  const hashes = sent.body as unknown as { message_hash: string; message_hash_norm: string }
  expect(hashes.message_hash).toBe(external.hash().toString('base64'))
  await local.settle()
  for (const hash of Object.values(hashes)) {
    const query = new URLSearchParams({ msg_hash: hash, direction: 'in' })
    expect((await call(local.url, `/api/v3/transactionsByMessage?${query}`)).body).toMatchObject({
      transactions: [{ account: relay.address.toRawString().toUpperCase(), in_msg: { hash: hashes.message_hash } }],
    })
    expect((await call(local.url, `/api/v3/messages?${query}`)).body).toMatchObject({
      messages: [{ hash: hashes.message_hash, source: null }],
    })
  }

  await wallet.sendTransfer({
    seqno: 0,
    secretKey: keys.secretKey,
    sendMode: SendMode.PAY_GAS_SEPARATELY,
    messages: [internal({ to: STRANGER, value: TON, bounce: false })],
  })
  await local.settle()
  const [arrival] = await local.client.getTransactions(STRANGER, { limit: 1 })
  const lt = arrival?.inMessage?.info.type === 'internal' ? arrival.inMessage.info.createdLt.toString() : ''
  const result = await local.client.tryLocateResultTx(wallet.address, STRANGER, lt)
  const source = await local.client.tryLocateSourceTx(wallet.address, STRANGER, lt)
  expect(result.lt).toBe(arrival?.lt)
  expect(source.outMessages.get(0)?.info.dest?.toString()).toBe(STRANGER.toString())
  await expect(local.client.tryLocateResultTx(wallet.address, STRANGER, '1')).rejects.toThrow('500')
})

test('the estimate of a transfer’s fees is what the transfer then costs', async () => {
  const local = await startLocal()
  const contract = WALLETS['v4 r2']
  const wallet = local.client.open(contract)
  await local.faucet(wallet.address, 10n * TON)
  await local.settle()
  const body = contract.createTransfer({
    seqno: 0,
    secretKey: keys.secretKey,
    sendMode: SendMode.PAY_GAS_SEPARATELY,
    messages: [internal({ to: STRANGER, value: TON, bounce: false })],
  })
  const { source_fees: fees } = await local.client.estimateExternalMessageFee(wallet.address, {
    body,
    initCode: contract.init.code,
    initData: contract.init.data,
    ignoreSignature: true,
  })
  await wallet.send(body)
  await local.settle()
  const cost = 9n * TON - (await wallet.getBalance())
  expect(BigInt(fees.in_fwd_fee + fees.storage_fee + fees.gas_fee + fees.fwd_fee)).toBe(cost)
})

test('every read of API v2 answers by GET, by POST and by JSON-RPC alike', async () => {
  const local = await startLocal()
  const relay = (await compileRelay())(1)
  await deploy(local, relay)
  const address = relay.address.toString()
  const at = { workchain: '-1', shard: '-9223372036854775808', seqno: '1' }
  const calls: [string, Record<string, string>][] = [
    ['getMasterchainInfo', {}],
    ['getConsensusBlock', {}],
    ['shards', { seqno: '1' }],
    ['lookupBlock', { workchain: '-1', seqno: '1' }],
    ['getBlockHeader', at],
    ['getBlockTransactions', at],
    ['getBlockTransactionsExt', at],
    ['getAddressInformation', { address }],
    ['getExtendedAddressInformation', { address }],
    ['getWalletInformation', { address }],
    ['getAddressBalance', { address }],
    ['getAddressState', { address }],
    ['getTransactions', { address, limit: '5', archival: 'true' }],
    ['getConfigParam', { config_id: '20' }],
    ['packAddress', { address: relay.address.toRawString() }],
    ['unpackAddress', { address }],
    ['detectAddress', { address }],
    ['detectHash', { hash: 'ab'.repeat(32) }],
  ]
  for (const [method, params] of calls) {
    const byGet = await call(local.url, `/api/v2/${method}?${new URLSearchParams(params)}`)
    const byPost = await call(local.url, `/api/v2/${method}`, params)
    const byName = await call(local.url, '/api/v2/jsonRPC', { jsonrpc: '2.0', id: 5, method, params })
    expect([method, byGet.status]).toEqual([method, 200])
    expect(byPost).toEqual(byGet)
    expect(byName.body).toEqual({ ...byGet.body, jsonrpc: '2.0', id: 5 })
  }
  const reads = ['account', 'addressInformation', 'accountStates', 'walletStates', 'walletInformation', 'addressBook']
  for (const name of reads)
    expect([name, (await call(local.url, `/api/v3/${name}?address=${address}`)).status]).toEqual([name, 200])
  for (const name of ['transactions', 'messages', 'blocks', 'masterchainInfo'])
    expect([name, (await call(local.url, `/api/v3/${name}`)).status]).toEqual([name, 200])
  expect(await v2(local.url, 'getAddressState', { address: STRANGER.toString() })).toBe('uninitialized')
  expect((await clientOf(local.url).getContractState(STRANGER)).lastTransaction).toBe(null)
})

const cellOf = (bytes: Buffer | null | undefined): Cell => {
  const [cell] = Cell.fromBoc(bytes ?? Buffer.alloc(0))
  if (cell === undefined) throw new TypeError('no cell')
  return cell
}
