/** Money of the local chain, which mints it for whoever asks. */
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
  const url = new URL(network.endpoints[0]?.url ?? '').origin
  const reply = await fetch(`${url}/devnet/faucet`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ address: to.toRawString(), amount: amountNano.toString() }),
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
  }).catch((cause: unknown) => {
    throw new CocoonError(
      'chain.unavailable',
      { message: `no devnet answers at ${url}: start \`cocoon devnet\`` },
      { cause },
    )
  })
  if (!reply.ok)
    throw new CocoonError('chain.refused', { message: `the faucet at ${url} refuses: ${await reply.text()}` })
  while ((await access.getAccount(to, { signal })).balanceNano <= before) {
    signal.throwIfAborted()
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}
