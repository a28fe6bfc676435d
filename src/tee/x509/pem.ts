/** Text with Base64 blocks to bytes. Source: RFC 7468, strict form, several blocks. Browser-safe. */
import { fromBase64 } from '../../util/index.ts'
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
  const whole = typeof text === 'string' ? text : latin1(text)
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

function decode(body: string, at: number): Uint8Array {
  const base64 = body.replace(/[\r\n]+/g, '')
  try {
    // A length that is no multiple of four has lost its padding or more.
    if (base64.length > 0 && base64.length % 4 === 0) return fromBase64(base64)
  } catch {}
  throw x509Error('attestation.pem-malformed', { at })
}

function skipSpace(text: string, at: number): number {
  SPACE.lastIndex = at
  SPACE.exec(text)
  return SPACE.lastIndex
}

function latin1(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return text
}
