/**
 * One chain with a proxy, a client and a worker contract, under the conditions the gas figures are stated for
 * (spec/contracts.md, "Conditions"): fixed time, keys and parties, messages injected with undeployed senders.
 */
import { existsSync, readFileSync } from 'node:fs'
import { Address, beginCell, Cell, type StateInit, storeStateInit } from '@ton/core'
import {
  Blockchain,
  type BlockchainTransaction,
  createShardAccount,
  internal,
  type SendMessageResult,
} from '@ton/sandbox'
import { digestOf, signingKeyFromSeed } from '../../../src/chain/index.ts'
import { clientContractAddress, proxyContractAddress, workerContractAddress } from '../../../src/chain/index.ts'
import type { RootParams } from '../../../src/chain/index.ts'
import { buildFile, type ContractBuild, type ContractName } from '../../build.ts'
import { exitOf } from './exit-sites.ts'
import { type ClientData, loadClient, loadProxy, loadWorker, type ProxyData, type WorkerData } from './messages.ts'

export const NOW = 1_777_000_000
export const TON = 1_000_000_000n

export const account = (byte: number): Address => new Address(0, Buffer.alloc(32, byte))
export const PROXY_OWNER = account(0x11)
export const CLIENT_OWNER = account(0x22)
export const WORKER_OWNER = account(0x33)
export const ROOT = account(0x44)
export const STRANGER = account(0x55)
export const ELSEWHERE = account(0x66)
export const ROOT_OWNER = account(0x77)
export const WALLET_OWNER = account(0x88)

export const keyOf = (byte: number) => signingKeyFromSeed(new Uint8Array(32).fill(byte))
export const PROXY_KEY = keyOf(1)
export const WALLET_KEY = keyOf(2)
export const MANAGER_KEY = keyOf(3)

/** Where the code of a contract comes from. */
export type Codes = (contract: ContractName) => Cell

/** The code of a contract: contracts/build, or what the mutation run has put into the folder it names. */
export function codeOf(contract: ContractName): Cell {
  const folder = process.env['COCOON_MUTANT_FOLDER']
  const mutant = folder === undefined ? null : buildFile(contract, new URL(`file://${folder}/`))
  const file = mutant !== null && existsSync(mutant) ? mutant : buildFile(contract)
  const build = JSON.parse(readFileSync(file, 'utf8')) as ContractBuild
  const [code] = Cell.fromBoc(Buffer.from(build.code, 'hex'))
  if (code === undefined) throw new RangeError(`${file.href} holds no code`)
  return code
}

export interface Params extends Omit<RootParams, 'codes'> {}

export const PARAMS: Params = {
  structVersion: 4,
  paramsVersion: 17,
  uniqueId: 239,
  isTest: false,
  pricePerToken: 20n,
  workerFeePerToken: 19n,
  multipliers: { prompt: 10_000, cached: 1_000, completion: 80_000, reasoning: 80_000 },
  proxyDelayBeforeCloseS: 86_400,
  clientDelayBeforeCloseS: 43_200,
  minProxyStakeNano: 15n * TON,
  minClientStakeNano: 15n * TON,
}

export function paramsCell(params: Params, codes: readonly [Cell | null, Cell | null, Cell | null]): Cell {
  const { multipliers: m } = params
  const cell = beginCell().storeUint(params.structVersion, 8).storeUint(params.paramsVersion, 32)
  cell.storeUint(params.uniqueId, 32).storeBit(params.isTest)
  cell.storeCoins(params.pricePerToken).storeCoins(params.workerFeePerToken)
  if (params.structVersion >= 3) {
    for (const n of [m.prompt, m.cached, m.completion, m.reasoning]) cell.storeUint(n, 32)
  }
  cell.storeUint(params.proxyDelayBeforeCloseS, 32).storeUint(params.clientDelayBeforeCloseS, 32)
  cell.storeCoins(params.minProxyStakeNano).storeCoins(params.minClientStakeNano)
  for (const code of codes) cell.storeMaybeRef(code)
  return cell.endCell()
}

export interface Deployment {
  readonly address: Address
  readonly init: StateInit
}

export function deployment(code: Cell, data: Cell): Deployment {
  const init: StateInit = { code, data }
  const address = new Address(0, beginCell().store(storeStateInit(init)).endCell().hash())
  return { address, init }
}

