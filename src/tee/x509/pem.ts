/** Text with Base64 blocks to bytes. Source: RFC 7468, strict form, several blocks. Browser-safe. */
import { toBase64 } from '../../util/index.ts'
import { x509Error } from './errors.ts'

/** A quote's chain has three certificates, a GPU's five; a list is a loop that a peer controls. */
export const MAX_PEM_BLOCKS = 16
/** Sixteen certificates of 4 kB in Base64. */
export const MAX_PEM_CHARACTERS = 96 * 1024

const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,32})-----([A-Za-z0-9+/=\r\n]*)-----END \1-----/y
const SPACE = /[ \t\r\n]*/y

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
    blocks.push(decode(block[2] as string, at))
    at = skipSpace(pem, at + block[0].length)
  }
  return blocks
}

/** One block. */
export function writePem(der: Uint8Array, label = 'CERTIFICATE'): string {
  const lines = toBase64(der).match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}

/** Groups of four, padded, with nothing in the bits that padding leaves over: one text for each DER. */
function decode(body: string, at: number): Uint8Array {
  const base64 = body.replace(/[\r\n]+/g, '')
  const padding = base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0
  const digits = base64.length - padding
  if (base64.length === 0 || base64.length % 4 !== 0) throw x509Error('attestation.pem-malformed', { at })
  const bytes = new Uint8Array((base64.length / 4) * 3 - padding)
  let [bits, held, to] = [0, 0, 0]
  for (let i = 0; i < digits; i++) {
    const value = VALUES[base64.charCodeAt(i)] as number
    if (value === NONE) throw x509Error('attestation.pem-malformed', { at })
    bits = ((bits << 6) | value) & 0xffff
    held += 6
    if (held >= 8) {
      held -= 8
      bytes[to++] = bits >> held
    }
  }
  if ((bits & ((1 << held) - 1)) !== 0) throw x509Error('attestation.pem-malformed', { at })
  return bytes
}

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
