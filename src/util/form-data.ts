/**
 * Forms as `multipart/form-data` carries them: what transcriptions are asked for with. Read strictly, since the next reader of
 * the same bytes must see the same parts. Browser-safe. Source: RFC 7578 and RFC 2046, 5.1.
 */
import { concatBytes, utf8 } from './bytes.ts'
import { CocoonError } from './errors.ts'

export interface FormPart {
  readonly name: string
  readonly fileName?: string | undefined
  readonly contentType?: string | undefined
  readonly value: Uint8Array
}

export interface Form {
  readonly boundary: string
  readonly parts: readonly FormPart[]
}

/** More than any API of today has fields. */
export const MAX_PARTS = 64
/** A name and a type. */
export const MAX_PART_HEADER_BYTES = 2048

/** What needs no quotes in a header; every library makes its boundaries of these. */
const BOUNDARY = /^[\w.+-]{1,70}$/
const DISPOSITION = /^content-disposition:[ \t]*form-data((?:;[ \t]*[a-z*]+=(?:"[^"\r\n]*"|[^;"\s]+))+)[ \t]*$/i

const bad = (message: string) => new CocoonError('request.bad-form', { message })

/** Throws `request.bad-form` for anything but complete parts with names. */
export function parseForm(body: Uint8Array, contentType: string): Form {
  const boundary = boundaryOf(contentType)
  const delimiter = utf8(`\r\n--${boundary}`)
  const parts: FormPart[] = []
  // The first delimiter has no line in front of it.
  let at = delimiter.length - 2
  if (!startsWith(body, 0, delimiter.subarray(2))) throw bad('it does not begin with its boundary.')
  for (;;) {
    if (startsWith(body, at, DASHES)) return { boundary, parts }
    if (!startsWith(body, at, CRLF)) throw bad('something stands behind a boundary.')
    if (parts.length === MAX_PARTS) throw bad(`it has more than ${MAX_PARTS} parts.`)
    const end = indexOf(body, delimiter, at)
    if (end < 0) throw bad('it ends before its last boundary.')
    parts.push(parsePart(body.subarray(at + 2, end)))
    at = end + delimiter.length
  }
}

/** Throws `request.bad-form`. */
export function boundaryOf(contentType: string): string {
  const boundary = /^multipart\/form-data[ \t]*;/i.test(contentType) ? parameter(contentType, 'boundary') : undefined
  if (boundary === undefined || !BOUNDARY.test(boundary))
    throw bad('its content-type must be multipart/form-data with a boundary.')
  return boundary
}

/** The same form again; a boundary that occurs in a value is the caller's mistake. */
export function writeForm({ boundary, parts }: Form): Uint8Array {
  const pieces = parts.flatMap(({ name, fileName, contentType, value }) => [
    utf8(
      `--${boundary}\r\nContent-Disposition: form-data; name="${name}"` +
        `${fileName === undefined ? '' : `; filename="${fileName}"`}` +
        `${contentType === undefined ? '' : `\r\nContent-Type: ${contentType}`}\r\n\r\n`,
    ),
    value,
    CRLF,
  ])
  return concatBytes(...pieces, utf8(`--${boundary}--\r\n`))
}

const CRLF = utf8('\r\n')
const DASHES = utf8('--')
const END_OF_HEADERS = utf8('\r\n\r\n')

function parsePart(bytes: Uint8Array): FormPart {
  const end = indexOf(bytes, END_OF_HEADERS, 0)
  if (end < 0 || end > MAX_PART_HEADER_BYTES) throw bad('a part has no headers, or too long ones.')
  return { ...parsePartHead(bytes.subarray(0, end)), value: bytes.subarray(end + END_OF_HEADERS.length) }
}

/** @param bytes headers of a part, without the empty line after them. Throws `request.bad-form` */
export function parsePartHead(bytes: Uint8Array): Omit<FormPart, 'value'> {
  const lines = new TextDecoder().decode(bytes).split('\r\n')
  const disposition = lines.map((line) => DISPOSITION.exec(line)?.[1]).find((found) => found !== undefined)
  const name = disposition === undefined ? undefined : parameter(disposition, 'name')
  if (disposition === undefined || name === undefined || name === '') throw bad('a part has no name.')
  const fileName = parameter(disposition, 'filename')
  const contentType = lines.map((line) => /^content-type:[ \t]*([\x21-\x7e][\x20-\x7e]{0,255})$/i.exec(line)?.[1])
  return {
    name,
    ...(fileName !== undefined && { fileName }),
    ...withType(contentType.find((found) => found !== undefined)),
  }
}

const withType = (contentType: string | undefined) => (contentType === undefined ? {} : { contentType })

function parameter(header: string, wanted: string): string | undefined {
  const found = new RegExp(`;[ \\t]*${wanted}=(?:"([^"]*)"|([^;"\\s]+))`, 'i').exec(header)
  return found?.[1] ?? found?.[2]
}

const startsWith = (bytes: Uint8Array, at: number, wanted: Uint8Array): boolean =>
  bytes.length >= at + wanted.length && wanted.every((byte, i) => bytes[at + i] === byte)

export function indexOf(bytes: Uint8Array, wanted: Uint8Array, from: number): number {
  const first = wanted[0] as number
  for (let at = bytes.indexOf(first, from); at >= 0; at = bytes.indexOf(first, at + 1))
    if (startsWith(bytes, at, wanted)) return at
  return -1
}
