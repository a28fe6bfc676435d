/** Waiting for the delay of a closing contract: by the chain's clock, which is what contracts go by. */
import { pause } from '../chain/index.ts'
import type { Money } from './money.ts'

export const timeText = (timeS: number): string => new Date(timeS * 1000).toISOString().replace('.000', '')

export async function isPast({ access, signal }: Money, timeS: number): Promise<boolean> {
  return (await access.masterchainInfo({ signal })).atMs / 1000 > timeS
}

/** Resolves when the delay is over, or when somebody else has closed the contract before. */
export async function untilUnlocked<T>(
  money: Money,
  now: { readonly contract: T; readonly unlockTs: number },
  read: () => Promise<T>,
  isClosing: (contract: T) => boolean,
): Promise<T> {
  const { unlockTs } = now
  if (!(await isPast(money, unlockTs)))
    money.err.line(money.err.style('dim', `… waiting until ${timeText(unlockTs)} for the delay of closing to end`))
  for (let contract = now.contract; ; contract = await read()) {
    if (!isClosing(contract) || (await isPast(money, unlockTs))) return contract
    await pause(money.deps.clock, money.network.pollMs[1], money.signal)
  }
}
