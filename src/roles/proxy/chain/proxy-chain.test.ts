import { expect, test } from 'vitest'
import { addressAt as at, ROOT_PARAMS as params } from '../../../../test/support/root-params.ts'
import { type ChainAccess, signingKeyFromSeed, type WalletSender } from '../../../chain/index.ts'
import { createMemoryLedger } from '../../../ledger/index.ts'
import { manualClock, seededRandom, silentLog } from '../../../util/index.ts'
import { createProxyChain, PARAMS_FACT } from './proxy-chain.ts'
import { proxyChainOptions } from './terms.ts'

test('it is closed when what it was writing is in the ledger: whoever goes on with the ledger misses nothing', async () => {
  const ledger = createMemoryLedger({ pricePerToken: 20n })
  let write = (): void => undefined
  const disk = new Promise<void>((resolve) => (write = resolve))
  const chain = createProxyChain(
    {
      clock: manualClock(0),
      random: seededRandom(1),
      log: silentLog,
      ledger: {
        ...ledger,
        async remember(facts) {
          await disk
          await ledger.remember(facts)
        },
      },
      access: {
        async zeroState(options: { signal: AbortSignal }) {
          throw options.signal.reason
        },
      } as unknown as ChainAccess,
      wallet: { address: at(9) } as unknown as WalletSender,
      key: signingKeyFromSeed(new Uint8Array(32).fill(3)),
      owner: at(7),
      root: at(8),
      params,
      contract: at(1),
    },
    proxyChainOptions.parse({}),
  )
  const opened = chain.open(new AbortController().signal)
  const closed = chain.close().then(() => ledger.fact(PARAMS_FACT))
  write()
  await expect(opened).rejects.toMatchObject({ code: 'chain.closed' })
  expect(await closed).toBeDefined()
})
