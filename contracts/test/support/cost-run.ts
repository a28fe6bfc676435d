/** What a node pays when it gives an order through its wallet, and what storage costs: the rest of contracts/gas.json. */
import {
  beginCell,
  type Cell,
  external,
  internal as innerMessage,
  type StateInit,
  storeMessageRelaxed,
} from '@ton/core'
import { expect } from 'vitest'
import type { ContractName } from '../../build.ts'
import { storageFee } from './expectations.ts'
import * as m from './messages.ts'
import * as root from './root.ts'
import * as wallet from './wallet.ts'
import * as w from './world.ts'

const { TON } = w
const tenths = (n: number): bigint => (BigInt(n) * TON) / 10n
const YEAR_S = 365 * 86_400

/** nanoTON that nobody has afterwards, by order, from the external message to the last excess. */
export async function measureEndToEnd(): Promise<Record<string, number>> {
  const world = await w.createWorld()
  const purse = w.deployment(w.codeOf('wallet'), wallet.walletData())
  const client = world.clientOf(purse.address)
  const [proxy, worker] = [world.proxy.address, world.worker.address]
  await world.chain.sendMessage(w.messageTo(purse.address, { from: w.STRANGER, value: 100n * TON, bounce: false }))
  const costs: Record<string, number> = {}
  let seqno = 0

  const order = async (name: string, messages: readonly Cell[], value = 2n): Promise<void> => {
    const mode = value === 1n ? 1 : 0
    const body = wallet.orderBody({
      seqno,
      validUntil: (world.chain.now ?? w.NOW) + 60,
      messages: messages.map((message) => [mode, message] as const),
    })
    const init = seqno === 0 ? { init: purse.init } : {}
    const outcome = w.outcomeOf(await world.chain.sendMessage(external({ to: purse.address, body, ...init })))
    seqno++
    for (const t of outcome.transactions) {
      const compute = t.description.type === 'generic' ? t.description.computePhase : undefined
      if (compute?.type === 'vm') expect(compute.success, name).toBe(true)
    }
    costs[name] = Number(w.burnt(outcome))
  }
  const to = (address: typeof proxy, value: bigint, body?: Cell, init?: StateInit): Cell =>
    beginCell()
      .store(
        storeMessageRelaxed(
          innerMessage({
            to: address,
            value,
            bounce: init === undefined,
            ...(body === undefined ? {} : { body }),
            ...(init === undefined ? {} : { init }),
          }),
        ),
      )
      .endCell()
  const total = (op: number, tokens: bigint, of: typeof proxy): Cell =>
    m.signed(op, 6n, purse.address, m.totalPayload(op, 6n, tokens, of), w.PROXY_KEY)
  const signedOrder = (op: number): Cell => m.signed(op, 6n, purse.address, m.orderPayload(op, 6n, proxy), w.PROXY_KEY)
  const checkpoint = m
    .head(m.OP.doNotProcess, 1n)
    .storeUint(0x53109c0f, 32)
    .storeInt(5, 32)
    .storeUint(77, 256)
    .endCell()

  await order('wallet and proxy deploy', [to(proxy, tenths(3), undefined, world.proxy.init)])
  await order('client deploy', [to(client.address, tenths(8), undefined, client.init)])
  await order('worker deploy', [to(worker, tenths(3), undefined, world.worker.init)])
  await order('proxy checkpoint', [to(proxy, 1n, checkpoint)], 1n)
  await order('client register', [to(client.address, TON, m.registerClient(2n, 5n, purse.address))])
  await order('client secret', [to(client.address, tenths(7), m.changeSecret(2n, 5n, purse.address))])
  await order('client top up', [to(client.address, tenths(307), m.topUp(3n, 30n * TON, purse.address))])
  await order('client charge', [to(client.address, tenths(7), total(m.OP.charge, 100_000_000n, client.address))])
  await order('worker payout', [to(worker, tenths(7), total(m.OP.workerPayoutSigned, 100_000_000n, worker))])
  await order('client charge and worker payout', [
    to(client.address, tenths(7), total(m.OP.charge, 200_000_000n, client.address)),
    to(worker, tenths(7), total(m.OP.workerPayoutSigned, 200_000_000n, worker)),
  ])
  await order('proxy request payout', [to(proxy, tenths(2), m.plain(m.OP.requestPayout, 4n, purse.address))])
  await order('client request refund', [to(client.address, tenths(7), m.plain(m.OP.requestRefund, 4n, purse.address))])
  await order('client grant refund', [
    to(client.address, tenths(7), total(m.OP.grantRefund, 210_000_000n, client.address)),
  ])
  await order('worker last payout', [to(worker, TON, total(m.OP.workerLastPayoutSigned, 210_000_000n, worker))])
  await order('proxy close signed', [to(proxy, TON, signedOrder(m.OP.closeSigned))])
  world.chain.now = w.NOW + 86_401
  await order('proxy complete signed', [to(proxy, TON, signedOrder(m.OP.closeCompleteSigned))])
  return costs
}

/** nanoTON a year for each contract as it is deployed; the root with a few entries. */
export async function measureRent(): Promise<Record<ContractName, number>> {
  const world = await w.createDeployedWorld()
  const roots = await root.createRootWorld()
  const wallets = await wallet.createWalletWorld()
  const ignored = m.head(m.OP.doNotProcess, 1n).endCell()
  for (const { chain } of [world, roots, wallets]) chain.now = w.NOW + YEAR_S
  const yearOf = async (outcome: Promise<w.Outcome>): Promise<number> => Number(storageFee(await outcome))
  const at = (address: typeof world.proxy.address) =>
    yearOf(world.send(address, { from: w.STRANGER, value: TON, body: ignored }))
  return {
    client: await at(world.client.address),
    proxy: await at(world.proxy.address),
    root: await yearOf(roots.send(ignored, w.STRANGER, TON)),
    wallet: await yearOf(wallets.internal(w.STRANGER, TON, ignored)),
    worker: await at(world.worker.address),
  }
}
