/** Whose request it is: the node's owner's, or that of an API key. */
import type { IncomingHttpHeaders } from 'node:http'
import type { Gateway, KeyScope } from '../gateway/index.ts'
import { OWNER } from '../roles/client/index.ts'
import { CocoonError, type Secret } from '../util/index.ts'
import { createKeyCheck } from './auth.ts'
import { apiError } from './errors.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Id of an API key, or `OWNER`. */
    caller: string
  }
}

/** @param scope what the endpoint needs of a key */
export type CallerCheck = (headers: IncomingHttpHeaders, scope: KeyScope) => string

/**
 * The owner's key, where there is one, opens everything; the gateway's keys what they were made for. While there are neither,
 * everybody is the owner. Throws `request.unauthorized`, `request.invalid-key`, `request.key-…`.
 */
export function createCallerCheck(
  ownerKey: Secret<string> | undefined,
  gateway: Pick<Gateway, 'hasKeys' | 'identify'> | undefined,
): CallerCheck {
  const checkOwner = ownerKey === undefined ? null : createKeyCheck(ownerKey)
  const isOwner = (authorization: string | undefined): boolean => {
    try {
      checkOwner?.(authorization)
      return checkOwner !== null
    } catch {
      return false
    }
  }
  return (headers, scope) => {
    const authorization = authorizationOf(headers)
    if (isOwner(authorization)) return OWNER
    if (gateway?.hasKeys() !== true) {
      if (checkOwner === null) return OWNER
      throw apiError('request.unauthorized')
    }
    const given = /^Bearer +([\x21-\x7e]+)$/i.exec(authorization ?? '')?.[1]
    if (given === undefined) throw apiError('request.unauthorized')
    const key = gateway.identify(given)
    if (!key.scopes.includes(scope))
      throw new CocoonError('request.key-scope', {
        message: `The API key ${key.id} is not for this endpoint: it has ${key.scopes.join(', ')}, and this needs ${scope}.`,
      })
    return key.id
  }
}

/** Anthropic's libraries send their key in a header of its own. */
function authorizationOf(headers: IncomingHttpHeaders): string | undefined {
  const own = headers['x-api-key']
  return headers.authorization ?? (typeof own === 'string' ? `Bearer ${own}` : undefined)
}
