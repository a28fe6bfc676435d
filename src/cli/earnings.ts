/** `cocoon earnings`: what a worker was paid and is owed, proxy by proxy. */
import { type Address, workerContractAddress, workerState } from '../chain/index.ts'
import { CocoonError, formatTon } from '../util/index.ts'
import { readProxy } from './account/read.ts'
import { addressOf, addressText, link, type Money, ownerAddressOf, show } from './money.ts'
import { accountsOfNode, type NodeAccount } from './node-accounts.ts'
import { table } from './terminal.ts'

interface Earning {
  readonly proxyContract: string
  readonly contract: string
  readonly state: string
  readonly paidTokens: bigint
  readonly paidNano: bigint
  /** What the running worker counts beyond; null where none runs. */
  readonly owedTokens: bigint | null
  readonly owedNano: bigint | null
  /** Of it, what the proxy has signed: it can be cashed without the proxy. */
  readonly signedTokens: bigint | null
  readonly signedNano: bigint | null
  /** Whether the proxy contract's parameters are the network's present ones. */
  readonly isCurrent: boolean
  readonly url: string
}

export async function showEarnings(money: Money, flags: { readonly proxy?: string }): Promise<number> {
  const { config, network } = money
  const owner = await ownerAddressOf(config, 'worker', network.isTest)
  if (owner === null)
    throw new CocoonError('config.owner', {
      message: 'no owner of the worker is known: set worker.ownerAddress to the wallet that is paid',
    })
  const known = await accountsOfNode(config, 'worker')
  const proxies =
    flags.proxy === undefined
      ? known.map((one) => addressOf(money, one.proxyContract, 'proxyContract'))
      : [addressOf(money, flags.proxy, '--proxy')]
  if (proxies.length === 0)
    throw new CocoonError('config.proxy', {
      message: 'no worker runs here that knows a proxy: start it, or give the proxy’s contract with --proxy',
    })
  const earnings: Earning[] = []
  for (const proxy of proxies) {
    const running = known.find((one) => addressOf(money, one.proxyContract, 'proxyContract').equals(proxy))
    earnings.push(await earningOf(money, proxy, owner, running ?? null))
  }
  const sum = (of: (e: Earning) => bigint | null): bigint => earnings.reduce((all, e) => all + (of(e) ?? 0n), 0n)
  const total = {
    paidNano: sum((e) => e.paidNano),
    owedNano: sum((e) => e.owedNano),
    signedNano: sum((e) => e.signedNano),
  }
  show(money, { network: network.name, owner: addressText(money, owner), ...total, proxies: earnings }, () => [
    `paid out ${formatTon(total.paidNano)} TON to ${addressText(money, owner)}${known.length === 0 ? '' : `, owed ${formatTon(total.owedNano)} TON, of it signed ${formatTon(total.signedNano)} TON`}`,
    table(money.out, [
      ['proxy', 'paid out', 'owed', 'signed', 'contract'],
      ...earnings.map((e) => [
        `${e.proxyContract}${e.isCurrent ? '' : ' (former)'}`,
        `${formatTon(e.paidNano)} TON`,
        e.owedNano === null ? 'the worker does not run' : `${formatTon(e.owedNano)} TON`,
        e.signedNano === null ? '' : `${formatTon(e.signedNano)} TON`,
        e.state,
      ]),
    ]),
    ...earnings.map((e) => money.out.style('dim', e.url)),
  ])
  return 0
}

async function earningOf(
  money: Money,
  proxyAddress: Address,
  owner: Address,
  running: NodeAccount | null,
): Promise<Earning> {
  const proxy = await readProxy(money, proxyAddress)
  const { workerFeePerToken: fee } = proxy.params
  const parties = { owner, proxy: proxyAddress, proxyPublicKey: proxy.state.publicKey }
  const address = workerContractAddress(proxy.params, parties)
  const { status, data } = await money.access.getAccount(address, { confirmed: true, signal: money.signal })
  const state = status === 'active' && data !== null ? workerState.loadPrefix(data) : null
  const paidTokens = state?.tokens ?? 0n
  const beyond = (tokens: bigint): bigint => (tokens > paidTokens ? tokens - paidTokens : 0n)
  const owedTokens = running === null ? null : beyond(running.tokens)
  const signedTokens = running === null ? null : beyond(running.signedTokens)
  return {
    proxyContract: addressText(money, proxyAddress),
    contract: addressText(money, address),
    state: state === null ? 'not opened: nothing was paid yet' : state.state,
    paidTokens,
    paidNano: paidTokens * fee,
    owedTokens,
    owedNano: owedTokens === null ? null : owedTokens * fee,
    signedTokens,
    signedNano: signedTokens === null ? null : signedTokens * fee,
    isCurrent: proxy.isCurrent,
    url: link(money, address),
  }
}
