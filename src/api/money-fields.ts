/** Amounts in answers: nanoTON to count with, TON and, where there is a rate, a currency to read. */
import { type Fiat, formatFiat } from '../gateway/index.ts'
import { formatTon } from '../util/index.ts'

/** `{NAME_nano, NAME_ton, NAME_fiat}`. Strings: a number of JSON would lose digits. */
export function moneyFields(name: string, nano: bigint, fiat: Fiat | undefined): Record<string, string> {
  return {
    [`${name}_nano`]: String(nano),
    [`${name}_ton`]: formatTon(nano),
    ...(fiat === undefined ? {} : { [`${name}_fiat`]: formatFiat(nano, fiat) }),
  }
}
