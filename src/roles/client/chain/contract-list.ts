/**
 * Which contracts a client has money in, on the disk: whoever starts again after the network has moved on must find the old ones.
 * Nothing in it is secret, and what is lost can be found again by whoever knows the proxy's key.
 */
import { existsSync, readFileSync } from 'node:fs'
import { z } from 'zod'
import {
  Address,
  clientContractAddress,
  decodeParams,
  encodeParams,
  formatAddress,
  type RootParams,
} from '../../../chain/index.ts'
import { writeWhole } from '../../../disk/index.ts'
import { CocoonError, fromHex, toHex } from '../../../util/index.ts'
import type { ProxyParties } from './client-chain.ts'

export interface KnownContract {
  readonly proxy: ProxyParties
  /** Those that it was made with. */
  readonly params: RootParams
}

export interface ContractList {
  all(): readonly KnownContract[]
  /** Throws what the disk throws; it is known all the same, and written by the next `save`. */
  add(contract: KnownContract): void
  /** It is closed, and empty. Throws as `add`. */
  remove(ownContract: Address): void
  /** Writes what could not be written before. Throws as `add`. */
  save(): void
}

const raw = z.string().regex(/^-?\d+:[0-9a-f]{64}$/)
const File = z.strictObject({
  contracts: z.array(z.strictObject({ proxy: raw, publicKey: z.string(), contract: raw, params: z.string() })),
})

/**
 * Throws `config.contract-list` for a file that is none, and `config.other-wallet` where it names contracts that another wallet
 * than this one owns: a key that was restored wrongly would leave their money behind, and deposit anew.
 */
export function openContractList(path: string, wallet: Address): ContractList {
  const known = new Map<string, KnownContract>()
  if (existsSync(path))
    try {
      for (const c of File.parse(JSON.parse(readFileSync(path, 'utf8'))).contracts)
        known.set(c.contract, {
          proxy: {
            contract: Address.parse(c.proxy),
            ownContract: Address.parse(c.contract),
            publicKey: fromHex(c.publicKey),
          },
          params: decodeParams(c.params),
        })
    } catch (cause) {
      throw new CocoonError(
        'config.contract-list',
        { message: `${path} is not a list of contracts: restore it, or move it away if no money is in old contracts` },
        { cause },
      )
    }
  const foreign = [...known.values()].find(({ proxy, params }) => {
    const who = { owner: wallet, proxy: proxy.contract, proxyPublicKey: proxy.publicKey }
    return !clientContractAddress(params, who).equals(proxy.ownContract)
  })
  if (foreign !== undefined)
    throw new CocoonError('config.other-wallet', {
      message: `${path} names the contract ${formatAddress(foreign.proxy.ownContract, foreign.params.isTest)}, which belongs to another wallet than ${formatAddress(wallet, foreign.params.isTest)}: the client’s key (keys/client.key) or its owner has changed. Bring the former ones back, or close the contract with them (\`cocoon account close\`); to give its money up, move the file away`,
    })
  let isUnsaved = false
  const write = (): void => {
    isUnsaved = true
    const contracts = [...known.values()].map(({ proxy, params }) => ({
      proxy: proxy.contract.toRawString(),
      publicKey: toHex(proxy.publicKey),
      contract: proxy.ownContract.toRawString(),
      params: encodeParams(params),
    }))
    writeWhole(path, `${JSON.stringify({ contracts }, null, 2)}\n`, 0o600)
    isUnsaved = false
  }
  return {
    all: () => [...known.values()],
    add(contract) {
      const key = contract.proxy.ownContract.toRawString()
      if (known.has(key)) return
      known.set(key, contract)
      write()
    },
    remove(ownContract) {
      if (known.delete(ownContract.toRawString())) write()
    },
    save() {
      if (isUnsaved) write()
    },
  }
}
