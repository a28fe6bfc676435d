/** One JSON value a line, each behind the CRC of its text: what a dying process leaves behind is told from what is whole. */
import { crc32 } from 'node:zlib'

/** `1c291ca3 {"is":…}\n` */
export function encodeLine(value: unknown): string {
  const text = JSON.stringify(value)
  return `${crcOf(text)} ${text}\n`
}

/** The value, or undefined when the line (without its end) is damaged. */
export function decodeLine(line: string): unknown {
  const text = line.slice(9)
  if (line[8] !== ' ' || line.slice(0, 8) !== crcOf(text)) return undefined
  return JSON.parse(text) as unknown
}

const crcOf = (text: string): string => crc32(text).toString(16).padStart(8, '0')
