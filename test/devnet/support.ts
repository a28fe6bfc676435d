/** A local chain for a test, the callers it is tested with, and a contract. */
import { readFileSync } from 'node:fs'
import {
  type Address,
  beginCell,
  Cell,
  contractAddress,
  external,
  storeMessage,
  storeStateInit,
  type StateInit,
} from '@ton/core'
import { runTolkCompiler } from '@ton/tolk-js'
import { TonClient } from '@ton/ton'
import { onTestFinished } from 'vitest'
import { type Devnet, devnetOptions, startDevnet } from '../../src/devnet/index.ts'
import { type Clock, manualClock, seededRandom, silentLog } from '../../src/util/index.ts'

export const TON = 1_000_000_000n

export interface Local {
  readonly devnet: Devnet
  readonly url: string
  readonly client: TonClient
  /** `/devnet/*`; throws what the server says. */
  order(name: string, body?: unknown): Promise<Record<string, unknown>>
  status(): Promise<Record<string, unknown>>
  faucet(to: Address, amountNano: bigint, more?: object): Promise<void>
  /** Blocks until nothing is under way. */
  settle(): Promise<void>
}

/** Time stands still and blocks are made when told to, unless the test brings another clock. */
export async function startLocal(options: object = {}, clock: Clock = manualClock()): Promise<Local> {
  const parsed = devnetOptions.parse({ port: 0, blockIntervalMs: 3_600_000, ...options })
  const devnet = await startDevnet(parsed, { clock, random: seededRandom(7), log: silentLog })
  onTestFinished(() => devnet.close())
  return { devnet, ...talkTo(devnet.url) }
}

export function talkTo(url: string): Omit<Local, 'devnet'> {
  const order: Local['order'] = async (name, body = {}) => resultOf(await call(url, `/devnet/${name}`, body))
  return {
    url,
    client: clientOf(url),
    order,
    status: async () => resultOf(await call(url, '/devnet/status')),
    async faucet(to, amountNano, more = {}) {
      await order('faucet', { address: to.toString(), amount: amountNano.toString(), ...more })
    },
    async settle() {
      await order('mine', { untilIdle: true })
    },
  }
}

export const clientOf = (url: string): TonClient =>
  new TonClient({ endpoint: `${url}/api/v2/jsonRPC`, apiKey: 'of no importance' })

export interface Reply {
  readonly status: number
  // Tests look into answers of many shapes.
  readonly body: Record<string, never> & { readonly ok?: boolean; readonly result?: unknown; readonly error?: string }
}

export async function call(url: string, path: string, body?: unknown): Promise<Reply> {
  const init =
    body === undefined
      ? {}
      : { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
  const response = await fetch(url + path, init)
  return { status: response.status, body: (await response.json()) as Reply['body'] }
}

export function resultOf(reply: Reply): Record<string, unknown> {
  if (reply.status !== 200) throw new Error(`${reply.status} ${reply.body.error}`)
  return reply.body.result as Record<string, unknown>
}

/** API v2 by name. */
export const v2 = async (url: string, method: string, params: object): Promise<Record<string, unknown>> =>
  resultOf(await call(url, `/api/v2/${method}`, params))

export interface Relay {
  readonly address: Address
  readonly init: StateInit
}

export async function compileRelay(): Promise<(id: number) => Relay> {
  const source = readFileSync(new URL('relay.tolk', import.meta.url), 'utf8')
  const result = await runTolkCompiler({ entrypointFileName: 'relay.tolk', fsReadCallback: () => source })
  if (result.status === 'error') throw new Error(result.message)
  const code = Cell.fromBase64(result.codeBoc64)
  return (id) => {
    const data = beginCell().storeUint(id, 32).storeUint(0, 64).storeUint(0, 64).storeUint(0, 64).endCell()
    return { address: contractAddress(0, { code, data }), init: { code, data } }
  }
}

/** Puts the contract on the chain with this much money. */
export async function deploy(local: Omit<Local, 'devnet'>, relay: Relay, amountNano = 10n * TON): Promise<void> {
  const stateInit = beginCell().store(storeStateInit(relay.init)).endCell().toBoc().toString('base64')
  await local.faucet(relay.address, amountNano, { stateInit })
  await local.settle()
}

/** An external message that the contract counts (code 0) or refuses with `code`. */
export function tick(relay: Relay, nonce: number, code = 0): Cell {
  const body = beginCell().storeUint(code, 16).storeUint(nonce, 64).endCell()
  return beginCell()
    .store(storeMessage(external({ to: relay.address, body })))
    .endCell()
}

export const relayBody = (hops: number, to: Address): Cell =>
  beginCell().storeUint(0x7e110001, 32).storeUint(hops, 8).storeAddress(to).endCell()

export const refuseBody = (code: number): Cell => beginCell().storeUint(0x7e110002, 32).storeUint(code, 16).endCell()

export const boc = (cell: Cell): string => cell.toBoc().toString('base64')
