import { readFileSync } from 'node:fs'
import { Address, beginCell, Cell } from '@ton/core'
import { expect, test } from 'vitest'
import { buildFile, compileContract, COMPILED_FILE, compiledSource, CONTRACTS } from '../build.ts'
import { costReport, SIX_FREQUENT } from './support/cost-report.ts'
import { measureGas } from './support/gas-run.ts'
import { envelope, OP, orderPayload, totalPayload } from './support/messages.ts'
import { walletData } from './support/wallet.ts'
import {
  account,
  clientData,
  createWorld,
  derivedAddresses,
  keyOf,
  PARAMS,
  paramsCell,
  PROXY_KEY,
  PROXY_OWNER,
  CLIENT_OWNER,
  STRANGER,
  WORKER_OWNER,
} from './support/world.ts'

const mutated = process.env['COCOON_MUTANT_FOLDER'] !== undefined
const vectors = JSON.parse(readFileSync(new URL('../../spec/vectors/contracts/vectors.json', import.meta.url), 'utf8'))

test.skipIf(mutated).each(CONTRACTS)(
  'contracts/build/%s.json is what the compiler makes of the sources',
  async (name) => {
    const stored = JSON.parse(readFileSync(buildFile(name), 'utf8'))
    expect(await compileContract(name)).toEqual(stored)
    expect(Cell.fromHex(stored.code).hash().toString('hex')).toBe(stored.hash)
  },
)

test.skipIf(mutated)('the program carries the code that stands in contracts/build', () => {
  const builds = CONTRACTS.map((name) => JSON.parse(readFileSync(buildFile(name), 'utf8')))
  expect(readFileSync(COMPILED_FILE, 'utf8')).toBe(compiledSource(builds))
})

test.skipIf(mutated)('contracts/gas.json and docs/contract-costs.md are what the orders cost', async () => {
  const stored = JSON.parse(readFileSync(new URL('../gas.json', import.meta.url), 'utf8'))
  const report = await measureGas()
  expect(report).toEqual(stored)
  const document = readFileSync(new URL('../../docs/contract-costs.md', import.meta.url), 'utf8')
  expect(document).toBe(costReport(report, vectors))
})

test.skipIf(mutated)(
  'every order costs less gas than in the best known contracts, and six of them 15 % less in sum',
  () => {
    const { orders } = JSON.parse(readFileSync(new URL('../gas.json', import.meta.url), 'utf8'))
    const ours = (name: string): number => orders[name].gas.reduce((a: number, b: number) => a + b, 0)
    const known: Record<string, number> = vectors.bestKnownGas
    const dearer = Object.keys(known).filter((name) => !(ours(name) < (known[name] as number)))
    expect(dearer).toEqual([])
    const sum = (of: (name: string) => number): number => SIX_FREQUENT.map(of).reduce((a, b) => a + b, 0)
    expect(sum(ours)).toBeLessThan(0.85 * sum((name) => known[name] as number))
  },
)

test.skipIf(mutated)(
  'from the wallet to the last excess every order burns less TON than with the deployed contracts',
  () => {
    const { endToEndNano, rentNanoPerYear } = JSON.parse(readFileSync(new URL('../gas.json', import.meta.url), 'utf8'))
    // Deploying is paid once; the code that makes orders cheap is a little larger.
    const { deployedEndToEndNano: deployed, deployedRentNanoPerYear: rent } = vectors
    const dearer = Object.keys(deployed).filter((name) => !(endToEndNano[name] < deployed[name]))
    expect(dearer).toEqual(['wallet and proxy deploy', 'worker deploy'])
    expect(Object.keys(rent).filter((name) => !(rentNanoPerYear[name] < rent[name]))).toEqual([])
  },
)

test('the contracts live where nodes compute that they do', async () => {
  for (const params of [{}, { minClientStakeNano: 0n }, { structVersion: 3, pricePerToken: 2n ** 40n }]) {
    const world = await createWorld(params)
    const derived = derivedAddresses(world)
    expect(world.proxy.address.equals(derived.proxy)).toBe(true)
    expect(world.client.address.equals(derived.client)).toBe(true)
    expect(world.worker.address.equals(derived.worker)).toBe(true)
  }
})

test('params, client, worker and wallet data have the hashes of the vectors', () => {
  const bare = paramsCell(PARAMS, [null, null, null])
  expect(bare.hash().toString('hex')).toBe(vectors.params.hash)
  expect(bare.toBoc({ idx: false, crc32: false }).toString('hex')).toBe(vectors.params.boc)
  const proxy = Address.parse(vectors.proxy)
  const parties = (owner: Address) =>
    beginCell().storeAddress(owner).storeAddress(proxy).storeBuffer(Buffer.from(PROXY_KEY.publicKey))
  const client = clientData(PARAMS.minClientStakeNano, bare, parties(CLIENT_OWNER).endCell())
  expect(client.hash().toString('hex')).toBe(vectors.clientData)
  const worker = parties(WORKER_OWNER).storeUint(0, 66).storeRef(bare).endCell()
  expect(worker.hash().toString('hex')).toBe(vectors.workerData)
  expect(walletData().hash().toString('hex')).toBe(vectors.walletData)
  expect(PROXY_OWNER.equals(account(0x11))).toBe(true)
})

test.each(Object.keys(vectors.signed))('the signed %s has payload, signature and envelope of the vectors', (name) => {
  const { op, queryId, tokens, contract, payload, signature, envelope: whole, boc } = vectors.signed[name]
  const to = Address.parse(contract)
  const cell =
    tokens === undefined ? orderPayload(op, BigInt(queryId), to) : totalPayload(op, BigInt(queryId), BigInt(tokens), to)
  expect(cell.hash().toString('hex')).toBe(payload)
  const made = keyOf(1).sign(cell.hash())
  expect(Buffer.from(made).toString('hex')).toBe(signature)
  const outer = envelope(op, BigInt(queryId), STRANGER, made, cell)
  if (whole !== undefined) expect(outer.hash().toString('hex')).toBe(whole)
  if (boc !== undefined) expect(outer.toBoc({ idx: false, crc32: false }).toString('hex')).toBe(boc)
  expect(Object.values(OP)).toContain(op)
})
