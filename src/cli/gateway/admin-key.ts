/** The key to a client's `/admin`: made with the client, readable by its owner only. */
import { join } from 'node:path'
import { CocoonError, type Random, Secret } from '../../util/index.ts'
import type { Config } from '../schema.ts'
import { readPrivateFile, writePrivateFile } from '../../disk/index.ts'

/** What opens the API of this configuration's own client to its owner, whatever keys it has; undefined before its first start. */
export function ownerKeyOf({ home, client }: Config): Secret<string> | undefined {
  return client.http.apiKey ?? (readPrivateFile(fileOf(home)) === null ? undefined : readAdminKey(home))
}

/** Of whoever uses these commands: a member where the configuration names one, else the owner. Throws as `readAdminKey`. */
export const actingKeyOf = ({ home, client }: Config): Secret<string> => client.gateway.memberKey ?? readAdminKey(home)

const fileOf = (home: string): string => join(home, 'keys', 'admin.key')
const KEY_BYTES = 32

/** Throws `config.key-file`. */
export function loadAdminKey(home: string, random: Random): Secret<string> {
  // Of two processes that start at once, one writes and both read what it wrote.
  writePrivateFile(fileOf(home), `${Buffer.from(random.bytes(KEY_BYTES)).toString('base64url')}\n`)
  return readAdminKey(home)
}

/** Throws `config.no-admin-key` while no client has run with this home. */
export function readAdminKey(home: string): Secret<string> {
  const text = readPrivateFile(fileOf(home))?.trim()
  if (text === undefined)
    throw new CocoonError('config.no-admin-key', {
      message: `there is no ${fileOf(home)}: start the client once with this home (cocoon client, or cocoon up)`,
    })
  if (!/^[A-Za-z0-9_-]{43}$/.test(text))
    throw new CocoonError('config.key-file', {
      message: `the key file ${fileOf(home)} cannot be used: delete it and restart the client`,
    })
  return new Secret(text)
}
