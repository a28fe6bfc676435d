/** Who may call: an API key when there is one, and no other machine's web pages when there is none. */
import { hash } from 'node:crypto'
import { isIP } from 'node:net'
import { equalBytes, reveal, type Secret } from '../util/index.ts'
import { apiError } from './errors.ts'

/** Whether the header is `Bearer` and the key. Comparing hashes takes equal time for all keys. */
export function createKeyMatch(key: Secret<string>): (authorization: string | undefined) => boolean {
  const expected = sha256(reveal(key))
  return (authorization) => {
    const given = authorization === undefined ? undefined : /^Bearer +([\x21-\x7e]+)$/i.exec(authorization)?.[1]
    return given !== undefined && equalBytes(sha256(given), expected)
  }
}

/** Throws `request.unauthorized` unless the header matches. */
export function createKeyCheck(key: Secret<string>): (authorization: string | undefined) => void {
  const matches = createKeyMatch(key)
  return (authorization) => {
    if (!matches(authorization)) throw apiError('request.unauthorized')
  }
}

const sha256 = (text: string): Uint8Array => hash('sha256', text, 'buffer')

/**
 * Throws `request.forbidden-host` for a `Host` that is a name other than localhost. A page on a name that its owner
 * points to 127.0.0.1 is "same origin" for the browser; only the name gives it away.
 */
export function checkHost(host: string | undefined): void {
  const name = (host ?? '').replace(/:\d*$/, '').toLowerCase()
  if (name === '' || name === 'localhost' || name.endsWith('.localhost')) return
  if (isIP(name.replace(/^\[(.*)\]$/, '$1')) === 0) throw apiError('request.forbidden-host')
}

export const isLoopback = (address: string): boolean =>
  address === 'localhost' || address === '::1' || /^127(\.\d{1,3}){3}$/.test(address)
