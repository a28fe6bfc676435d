/** Configuration records of the public reference's nodes. Source: spec/tl-constructors.json, `*Runner.config`. */
import { bool, ctor, int, int256, string } from '../lang.ts'
import {
  MAX_ADDRESS_BYTES,
  MAX_MACHINE_DESCRIPTION_BYTES,
  MAX_MODEL_NAME_BYTES,
  MAX_PATH_BYTES,
  MAX_SECRET_BYTES,
} from './limits.ts'

const address = string({ max: MAX_ADDRESS_BYTES })
const path = string({ max: MAX_PATH_BYTES })
const secret = string({ max: MAX_SECRET_BYTES })

export const proxyRunnerConfig = ctor(
  'proxyRunner.config',
  {
    isTest: bool,
    isTestnet: bool,
    workersRpcPort: int,
    clientRpcPort: int,
    httpPort: int,
    ownerAddress: address,
    connectToProxyVia: address,
    rootContractAddress: address,
    machineSpecificPrivateKey: int256,
    nodeWalletKey: int256,
    tonConfigFilename: path,
    dbPath: path,
    checkWorkerHashes: bool,
    imageHash: int256,
    httpAccessHash: secret,
  },
  'proxyRunner.Config',
)

export const workerRunnerConfig = ctor(
  'workerRunner.config',
  {
    isTest: bool,
    isTestnet: bool,
    httpPort: int,
    ownerAddress: address,
    proxyConnections: int,
    connectToProxyVia: address,
    modelName: string({ max: MAX_MODEL_NAME_BYTES }),
    coefficient: int,
    rootContractAddress: address,
    nodeWalletKey: int256,
    forwardRequestsTo: path,
    tonConfigFilename: path,
    checkProxyHashes: bool,
    maxActiveRequests: int,
    imageHash: int256,
    httpAccessHash: secret,
    changeModelScript: path,
    machineDescriptionJson: string({ max: MAX_MACHINE_DESCRIPTION_BYTES }),
  },
  'workerRunner.Config',
)

export const clientRunnerConfig = ctor(
  'clientRunner.config',
  {
    isTest: bool,
    isTestnet: bool,
    httpPort: int,
    ownerAddress: address,
    proxyConnections: int,
    connectToProxyVia: address,
    rootContractAddress: address,
    nodeWalletKey: int256,
    checkProxyHashes: bool,
    secretString: secret,
    tonConfigFilename: path,
    httpAccessHash: secret,
  },
  'clientRunner.Config',
)

export const keyStorageRunnerConfig = ctor(
  'keyStorageRunner.config',
  {
    isTest: bool,
    isTestnet: bool,
    addDefaultKey: bool,
    rpcPort: int,
    httpPort: int,
    ownerAddress: address,
    rootContractAddress: address,
    machineSpecificPrivateKey: int256,
    nodeWalletKey: int256,
    tonConfigFilename: path,
    dbPath: path,
    checkHashes: bool,
    imageHash: int256,
    httpAccessHash: secret,
  },
  'keyStorageRunner.Config',
)
