/** Administration of the root contract; all but the signed one need its owner as sender. */
import { address, anyCell, bytes, coins, netAddress, uint } from './layout.ts'
import { message } from './message.ts'

export const rootMessages = {
  addWorkerHash: message('root add worker hash', 0xe34b1c60, { hash: bytes(32) }),
  deleteWorkerHash: message('root delete worker hash', 0x8d94a79a, { hash: bytes(32) }),
  addModelHash: message('root add model hash', 0xc146134d, { hash: bytes(32) }),
  deleteModelHash: message('root delete model hash', 0x92b11c18, { hash: bytes(32) }),
  addProxyHash: message('root add proxy hash', 0x71860e80, { hash: bytes(32) }),
  deleteProxyHash: message('root delete proxy hash', 0x3c41d0b2, { hash: bytes(32) }),
  registerProxy: message('root register proxy', 0x927c7cb5, { address: netAddress }),
  unregisterProxy: message('root unregister proxy', 0x6d49eaf2, { seqno: uint(32) }),
  updateProxy: message('root update proxy', 0x9c7924ba, { seqno: uint(32), address: netAddress }),
  changePrice: message('root change price', 0xc52ed8d4, { pricePerToken: coins, workerFeePerToken: coins }),
  changeParams: message('root change params', 0x022fa189, {
    pricePerToken: coins,
    workerFeePerToken: coins,
    proxyDelayBeforeCloseS: uint(32),
    clientDelayBeforeCloseS: uint(32),
    minProxyStakeNano: coins,
    minClientStakeNano: coins,
  }),
  upgradeContracts: message('root upgrade contracts', 0xa2370f61, {
    proxy: anyCell,
    worker: anyCell,
    client: anyCell,
  }),
  upgradeRoot: message('root upgrade root', 0x11aefd51, { code: anyCell }),
  upgradeFull: message('root upgrade full', 0x4f7c5789, { data: anyCell, code: anyCell }),
  reset: message('root reset', 0x563c1d96, {}),
  changeOwner: message('root change owner', 0xc4a1ae54, { owner: address }),
  changeKeyManager: message('root change key manager', 0xb01c0fe9, {
    publicKey: bytes(32),
    imageHash: bytes(32),
    address: netAddress,
  }),
  addPublicKey: message('root add public key', 0x6e5a646a, {
    publicKey: bytes(32),
    keyType: uint(8),
    expiresAtS: uint(32),
  }),
} as const
