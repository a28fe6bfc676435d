/** Key manager: handing out keys, and its own records. Source: spec/tl-constructors.json, `keyManager*`. */
import { bare, ctor, int, int256, union, vector, type FieldsOf, type ValueOf } from '../lang.ts'
import { MAX_KEY_COUNT } from './limits.ts'

/** A key that opens encrypted requests, until a time in seconds since 1970. */
export const keyManagerPrivateKey = ctor(
  'keyManager.privateKey',
  { validUntilUtime: int, privateKey: int256 },
  'keyManager.PrivateKey',
)
export type KeyManagerPrivateKey = FieldsOf<typeof keyManagerPrivateKey>

export const keyManagerPrivateKeys = ctor(
  'keyManager.privateKeys',
  { keys: vector(bare(keyManagerPrivateKey), { max: MAX_KEY_COUNT }) },
  'keyManager.PrivateKeys',
)

export const keyManagerGetWorkerPrivateKeys = ctor(
  'keyManager.getWorkerPrivateKeys',
  { protoVersion: int },
  'keyManager.PrivateKeys',
)

export const keyManagerGetProxyPrivateKeys = ctor(
  'keyManager.getProxyPrivateKeys',
  { protoVersion: int },
  'keyManager.PrivateKeys',
)

export const keyManagerQueries = union('to key manager, query', [
  keyManagerGetWorkerPrivateKeys,
  keyManagerGetProxyPrivateKeys,
])
export type KeyManagerQuery = ValueOf<typeof keyManagerQueries>

export const keyManagerDbConfigEmpty = ctor('keyManagerDb.configEmpty', {}, 'keyManagerDb.Config')
export const keyManagerDbConfigV1 = ctor('keyManagerDb.configV1', { rootContractVersion: int }, 'keyManagerDb.Config')
export const keyManagerDbConfigs = union('keyManagerDb.Config', [keyManagerDbConfigEmpty, keyManagerDbConfigV1])

/** A stored key: valid once both the configuration version and the time have been reached. */
export const keyManagerDbKey = ctor(
  'keyManagerDb.key',
  { privateKey: int256, keyType: int, validSinceConfigVersion: int, validSinceUtime: int, validUntilUtime: int },
  'keyManagerDb.Key',
)
