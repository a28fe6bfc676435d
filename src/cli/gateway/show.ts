/** Answers of `/admin` as tables for people. */
import { formatTon } from '../../util/index.ts'
import { printable, table, type Terminal } from '../terminal.ts'

export type Row = Record<string, unknown>

/** Head of a column, and what stands in it. */
export type Column = readonly [head: string, cell: (row: Row) => unknown]

export const rowsOf = (answer: Record<string, unknown>): readonly Row[] => (answer['data'] ?? []) as Row[]

export function showRows(t: Terminal, rows: readonly Row[], columns: readonly Column[], none: string): void {
  if (rows.length === 0) return t.line(none)
  const cells = rows.map((row) => columns.map(([, cell]) => printable(textOf(cell(row)))))
  t.line(table(t, [columns.map(([head]) => head), ...cells]))
}

const textOf = (value: unknown): string =>
  value === null || value === undefined ? '' : Array.isArray(value) ? value.join(' ') : String(value)

/** `0.0001 TON`, with the currency behind it where the client knows one. */
export function amount(row: Row, name: string): string {
  const fiat = row[`${name}_fiat`]
  const ton = `${formatTon(BigInt(String(row[`${name}_nano`] ?? 0)))} TON`
  return fiat === undefined ? ton : `${ton} (${textOf(fiat)})`
}

/** `2026-08-31 12:00`. */
export const minute = (value: unknown): string =>
  typeof value === 'string' ? value.slice(0, 16).replace('T', ' ') : ''
