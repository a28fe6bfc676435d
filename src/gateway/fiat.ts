/** What amounts are worth in a currency, for people to read. Accounts never use it. */
import { NANO_PER_TON } from '../util/index.ts'

export interface Fiat {
  readonly currency: string
  /** Decimal number. */
  readonly perTon: string
}

const RATE_DIGITS = 6
/** Prices of single requests are far below a cent. */
const SHOWN_DIGITS = 6

/** `0.001234 USD`, rounded down to six digits. */
export function formatFiat(nano: bigint, { currency, perTon }: Fiat): string {
  const [whole = '0', fraction = ''] = perTon.split('.')
  const rate = BigInt(whole + fraction.padEnd(RATE_DIGITS, '0'))
  const millionths = (nano * rate) / NANO_PER_TON
  const digits = String(millionths).padStart(SHOWN_DIGITS + 1, '0')
  return `${digits.slice(0, -SHOWN_DIGITS)}.${digits.slice(-SHOWN_DIGITS)} ${currency}`
}
