/**
 * Which contracts a client has money in, on the disk: whoever starts again after the network has moved on must find the old ones.
 * Nothing in it is secret, and what is lost can be found again by whoever knows the proxy's key.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { z } from 'zod'
import { Address, decodeParams, encodeParams, type RootParams } from '../../../chain/index.ts'
import { CocoonError, fromHex, toHex } from '../../../util/index.ts'
import type { ProxyParties } from './client-chain.ts'

export interface KnownContract {
  readonly proxy: ProxyParties
  /** Those that it was made with. */
  readonly params: RootParams
}

export interface ContractList {
  all(): readonly KnownContract[]
  /** Throws what the disk throws. */
  add(contract: KnownContract): void
  /** It is closed, and empty. */
  remove(ownContract: Address): void
}

const raw = z.string().regex(/^-?\d+:[0-9a-f]{64}$/)
const File = z.strictObject({
  contracts: z.array(z.strictObject({ proxy: raw, publicKey: z.string(), contract: raw, params: z.string() })),
})

/** Throws `config.contract-list` for a file that is none. */
export function openContractList(path: string): ContractList {
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
  const write = (): void => {
    const contracts = [...known.values()].map(({ proxy, params }) => ({
      proxy: proxy.contract.toRawString(),
      publicKey: toHex(proxy.publicKey),
      contract: proxy.ownContract.toRawString(),
      params: encodeParams(params),
    }))
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    writeFileSync(`${path}.new`, `${JSON.stringify({ contracts }, null, 2)}\n`, { mode: 0o600 })
    renameSync(`${path}.new`, path)
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
  }
}
