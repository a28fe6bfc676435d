/** An account as one endpoint tells it, and whether two tell the same. */
import type { Address, Cell } from '@ton/core'
import { type Clock, CocoonError } from '../../util/index.ts'
import { pause } from '../pause.ts'
import type { AccountState } from '../reader.ts'
import { parseUntrustedCell } from '../untrusted-cell.ts'
import type { Endpoint } from './endpoint.ts'
import { AddressInformation } from './schemas.ts'

/** Endpoints are a few blocks apart; a block takes a few seconds at most. */
const CATCH_UP_ROUNDS = 5
const CATCH_UP_MS = 2_000

export function readAccount(endpoint: Endpoint, address: Address, signal?: AbortSignal): Promise<AccountState> {
  const before = endpoint.newest()
  const state = AddressInformation.transform((raw): AccountState => {
    if (raw.block_id.workchain !== -1)
      throw new CocoonError('chain.bad-answer', {
        endpoint: endpoint.name,
        message: `${endpoint.name} tells an account at a block that is not of the masterchain`,
      })
    const [seqno, atMs] = [raw.block_id.seqno, raw.sync_utime * 1000]
    endpoint.checkFresh({ seqno, atMs }, before)
    const isActive = raw.state === 'active'
    const cell = (base64: string, field: string): Cell | null =>
      isActive && base64 !== '' ? parseUntrustedCell(base64, `${endpoint.name}: ${field}`) : null
    return {
      address,
      status: isActive ? 'active' : raw.state === 'frozen' ? 'frozen' : 'uninitialized',
      balanceNano: raw.balance,
      code: cell(raw.code, 'code'),
      data: cell(raw.data, 'data'),
      lastLt: raw.last_transaction_id.lt,
      lastHash: raw.last_transaction_id.hash,
      seqno,
      atMs,
    }
  })
  return endpoint.call('getAddressInformation', { address: address.toRawString() }, state, signal)
}

/**
 * Both endpoints' reading of the account after the same transaction. The hash of the last transaction commits to the state
 * behind it, so equal hashes with different states are a lie, and so is an older state at a later block. The one that is
 * behind is asked again; throws `chain.stale` when it does not catch up, `chain.contradiction` when both cannot be true.
 */
export async function readAgreed(
  pair: readonly [Endpoint, Endpoint],
  address: Address,
  clock: Clock,
  signal?: AbortSignal,
): Promise<AccountState> {
  let [a, b] = await Promise.all([readAccount(pair[0], address, signal), readAccount(pair[1], address, signal)])
  for (let round = 0; ; round++) {
    const [old, young] = a.lastLt <= b.lastLt ? [a, b] : [b, a]
    if (old.lastLt === young.lastLt) {
      if (!isSame(a, b)) throw contradiction(pair, 'after the same transaction')
      return a.seqno <= b.seqno ? a : b
    }
    if (old.seqno > young.seqno) throw contradiction(pair, `at block ${old.seqno} and before`)
    if (round === CATCH_UP_ROUNDS)
      throw new CocoonError('chain.stale', {
        message: `${pair[0].name} and ${pair[1].name} do not come to the same state of an account`,
      })
    await pause(clock, CATCH_UP_MS, signal)
    if (old === a) a = await readAccount(pair[0], address, signal)
    else b = await readAccount(pair[1], address, signal)
  }
}

function contradiction(pair: readonly [Endpoint, Endpoint], when: string): CocoonError {
  const [first, second] = [pair[0].name, pair[1].name]
  return new CocoonError('chain.contradiction', {
    first,
    second,
    message: `${first} and ${second} tell different states of one account ${when}: one of them is wrong or follows another network`,
  })
}

function isSame(a: AccountState, b: AccountState): boolean {
  const same = (x: Cell | null, y: Cell | null): boolean => (x === null || y === null ? x === y : x.equals(y))
  return (
    a.lastHash === b.lastHash &&
    a.status === b.status &&
    a.balanceNano === b.balanceNano &&
    same(a.code, b.code) &&
    same(a.data, b.data)
  )
}
