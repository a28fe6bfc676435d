/** `/devnet/*`: what no real network offers. Money out of nowhere, time travel, blocks on demand, faults on order. */
import { z } from 'zod'
import { faultsSchema } from '../faults.ts'
import type { Endpoint } from '../endpoint.ts'
import type { DevnetControl } from '../devnet.ts'
import { address, cell, integer, parseParams, uint32, uint64 } from './params.ts'
import { base64OfHex } from './render-v2.ts'

/** More money than all networks have: 5 billion TON, in nanoTON. */
const MAX_FAUCET_NANO = 5_000_000_000n * 1_000_000_000n
/** One call holds the connection for as long as they take. */
const MAX_MINED_BLOCKS = 10_000

const faucet = z.strictObject({
  address,
  amount: uint64.refine((v) => v > 0n && v <= MAX_FAUCET_NANO, 'not between 1 and 5·10¹⁸ nanoTON').describe('nanoTON'),
  body: cell.optional(),
  stateInit: cell.optional(),
})
const time = z.union([
  z.strictObject({ advanceSeconds: integer(0, 2 ** 32) }),
  z.strictObject({ now: uint32 }).transform(({ now }) => ({ nowSeconds: now })),
])
const mine = z.union([
  z.strictObject({ untilIdle: z.literal(true) }),
  z.strictObject({ blocks: integer(1, MAX_MINED_BLOCKS).default(1) }),
])

export type ControlRoute = (endpoint: Endpoint, body: unknown, control: DevnetControl) => unknown

export const controlPost: Readonly<Record<string, ControlRoute>> = {
  faucet(endpoint, body) {
    const p = parseParams(faucet, body)
    const hash = endpoint.chain().mint(p.address, p.amount, {
      ...(p.body === undefined ? {} : { body: p.body }),
      ...(p.stateInit === undefined ? {} : { stateInit: p.stateInit }),
    })
    endpoint.kick()
    return { message_hash: base64OfHex(hash) }
  },
  async time(endpoint, body) {
    const p = parseParams(time, body)
    endpoint.chain().moveTime(p)
    // A block says so to those who go by the last block's time.
    const block = await endpoint.chain().mine()
    return { now: block.utime, seqno: block.seqno }
  },
  async mine(endpoint, body) {
    const p = parseParams(mine, body)
    const chain = endpoint.chain()
    const blocks = 'blocks' in p ? p.blocks : MAX_MINED_BLOCKS
    for (let i = 0; i < blocks; i++) {
      if ('untilIdle' in p && chain.isIdle()) break
      await chain.mine()
    }
    return { seqno: chain.view().block.seqno, idle: chain.isIdle() }
  },
  async faults(endpoint, body, control) {
    return await control.orderFaults(endpoint, parseParams(faultsSchema, body))
  },
  async snapshot(_, __, control) {
    return await control.save()
  },
}

export const controlGet: Readonly<Record<string, ControlRoute>> = {
  status: (endpoint, _, control) => control.status(endpoint),
  faults: (endpoint, _, control) => control.faultsOf(endpoint),
}
