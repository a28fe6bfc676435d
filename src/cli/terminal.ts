/** Writing for people: colours where there is a terminal that wants them, tables that line up, one place that says "done". */
import { styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

export interface Terminal {
  readonly isTTY: boolean
  readonly columns: number
  write(text: string): void
  line(text?: string): void
  style(style: Style, text: string): string
}

export function terminalOn(stream: NodeJS.WriteStream): Terminal {
  // Colour is decided by Node: it knows NO_COLOR, FORCE_COLOR and terminals without any.
  const style = (kind: Style, text: string): string => styleText(kind, text, { stream, validateStream: true })
  return {
    isTTY: stream.isTTY === true,
    columns: stream.columns ?? 100,
    write: (text) => void stream.write(text),
    line: (text = '') => void stream.write(`${text}\n`),
    style,
  }
}

/** Rows as columns of equal width; the first row is the head. */
export function table(t: Terminal, rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const render = (row: readonly string[]): string =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd()
  return rows.map((row, i) => (i === 0 ? t.style('dim', render(row)) : render(row))).join('\n')
}

/** Control characters of somebody else's text could move the cursor or forge lines. New lines and tabs stay. */
// oxlint-disable-next-line no-control-regex
export const printable = (text: string): string => text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '')