const storeParties = (owner: Address, proxy: Address, key: Uint8Array) =>
  beginCell().storeAddress(owner).storeAddress(proxy).storeBuffer(Buffer.from(key))

export const proxyData = (params: Cell, owner = PROXY_OWNER, key = PROXY_KEY.publicKey, balance = 0n): Cell =>
  beginCell()
    .storeAddress(owner)
    .storeBuffer(Buffer.from(key))
    .storeAddress(ROOT)
    .storeUint(0, 2)
    .storeCoins(balance)
    .storeUint(0, 4 + 32)
    .storeRef(params)
    .endCell()

export function clientData(stake: bigint, params: Cell, parties: Cell, over: Partial<ClientData> = {}): Cell {
  return beginCell()
    .storeUint(over.state ?? 0, 2)
    .storeCoins(over.balance ?? 0n)
    .storeCoins(over.stake ?? stake)
    .storeUint(over.tokensUsed ?? 0n, 64)
    .storeUint(over.unlockTs ?? 0, 32)
    .storeUint(over.secretHash ?? 0n, 256)
    .storeRef(parties)
    .storeRef(params)
    .endCell()
}

/** What happened to the first contract that ran, and to all of them. */
export interface Outcome {
  /** Exit code of the first compute phase; null when it did not run. */
  readonly exit: number | null
  /** Result code of the first action phase; null when there was none. */
  readonly action: number | null
  readonly gas: readonly bigint[]
  readonly transactions: readonly BlockchainTransaction[]
}

/** One message, as it arrived somewhere. */
export interface Arrival {
  readonly from: string
  readonly to: Address
  readonly value: bigint
  readonly body: Cell
  readonly bounced: boolean
  readonly exit: number | null
}

export interface Send {
  readonly from: Address
  readonly value: bigint
  readonly body?: Cell
  readonly init?: StateInit
  readonly bounce?: boolean
}

export interface World {
  readonly chain: Blockchain
  readonly params: Params
  readonly proxy: Deployment
  readonly client: Deployment
  readonly worker: Deployment
  clientOf(owner: Address): Deployment
  workerOf(owner: Address): Deployment
  /** Injects a message and lets everything that follows from it happen. */
  send(to: Address, message: Send): Promise<Outcome>
  balance(of: Address): Promise<bigint>
  data(of: Address): Promise<Cell>
  /** Replaces what an active contract stores. */
  setData(of: Address, data: Cell): Promise<void>
  clientState(of?: Address): Promise<ClientData>
  proxyState(): Promise<ProxyData>
  workerState(of?: Address): Promise<WorkerData>
}

export async function createWorld(over: Partial<Params> = {}, codeFor: Codes = codeOf): Promise<World> {
  const params = { ...PARAMS, ...over }
  const chain = await Blockchain.create()
  chain.now = NOW
  const codes = { client: codeFor('client'), proxy: codeFor('proxy'), worker: codeFor('worker') }
  const bare = paramsCell(params, [null, null, null])
  const proxy = deployment(codes.proxy, proxyData(paramsCell(params, [null, codes.worker, codes.client])))
  const parties = (owner: Address) => storeParties(owner, proxy.address, PROXY_KEY.publicKey)
  const clientOf = (owner: Address): Deployment =>
    deployment(codes.client, clientData(params.minClientStakeNano, bare, parties(owner).endCell()))
  const workerOf = (owner: Address): Deployment =>
    deployment(
      codes.worker,
      parties(owner)
        .storeUint(0, 2 + 64)
        .storeRef(bare)
        .endCell(),
    )
  const [client, worker] = [clientOf(CLIENT_OWNER), workerOf(WORKER_OWNER)]

  const data = async (of: Address): Promise<Cell> => {
    const { accountState } = await chain.getContract(of)
    if (accountState?.type !== 'active' || !accountState.state.data) throw new RangeError(`${of} is not active`)
    return accountState.state.data
  }
  return {
    chain,
    params,
    proxy,
    client,
    worker,
    clientOf,
    workerOf,
    data,
    setData: async (of, changed) => {
      const contract = await chain.getContract(of)
      const { accountState } = contract
      if (accountState?.type !== 'active') throw new RangeError(`${of} is not active`)
      const code = accountState.state.code
      if (code === null || code === undefined) throw new RangeError(`${of} has no code`)
      contract.account = createShardAccount({ address: of, code, data: changed, balance: contract.balance })
    },
    send: async (to, message) => outcomeOf(await chain.sendMessage(messageTo(to, message))),
    balance: async (of) => (await chain.getContract(of)).balance,
    clientState: async (of = client.address) => loadClient(await data(of)),
    proxyState: async () => loadProxy(await data(proxy.address)),
    workerState: async (of = worker.address) => loadWorker(await data(of)),
  }
}

