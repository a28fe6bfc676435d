/** Text with Base64 blocks to bytes. Source: RFC 7468, strict form, several blocks. Browser-safe. */
import { toBase64 } from '../../util/index.ts'
import { x509Error } from './errors.ts'

/** A quote's chain has three certificates, a GPU's five; a list is a loop that a peer controls. */
export const MAX_PEM_BLOCKS = 16
/** Sixteen certificates of 4 kB in Base64. */
export const MAX_PEM_CHARACTERS = 96 * 1024

const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,32})-----([A-Za-z0-9+/=\r\n]*)-----END \1-----/y
const SPACE = /[ \t\r\n]*/y
/** Of what stands around a label, before a block's Base64 and behind it. */
const BEGIN_CHARACTERS = '-----BEGIN -----'.length
const END_CHARACTERS = '-----END -----'.length

/**
 * The DER of each block, in order. Every block has this label, at least one is there, nothing but white space stands
 * around them; one NUL may end the text, as it does in quotes. Throws `attestation.pem-malformed` with `at`, a character.
 */
export function readPem(text: string | Uint8Array, label = 'CERTIFICATE'): Uint8Array[] {
  if (text.length > MAX_PEM_CHARACTERS) throw x509Error('attestation.pem-malformed', { at: MAX_PEM_CHARACTERS })
  const whole = typeof text === 'string' ? text : new TextDecoder('latin1').decode(text)
  const pem = whole.endsWith('\0') ? whole.slice(0, -1) : whole
  const blocks: Uint8Array[] = []
  let at = skipSpace(pem, 0)
  while (at < pem.length || blocks.length === 0) {
    BLOCK.lastIndex = at
    const block = BLOCK.exec(pem)
    if (block === null || block[1] !== label || blocks.length === MAX_PEM_BLOCKS)
      throw x509Error('attestation.pem-malformed', { at })
    const end = at + block[0].length
    blocks.push(decode(pem, at + BEGIN_CHARACTERS + label.length, end - END_CHARACTERS - label.length, at))
    at = skipSpace(pem, end)
  }
  return blocks
}

/** One block. */
export function writePem(der: Uint8Array, label = 'CERTIFICATE'): string {
  const lines = toBase64(der).match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}

/**
 * Groups of four, padded, with nothing in the bits that padding leaves over: one text for each DER. Read where it stands, at
 * `[from, to)`: a text without its line ends would be as long again.
 */
function decode(text: string, from: number, to: number, at: number): Uint8Array {
  let end = to
  let padding = 0
  while (end > from && (isLineEnd(text.charCodeAt(end - 1)) || (padding < 2 && text.charCodeAt(end - 1) === EQUALS))) {
    if (text.charCodeAt(end - 1) === EQUALS) padding++
    end--
  }
  let digits = 0
  for (let i = from; i < end; i++) if (!isLineEnd(text.charCodeAt(i))) digits++
  const characters = digits + padding
  if (characters === 0 || characters % 4 !== 0) throw x509Error('attestation.pem-malformed', { at })
  const bytes = new Uint8Array((characters / 4) * 3 - padding)
  let bits = 0
  let held = 0
  let length = 0
  for (let i = from; i < end; i++) {
    const code = text.charCodeAt(i)
    if (isLineEnd(code)) continue
    const value = VALUES[code] as number
    if (value === NONE) throw x509Error('attestation.pem-malformed', { at })
    bits = ((bits << 6) | value) & 0xffff
    held += 6
    if (held >= 8) {
      held -= 8
      bytes[length++] = bits >> held
    }
  }
  if ((bits & ((1 << held) - 1)) !== 0) throw x509Error('attestation.pem-malformed', { at })
  return bytes
}

const EQUALS = 0x3d
const isLineEnd = (code: number): boolean => code === 0x0a || code === 0x0d

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const NONE = 64
/** The value of each ASCII digit; a table, since every quote brings three certificates. */
const VALUES = Uint8Array.from({ length: 128 }, (_, code) => {
  const value = DIGITS.indexOf(String.fromCharCode(code))
  return value === -1 ? NONE : value
})

function skipSpace(text: string, at: number): number {
  SPACE.lastIndex = at
  SPACE.exec(text)
  return SPACE.lastIndex
}
