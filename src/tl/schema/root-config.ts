/** The network's registry as a record. Source: spec/tl-constructors.json, `rootConfig.*`. */
import { bare, ctor, int, int256, long, string, union, vector, type FieldsOf, type ValueOf } from '../lang.ts'
import { MAX_ADDRESS_BYTES, MAX_CONTRACT_CODE_BYTES, MAX_MODEL_NAME_BYTES, MAX_REGISTRY_COUNT } from './limits.ts'

const address = string({ max: MAX_ADDRESS_BYTES })
const code = string({ max: MAX_CONTRACT_CODE_BYTES })
const hashes = vector(int256, { max: MAX_REGISTRY_COUNT })

/** A proxy's place in the registry and its network addresses, as text. */
export const rootConfigRegisteredProxy = ctor(
  'rootConfig.registeredProxy',
  { seqno: int, address },
  'rootConfig.RegisteredProxy',
)
export type RegisteredProxy = FieldsOf<typeof rootConfigRegisteredProxy>

export const rootConfigRegisteredPublicKey = ctor(
  'rootConfig.registeredPublicKey',
  { publicKey: int256, keyType: int, expireAt: int },
  'rootConfig.RegisteredPublicKey',
)
export type RegisteredPublicKey = FieldsOf<typeof rootConfigRegisteredPublicKey>

const registeredProxies = vector(bare(rootConfigRegisteredProxy), { max: MAX_REGISTRY_COUNT })
const registeredPublicKeys = vector(bare(rootConfigRegisteredPublicKey), { max: MAX_REGISTRY_COUNT })

/** The registry of a network without a chain. */
export const rootConfigPseudo = ctor(
  'rootConfig.pseudo',
  {
    proxyHashes: hashes,
    workerHashes: hashes,
    modelHashes: hashes,
    modelTypes: vector(string({ max: MAX_MODEL_NAME_BYTES }), { max: MAX_REGISTRY_COUNT }),
    registeredProxies,
    pricePerToken: int,
    workerFeePerToken: int,
    lastProxySeqno: int,
    version: int,
    paramsVersion: int,
    registeredPublicKeys,
    keyManagerAddress: address,
    proxyScCode: code,
    workerScCode: code,
    clientScCode: code,
    rootOwnerAddress: address,
  },
  'rootConfig.Config',
)

/** The registry as read from the root contract. Prices in nanoTON a token; delays in seconds. */
export const rootConfigConfigV7 = ctor(
  'rootConfig.configV7',
  {
    rootOwnerAddress: address,
    proxyHashes: hashes,
    registeredProxies,
    lastProxySeqno: int,
    workerHashes: hashes,
    modelHashes: hashes,
    version: int,
    structVersion: int,
    paramsVersion: int,
    uniqueId: int,
    isTest: int,
    pricePerToken: long,
    workerFeePerToken: long,
    promptTokensPriceMultiplier: int,
    cachedTokensPriceMultiplier: int,
    completionTokensPriceMultiplier: int,
    reasoningTokensPriceMultiplier: int,
    proxyDelayBeforeClose: int,
    clientDelayBeforeClose: int,
    minProxyStake: long,
    minClientStake: long,
    registeredPublicKeys,
    keyManagerPublicKey: int256,
    keyManagerImageHash: int256,
    keyManagerAddress: address,
    verifiedProxyKeys: hashes,
    verifiedWorkerKeys: hashes,
    verifiedKeyManagerKeys: hashes,
    proxyScCode: code,
    workerScCode: code,
    clientScCode: code,
  },
  'rootConfig.Config',
)

export const rootConfigs = union('rootConfig.Config', [rootConfigPseudo, rootConfigConfigV7])
export type RootConfigRecord = ValueOf<typeof rootConfigs>
