/** Amounts in answers: nanoTON to count with, TON and, where there is a rate, a currency to read. */
import { type Fiat, formatFiat } from '../gateway/index.ts'
import { formatTon } from '../util/index.ts'

/** The rate of this moment; undefined while there is none to trust. */
export type FiatNow = () => Fiat | undefined

/** `{NAME_nano, NAME_ton, NAME_fiat}`. Strings: a number of JSON would lose digits. */
export function moneyFields(name: string, nano: bigint, fiat: FiatNow | undefined): Record<string, string> {
  const rate = fiat?.()
  return {
    [`${name}_nano`]: String(nano),
    [`${name}_ton`]: formatTon(nano),
    ...(rate === undefined ? {} : { [`${name}_fiat`]: formatFiat(nano, rate) }),
  }
}
