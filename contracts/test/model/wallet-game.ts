/**
 * The wallet in a game of its own: orders of the key, right, flawed and repeated, with transfers that can and cannot be paid;
 * the owner's words; strangers; everything nodes are sent. Sequence number and status are the model's after every message, and
 * every nanoTON is somewhere.
 */
import type { Cell } from '@ton/core'
import { expect } from 'vitest'
import { head, OP, text } from '../support/messages.ts'
import { createWalletWorld, orderBody, sendMessage, transfer } from '../support/wallet.ts'
import { account, burnt, keyOf, NOW, type Outcome, STRANGER, TON, WALLET_KEY, WALLET_OWNER } from '../support/world.ts'
import { randomFrom } from './random.ts'

const FLOOR = TON / 20n
/** What importing an external message costs at most, taken before the wallet looks at its balance. */
const IMPORT = TON / 100n
const PEOPLE = [STRANGER, WALLET_OWNER, account(0x66)] as const

export async function playWallet(
  seed: number,
  steps: number,
): Promise<{ readonly accepted: number; readonly refused: number }> {
  const random = randomFrom(seed)
  const world = await createWalletWorld()
  const model = { seqno: 0, subwallet: 0, status: 0 }
  const tally = { accepted: 0, refused: 0 }
  const sent: Cell[] = []
  const total = async (): Promise<bigint> => {
    const balances = [world.wallet.address, ...PEOPLE].map(async (a) => (await world.chain.getContract(a)).balance)
    return (await Promise.all(balances)).reduce((a, b) => a + b, 0n)
  }
  let now = NOW

  for (let step = 0; step < steps; step++) {
    if (random.once(4)) now += random.pick(1, 60, 3_600)
    world.chain.now = now
    const before = await total()
    const injected = random.below(3) === 0 ? await internalTurn() : await externalTurn()
    const where = `seed ${seed}, step ${step}`
    expect(await world.state(), where).toEqual(model)
    expect(await total(), where).toBe(before + injected)
  }
  return tally

  /** What the message changed in the sum of all balances. */
  async function externalTurn(): Promise<bigint> {
    const flaw = random.below(12)
    const count = random.below(5)
    const messages = Array.from({ length: count }, () => {
      const mode = random.once(9) ? random.pick(4, 32, 64, 128, 160) : random.below(4)
      return [mode, transfer(random.pick(...PEOPLE), random.pick(1n, TON / 10n, TON, 50n * TON))] as const
    })
    const validUntil = now + random.pick(60, 60, 60, 0, -1)
    const isRepeated = sent.length > 0 && random.once(6)
    const body = isRepeated
      ? random.pick(...sent)
      : orderBody({
          seqno: flaw === 0 ? model.seqno + 1 : model.seqno,
          subwallet: flaw === 1 ? 7 : 0,
          validUntil,
          messages,
          key: flaw === 2 ? keyOf(9) : WALLET_KEY,
        })
    const held = await world.balance()
    const { outcome, refusal } = await world.external(body)
    if (isRepeated) {
      // Late, blocked, or out of sequence: which of them depends on when it was made, but never in again.
      expect([1030, 1031, 1032]).toContain(refusal)
      return refused(held)
    }
    const rules: readonly (readonly [boolean, number])[] = [
      [validUntil <= now, 1030],
      [(model.status & 1) === 1, 1031],
      [flaw === 0, 1032],
      [flaw === 1, 1033],
      [flaw === 2, 1034],
      [held < FLOOR, 1035],
      [messages.some(([mode]) => mode > 3), 1106],
    ]
    const expected = rules.find(([fails]) => fails)?.[1] ?? null
    // Between floor and floor with import the wallet may refuse.
    if (held >= FLOOR && held < FLOOR + IMPORT && refusal === 1035) return refused(held)
    expect(refusal).toBe(expected)
    if (outcome === null) return refused(held)
    sent.push(body)
    model.seqno++
    tally.accepted++
    return -burnt(outcome)
  }

  async function refused(held: bigint): Promise<bigint> {
    expect(await world.balance(), 'a refused order costs nothing').toBe(held)
    tally.refused++
    return 0n
  }

  async function internalTurn(): Promise<bigint> {
    const from = random.pick(WALLET_OWNER, WALLET_OWNER, STRANGER)
    const isOwner = from.equals(WALLET_OWNER)
    const value = random.pick(TON / 10n, TON, 5n * TON)
    const go = async (body: Cell | undefined, exit: number): Promise<bigint> => {
      const outcome: Outcome = await world.internal(from, value, body)
      expect(outcome.exit).toBe(exit)
      return value - burnt(outcome)
    }
    const owners = (done: () => void, otherwise = 0): number => {
      if (!isOwner) return 1040
      done()
      return otherwise
    }
    switch (random.below(8)) {
      case 0:
        return go(
          text('b'),
          owners(() => void (model.status |= 1)),
        )
      case 1:
      case 2:
        return go(
          text('u'),
          owners(() => void (model.status &= ~1)),
        )
      case 3:
        return go(
          text('x'),
          owners(() => undefined, 1041),
        )
      case 4:
        return go(
          sendMessage(random.below(4), transfer(random.pick(...PEOPLE), TON / 100n)),
          owners(() => undefined),
        )
      case 5:
        return random.once(4)
          ? go(
              text('w'),
              owners(() => undefined),
            )
          : go(undefined, 0)
      default:
        return go(head(random.pick(OP.excesses, OP.payout, OP.doNotProcess), 1n).endCell(), 0)
    }
  }
}