export function messageTo(to: Address, { from, value, body, init, bounce = true }: Send) {
  return internal({
    from,
    to,
    value,
    bounce,
    body: body ?? Cell.EMPTY,
    ...(init === undefined ? {} : { stateInit: init }),
  })
}

/** As nodes deploy them: proxy and worker with 0.3 TON, the client with 0.8. */
export async function createDeployedWorld(over: Partial<Params> = {}, codeFor: Codes = codeOf): Promise<World> {
  const world = await createWorld(over, codeFor)
  await world.send(world.proxy.address, {
    from: PROXY_OWNER,
    value: 3n * (TON / 10n),
    init: world.proxy.init,
    bounce: false,
  })
  await world.send(world.client.address, {
    from: CLIENT_OWNER,
    value: 8n * (TON / 10n),
    init: world.client.init,
    bounce: false,
  })
  await world.send(world.worker.address, {
    from: WORKER_OWNER,
    value: 3n * (TON / 10n),
    init: world.worker.init,
    bounce: false,
  })
  return world
}

export function outcomeOf(result: SendMessageResult): Outcome {
  const [first] = result.transactions
  const phases = first?.description.type === 'generic' ? first.description : undefined
  return {
    exit: phases?.computePhase.type === 'vm' ? exitOf(phases.computePhase.exitCode) : null,
    action: phases?.actionPhase?.resultCode ?? null,
    gas: result.transactions.flatMap((t) =>
      t.description.type === 'generic' && t.description.computePhase.type === 'vm'
        ? [t.description.computePhase.gasUsed]
        : [],
    ),
    transactions: result.transactions,
  }
}

/** Every internal message behind the injected one, in order. */
export function arrivals(outcome: Outcome): Arrival[] {
  return outcome.transactions.slice(1).flatMap((t) => {
    const info = t.inMessage?.info
    if (info?.type !== 'internal' || t.inMessage === null || t.inMessage === undefined) return []
    const compute = t.description.type === 'generic' ? t.description.computePhase : undefined
    return [
      {
        from: info.src.toString(),
        to: info.dest,
        value: info.value.coins,
        body: t.inMessage.body,
        bounced: info.bounced,
        exit: compute?.type === 'vm' ? exitOf(compute.exitCode) : null,
      },
    ]
  })
}

/** What reached an account with this op. */
export function received(outcome: Outcome, to: Address, op: number): Arrival[] {
  return arrivals(outcome).filter(
    (a) => a.to.equals(to) && a.body.bits.length >= 32 && a.body.beginParse().preloadUint(32) === op,
  )
}

/** TON that no account holds any more. */
export const burnt = (outcome: Outcome): bigint =>
  outcome.transactions.reduce((sum, t) => {
    const out = t.outMessages
      .values()
      .reduce((fees, m) => fees + (m.info.type === 'internal' ? m.info.forwardFee : 0n), 0n)
    return sum + t.totalFees.coins + out
  }, 0n)

/** The contracts' own derivation, in TypeScript: what nodes compute. */
export function derivedAddresses(world: World): { proxy: Address; client: Address; worker: Address } {
  const params: RootParams = {
    ...world.params,
    codes: {
      proxy: digestOf(codeOf('proxy')),
      worker: digestOf(codeOf('worker')),
      client: digestOf(codeOf('client')),
    },
  }
  const proxy = proxyContractAddress(params, { owner: PROXY_OWNER, publicKey: PROXY_KEY.publicKey, root: ROOT })
  const party = (owner: Address) => ({ owner, proxy, proxyPublicKey: PROXY_KEY.publicKey })
  return {
    proxy,
    client: clientContractAddress(params, party(CLIENT_OWNER)),
    worker: workerContractAddress(params, party(WORKER_OWNER)),
  }
}
