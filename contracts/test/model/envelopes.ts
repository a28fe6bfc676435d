/** Signed totals as honest and hostile people deliver them, and where an order returns to. */
import { Address, type Cell } from '@ton/core'
import { type Excess, OP, signed, totalPayload } from '../support/messages.ts'
import { keyOf, PROXY_KEY, STRANGER } from '../support/world.ts'
import type { Game } from './game.ts'

export interface Envelope {
  readonly op: number
  readonly of: Address
  readonly tokens: bigint
  readonly excess: Excess
  readonly body: Cell
  /** Exit code of the first check that fails whatever the contract stores; 0 if there is none. */
  readonly early: number
  /** The signature is for another contract. */
  readonly foreign: boolean
}

/** Mostly good; sometimes no address at all, or one in a workchain that does not exist. */
export const someExcess = ({ random }: Game): Excess =>
  random.once(12) ? random.pick<Excess>('none', new Address(7, Buffer.alloc(32, 7))) : STRANGER

/** A new total, right or with a flaw; one time in five an envelope that was delivered before, as it was. */
export function someEnvelope(game: Game, op: number, of: Address, tokens: bigint): Envelope {
  const { random, envelopes } = game
  const old = envelopes.filter((e) => e.op === op && e.of.equals(of))
  if (old.length > 0 && random.once(5)) return random.pick(...old)
  const excess = someExcess(game)
  const flaw = random.below(16)
  const key = flaw === 0 ? keyOf(9) : PROXY_KEY
  const target = flaw === 1 ? random.pick(...game.accounts.filter((a) => !a.equals(of))) : of
  const inner = flaw === 2 ? random.pick(OP.charge, OP.grantRefund, OP.workerPayoutSigned) : op
  const query = flaw === 3 ? 7n : 6n
  const body = signed(op, 6n, excess, totalPayload(inner, query, tokens, target), key)
  const early = excess === 'none' ? 9 : flaw === 0 ? 1007 : inner !== op || query !== 6n ? 1005 : 0
  const envelope = { op, of, tokens, excess, body, early, foreign: !target.equals(of) }
  envelopes.push(envelope)
  return envelope
}
