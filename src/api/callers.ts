/** Whose request it is: the node's owner's, or that of an API key. */
import type { IncomingHttpHeaders } from 'node:http'
import type { Gateway, KeyScope } from '../gateway/index.ts'
import { OWNER } from '../roles/client/index.ts'
import { CocoonError, type Secret } from '../util/index.ts'
import { createKeyMatch } from './auth.ts'
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
 * The owner's keys open everything: that of the options and that of `/admin`. The gateway's keys open what they were made for.
 * While there is neither a key in the options nor one in the gateway, everybody is the owner. Throws `request.unauthorized`,
 * `request.invalid-key`, `request.key-…`.
 */
export function createCallerCheck(
  apiKey: Secret<string> | undefined,
  adminKey: Secret<string> | undefined,
  gateway: Pick<Gateway, 'hasKeys' | 'identify'> | undefined,
): CallerCheck {
  const matches = [apiKey, adminKey].filter((key) => key !== undefined).map(createKeyMatch)
  const isOwner = (authorization: string | undefined): boolean => matches.some((match) => match(authorization))
  return (headers, scope) => {
    const authorization = authorizationOf(headers)
    if (isOwner(authorization)) return OWNER
    if (gateway?.hasKeys() !== true) {
      if (apiKey === undefined) return OWNER
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
