/** Code and first data of the contracts that nodes deploy. Addresses follow from them (addresses.ts computes the same from digests). */
import type { Address, Cell } from '@ton/core'
import { clientState } from './client.ts'
import type { PeerParties } from './addresses.ts'
import { codeOf, reducedParams, type RootParams } from './params.ts'
import { proxyState } from './proxy.ts'
import { workerState } from './worker.ts'

/** As a message carries it to an account that has no code yet. */
export interface StateInit {
  readonly code: Cell
  readonly data: Cell
}

/** This and the next two throw `chain.code-unknown` where the registry names code by its hash only. */
export function proxyStateInit(
  params: RootParams,
  who: { readonly owner: Address; readonly publicKey: Uint8Array; readonly root: Address },
): StateInit {
  const zero = { state: 'normal', balance: 0n, stake: 0n, unlockTs: 0 } as const
  const data = proxyState.storeCell({ ...zero, ...who, params: reducedParams(params, 'proxy') })
  return { code: codeOf(params.codes.proxy, 'proxy'), data }
}

export function clientStateInit(params: RootParams, who: PeerParties): StateInit {
  const data = clientState.storeCell({
    state: 'normal',
    balance: 0n,
    stake: params.minClientStakeNano,
    tokensUsed: 0n,
    unlockTs: 0,
    secretHash: new Uint8Array(32),
    parties: who,
    params: reducedParams(params, 'peer'),
  })
  return { code: codeOf(params.codes.client, 'client'), data }
}

export function workerStateInit(params: RootParams, who: PeerParties): StateInit {
  const data = workerState.storeCell({ ...who, state: 'normal', tokens: 0n, params: reducedParams(params, 'peer') })
  return { code: codeOf(params.codes.worker, 'worker'), data }
}
