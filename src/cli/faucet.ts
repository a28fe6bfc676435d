/** What only the local chain has: money for whoever asks, and an id that tells it from others of its kind. */
import type { Address, ChainAccess, ChainNetwork } from '../chain/index.ts'
import { CocoonError } from '../util/index.ts'

const TIMEOUT_MS = 10_000
const LOOK_MS = 200

/** Resolves when the money has arrived. Throws `config.network` on a chain where money is money, `chain.unavailable`. */
export async function askFaucet(
  network: ChainNetwork,
  access: ChainAccess,
  to: Address,
  amountNano: bigint,
  signal: AbortSignal = AbortSignal.timeout(60_000),
): Promise<void> {
  if (network.name !== 'devnet')
    throw new CocoonError('config.network', {
      message: `nobody mints money on ${network.name}: send it from another wallet${network.isTest ? ', or ask @testgiver_ton_bot in Telegram' : ''}`,
    })
  const { balanceNano: before } = await access.getAccount(to, { signal })
  const url = originOf(network)
  const reply = await ask(network, '/devnet/faucet', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ address: to.toRawString(), amount: amountNano.toString() }),
  })
  if (!reply.ok)
    throw new CocoonError('chain.refused', { message: `the faucet at ${url} refuses: ${await reply.text()}` })
  while ((await access.getAccount(to, { signal })).balanceNano <= before) {
    signal.throwIfAborted()
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}

/** Which of all the local chains it is. Throws `chain.unavailable`, and `chain.bad-answer` for what is no devnet of ours. */
export async function devnetId(network: ChainNetwork): Promise<string> {
  const reply = await ask(network, '/devnet/status')
  const { result } = (await reply.json().catch(() => ({}))) as { readonly result?: { readonly id?: unknown } }
  if (typeof result?.id === 'string' && /^[0-9a-f]{16}$/.test(result.id)) return result.id
  throw new CocoonError('chain.bad-answer', {
    message: `${originOf(network)} is no devnet of this program: for another chain choose --network testnet or mainnet`,
  })
}

const originOf = ({ endpoints }: ChainNetwork): string => new URL(endpoints[0]?.url ?? '').origin

async function ask(network: ChainNetwork, path: string, init: RequestInit = {}): Promise<Response> {
  const origin = originOf(network)
  try {
    return await fetch(origin + path, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) })
  } catch (cause) {
    throw new CocoonError(
      'chain.unavailable',
      { message: `no devnet answers at ${origin}: start \`cocoon devnet\`` },
      { cause },
    )
  }
}
