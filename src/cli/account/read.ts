/**
 * What a client has with a proxy, from the chain alone: the proxy contract says key, owner and parameters, its address proves
 * them, and the client contract's address follows.
 */
import {
  type Address,
  clientContractAddress,
  clientState,
  type ClientState,
  clientStateInit,
  codeCell,
  loadParams,
  proxyContractAddress,
  proxyState,
  type ProxyState,
  type RootParams,
  type StateInit,
} from '../../chain/index.ts'
import { CocoonError } from '../../util/index.ts'
import { addressText, type Money, rootOf } from '../money.ts'

export interface ProxyOnChain {
  readonly address: Address
  readonly state: ProxyState
  /** As this contract has them. */
  readonly params: RootParams
  /** Whether they are the root's present ones: otherwise the contract is being left, or belongs to another network. */
  readonly isCurrent: boolean
  /** What lies on the contract: earnings, stake, rent, and the pot that workers are paid from. */
  readonly heldNano: bigint
}

export interface ClientAccount {
  readonly proxy: ProxyOnChain
  readonly address: Address
  /** Null where nothing was paid in yet. */
  readonly state: ClientState | null
  /** What lies on the contract, balance and rent. */
  readonly heldNano: bigint
  readonly init: StateInit
}

/** Throws `chain.no-proxy` where there is no proxy contract of this network. */
export async function readProxy(money: Money, address: Address): Promise<ProxyOnChain> {
  const { access, signal } = money
  const [{ address: root, state: now }, account] = await Promise.all([
    rootOf(money),
    access.getAccount(address, { confirmed: true, signal }),
  ])
  const refuse = (why: string): CocoonError =>
    new CocoonError('chain.no-proxy', {
      message: `${addressText(money, address)} ${why}: take the address from \`cocoon status\` of a running client, or from the proxy's operator`,
    })
  if (account.status !== 'active' || account.code === null || account.data === null) throw refuse('is no contract')
  const state = readState(account.data, () => refuse('is no proxy contract'))
  if (!state.root.equals(root)) throw refuse(`belongs to the network of the root ${addressText(money, state.root)}`)
  const stored = loadParams(state.params)
  const { worker, client } = stored.codes
  if (worker === null || client === null) throw refuse('names no code of its clients')
  const codes = { proxy: codeCell(account.code), worker: codeCell(worker), client: codeCell(client) }
  const params = { ...stored, codes }
  // Whoever made the account chose code and first data; only what the address commits to is a fact.
  if (!proxyContractAddress(params, { ...state, root }).equals(address))
    throw refuse('is not the contract it says it is')
  const isCurrent = proxyContractAddress(now.params, { ...state, root }).equals(address)
  return { address, state, params, isCurrent, heldNano: account.balanceNano }
}

function readState(data: Parameters<typeof proxyState.loadPrefix>[0], refuse: () => CocoonError): ProxyState {
  try {
    return proxyState.loadPrefix(data)
  } catch {
    throw refuse()
  }
}

/** @param owner the client's wallet */
export async function readClientAccount(money: Money, proxy: ProxyOnChain, owner: Address): Promise<ClientAccount> {
  const parties = { owner, proxy: proxy.address, proxyPublicKey: proxy.state.publicKey }
  const address = clientContractAddress(proxy.params, parties)
  const account = await money.access.getAccount(address, { confirmed: true, signal: money.signal })
  return {
    proxy,
    address,
    state: account.status === 'active' && account.data !== null ? clientState.loadPrefix(account.data) : null,
    heldNano: account.balanceNano,
    init: clientStateInit(proxy.params, parties),
  }
}
