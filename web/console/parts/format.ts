/** Amounts, times and counts as people read them. */

const NANO_PER_TON = 1_000_000_000n
/** Below this an amount of TON is mostly zeros. */
const SMALL_NANO = 1_000_000n

/** `16 nanoTON`, `0.0025 TON`. @param nano decimal */
export function formatAmount(nano: string): string {
  const amount = BigInt(nano)
  if (amount < SMALL_NANO) return `${formatCount(nano)} nanoTON`
  const fraction = (amount % NANO_PER_TON).toString().padStart(9, '0').replace(/0+$/, '')
  return `${formatCount(String(amount / NANO_PER_TON))}${fraction === '' ? '' : `.${fraction}`} TON`
}

/** With the currency, where there is a rate: `0.0025 TON (0.007 USD)`. */
export const formatMoney = (nano: string, fiat: string | undefined): string =>
  fiat === undefined ? formatAmount(nano) : `${formatAmount(nano)} (${fiat})`

/** `1234567` → `1 234 567`, with narrow spaces that do not break. @param count decimal */
export const formatCount = (count: string | number): string => String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, '\u202F')

/** `85 ms`, `1.25 s`, `3 min 5 s`. */
export function formatMs(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(2)} s`
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1_000)} s`
}

const TIME: Intl.DateTimeFormatOptions = {
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
}

/** In the reader's own zone. @param iso UTC */
export const formatTime = (iso: string): string => new Date(iso).toLocaleString(undefined, TIME)

/** `2026-08-31`, in UTC as accounts are kept. */
export const formatDay = (iso: string): string => iso.slice(0, 10)

/** Both ends of a long address, by which people know it. */
export const shortAddress = (address: string): string =>
  address.length > 24 ? `${address.slice(0, 8)}…${address.slice(-6)}` : address

/** Enough of an id to tell it from others by eye. */
export const shortId = (id: string): string => (id.length > 12 ? `${id.slice(0, 8)}…` : id)
