/**
 * Records of the public reference's proxy database: read when an operator moves from it, never written to the wire.
 * Source: spec/tl-constructors.json, `proxyDb.*`.
 */
import { bare, boxed, ctor, int, int256, long, string, union, vector } from '../lang.ts'
import { MAX_ADDRESS_BYTES, MAX_PENDING_COMMIT_COUNT } from './limits.ts'
import { rootConfigs } from './root-config.ts'
import { tonBlockIdExt } from './ton.ts'

const address = string({ max: MAX_ADDRESS_BYTES })

export const proxyDbClientInfo = ctor(
  'proxyDb.clientInfo',
  {
    ownerAddress: address,
    scAddress: address,
    status: int,
    balance: long,
    scTokensUsed: long,
    tokensUsed: long,
    secretHash: int256,
    lastRequestAt: int,
  },
  'proxyDb.ClientInfo',
)

export const proxyDbClientInfoV2 = ctor(
  'proxyDb.clientInfoV2',
  {
    ownerAddress: address,
    scAddress: address,
    status: int,
    balance: long,
    stake: long,
    scTokensUsed: long,
    tokensUsed: long,
    secretHash: int256,
    lastRequestAt: int,
  },
  'proxyDb.ClientInfo',
)

export const proxyDbClientInfos = union('proxyDb.ClientInfo', [proxyDbClientInfo, proxyDbClientInfoV2])

export const proxyDbWorkerInfo = ctor(
  'proxyDb.workerInfo',
  { ownerAddress: address, scAddress: address, scTokens: long, tokens: long, lastRequestAt: int },
  'proxyDb.WorkerInfo',
)

export const proxyDbPendingBlockchainSeqnoCommit = ctor(
  'proxyDb.pendingBlockchainSeqnoCommit',
  { seqno: int, sessionHash: int256 },
  'proxyDb.PendingBlockchainSeqnoCommit',
)

export const proxyDbConfigEmpty = ctor('proxyDb.configEmpty', {}, 'proxyDb.Config')

export const proxyDbConfigV4 = ctor(
  'proxyDb.configV4',
  {
    rootContractAddress: address,
    isTestnet: int,
    rootContractState: boxed(rootConfigs),
    rootContractStateBlockTs: int,
    scBlockId: bare(tonBlockIdExt),
    lastSeqnoCommittedToBlockchain: int,
    pendingBlockchainSeqnoCommits: vector(bare(proxyDbPendingBlockchainSeqnoCommit), { max: MAX_PENDING_COMMIT_COUNT }),
  },
  'proxyDb.Config',
)

export const proxyDbConfigV4Disabled = ctor(
  'proxyDb.configV4Disabled',
  {
    rootContractAddress: address,
    isTestnet: int,
    rootContractState: boxed(rootConfigs),
    rootContractStateBlockTs: int,
    disabledUntilVersion: long,
  },
  'proxyDb.Config',
)

export const proxyDbConfigs = union('proxyDb.Config', [proxyDbConfigEmpty, proxyDbConfigV4, proxyDbConfigV4Disabled])

export const proxyDbOldClient = ctor(
  'proxyDb.oldClient',
  { ownerAddress: address, tokens: long, nextClient: address },
  'proxyDb.OldClient',
)

export const proxyDbOldWorker = ctor(
  'proxyDb.oldWorker',
  { ownerAddress: address, tokens: long, nextWorker: address },
  'proxyDb.OldWorker',
)

export const proxyDbOldInstance = ctor(
  'proxyDb.oldInstance',
  {
    contractAddress: address,
    closingState: int,
    closeAt: int,
    nextClient: address,
    nextWorker: address,
    rootContractState: boxed(rootConfigs),
  },
  'proxyDb.OldInstance',
)
