/** Account addresses as text. Source: spec/wire.md, "Addresses". */
import { Address } from '@ton/core'
import { CocoonError } from '../util/index.ts'

export { Address }

/** Any friendly or raw form; throws `chain.address` naming `field`. Compare results by workchain and hash only. */
export function parseAddress(text: string, field: string): Address {
  try {
    return Address.parse(text)
  } catch (cause) {
    throw new CocoonError('chain.address', { field, message: `${field} is not a TON account address` }, { cause })
  }
}

/** The form peers compare with: url-safe, non-bounceable, testnet bit as the network says. */
export function formatAddress(address: Address, isTestnet: boolean): string {
  return address.toString({ bounceable: false, testOnly: isTestnet, urlSafe: true })
}
