/** Amounts of TON. All money is `bigint` nanoTON; floating point never touches it. */
export const NANO_PER_TON = 1_000_000_000n

/** `1234500000n` → `1.2345` (no unit, no trailing zeros). */
export function formatTon(nano: bigint): string {
  const sign = nano < 0n ? '-' : ''
  const abs = nano < 0n ? -nano : nano
  const fraction = (abs % NANO_PER_TON).toString().padStart(9, '0').replace(/0+$/, '')
  return `${sign}${abs / NANO_PER_TON}${fraction === '' ? '' : `.${fraction}`}`
}

/** Of an amount of TON as people write it in a configuration; exact to nine digits. */
export const nanoOf = (ton: number): bigint => BigInt(Math.round(ton * Number(NANO_PER_TON)))

/** `1.5` → `1500000000n`; null unless it is an amount of TON with at most nine digits behind the point. */
export function parseTon(text: string): bigint | null {
  const match = /^(\d{1,10})(?:\.(\d{1,9}))?$/.exec(text.trim())
  if (match === null) return null
  return BigInt(match[1] as string) * NANO_PER_TON + BigInt((match[2] ?? '').padEnd(9, '0'))
}
