/** After the first answer: the payment as it goes on chain, told by the nodes themselves. */
import { transactionUrl } from '../../chain/index.ts'
import { formatTon } from '../../util/index.ts'
import type { Config } from '../schema.ts'
import type { Terminal } from '../terminal.ts'
import type { UpChain } from './chain.ts'

interface Settlement {
  readonly do: string
  readonly tokens: string | null
  readonly transaction: string | null
  readonly state: string
}

interface ProxyView {
  readonly contract: string
  readonly registry: { readonly pricePerTokenNano: string; readonly workerFeePerTokenNano: string }
  readonly chain: {
    readonly wallet: string
    readonly balanceNano: string
    readonly settlements: readonly Settlement[]
  } | null
}

interface AccountView {
  readonly contract: string
  readonly signedTokens: string
  readonly onChain: { readonly balanceNano?: string; readonly chargedTokens?: string; readonly paid?: string } | null
}

const PATIENCE_MS = 90_000
const LOOK_MS = 400
const STEPS = [
  ['checkpoint', 'the totals are put on record'],
  ['charge', 'the client is charged'],
  ['pay', 'the worker is paid'],
] as const

/** Resolves when charge and payout have landed, or with a sentence when that takes too long. Shows each as it comes. */
export async function showPayment(config: Config, chain: UpChain, t: Terminal, signal: AbortSignal): Promise<boolean> {
  const proxyUrl = urlOf(config.proxy.http)
  const deadline = Date.now() + PATIENCE_MS
  t.line(`\n${t.style('bold', 'The payment')} ${t.style('dim', '(on the local chain; a few blocks each)')}`)
  const shown = new Set<string>()
  for (;;) {
    signal.throwIfAborted()
    const proxy = (await status(proxyUrl)) as ProxyView | null
    for (const [what, sentence] of STEPS) {
      const settlement = proxy?.chain?.settlements.find((s) => s.do === what && hasLanded(s))
      if (settlement === undefined || shown.has(what)) continue
      shown.add(what)
      const tokens = settlement.tokens === null ? '' : ` ${settlement.tokens} tokens in total`
      t.line(`${t.style('green', '✓')} ${sentence}${tokens}`)
      t.line(t.style('dim', `  ${transactionUrl(chain.money.network, settlement.transaction ?? '')}`))
    }
    if (STEPS.every(([what]) => shown.has(what)) && proxy !== null) {
      await showContracts(config, proxy, t)
      return true
    }
    if (Date.now() > deadline) {
      t.line(t.style('yellow', '! the payment is still under way; `npx cocoon status --json` shows it'))
      return false
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}

const hasLanded = ({ do: what, state, transaction }: Settlement): boolean =>
  transaction !== null && (state === 'done' || (what === 'checkpoint' && state === 'sent'))

async function showContracts(config: Config, proxy: ProxyView, t: Terminal): Promise<void> {
  const [client, worker] = await Promise.all([
    accountOf(config.client.http, (a) => isShown(a, a.onChain?.chargedTokens)),
    accountOf(config.worker.http, (a) => isShown(a, a.onChain?.paid)),
  ])
  const price = BigInt(proxy.registry.pricePerTokenNano)
  const fee = BigInt(proxy.registry.workerFeePerTokenNano)
  const rows = [
    ['proxy contract', proxy.contract, `earned ${ton(proxy.chain?.balanceNano)}`],
    [
      'client contract',
      client?.contract,
      `charged ${ton(client?.onChain?.chargedTokens, price)}, holds ${ton(client?.onChain?.balanceNano)}`,
    ],
    ['worker contract', worker?.contract, `paid ${ton(worker?.onChain?.paid, fee)}`],
  ]
  for (const [name, address, what] of rows)
    if (address !== undefined) t.line(t.style('dim', `  ${name?.padEnd(16)} ${address}  ${what}`))
  t.line(
    t.style(
      'dim',
      `  signed           charge of ${client?.signedTokens ?? '0'} tokens, payout of ${worker?.signedTokens ?? '0'} tokens (totals; Ed25519, checked by both receivers)`,
    ),
  )
}

/** The node has heard of the signature, and has seen it at work. */
const isShown = ({ signedTokens }: AccountView, settled: string | undefined): boolean =>
  settled !== undefined && BigInt(settled) > 0n && BigInt(signedTokens) >= BigInt(settled)

const ton = (amount: string | undefined, each = 1n): string =>
  amount === undefined ? '?' : `${formatTon(BigInt(amount) * each)} TON`

/** Nodes read their contracts now and again: a moment later they know. */
async function accountOf(
  http: { readonly host: string; readonly port: number },
  isKnown: (account: AccountView) => boolean,
): Promise<AccountView | undefined> {
  for (let i = 0; ; i++) {
    const view = (await status(urlOf(http))) as { readonly accounts?: readonly AccountView[] } | null
    const account = view?.accounts?.[0]
    if (account === undefined || isKnown(account) || i > 20) return account
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}

const urlOf = ({ host, port }: { readonly host: string; readonly port: number }): string => `http://${host}:${port}`

async function status(url: string): Promise<unknown> {
  try {
    return await (await fetch(`${url}/status`, { signal: AbortSignal.timeout(5_000) })).json()
  } catch {
    return null
  }
}
