import * as wallets from '@ton/ton'
import { expect, test } from 'vitest'
import { readAccount } from './account.ts'
import { readWallet } from './wallets.ts'

const KEY = { workchain: 0, publicKey: Buffer.alloc(32, 1) }

const KNOWN = [
  ['wallet v1 r1', wallets.WalletContractV1R1.create(KEY), null],
  ['wallet v1 r2', wallets.WalletContractV1R2.create(KEY), null],
  ['wallet v1 r3', wallets.WalletContractV1R3.create(KEY), null],
  ['wallet v2 r1', wallets.WalletContractV2R1.create(KEY), null],
  ['wallet v2 r2', wallets.WalletContractV2R2.create(KEY), null],
  ['wallet v3 r1', wallets.WalletContractV3R1.create(KEY), 698983191],
  ['wallet v3 r2', wallets.WalletContractV3R2.create(KEY), 698983191],
  ['wallet v4 r2', wallets.WalletContractV4.create(KEY), 698983191],
  ['wallet v5 r1', wallets.WalletContractV5R1.create(KEY), 2147483409],
] as const

test.each(KNOWN)('%s is known by its code, with number and id of a new one', (type, { init }, walletId) => {
  const account = { ...readAccount(undefined), status: 'active' as const, code: init.code, data: init.data }
  const isSignatureAllowed = type === 'wallet v5 r1' ? true : null
  expect(readWallet(account)).toEqual({ type, seqno: 0, walletId, isSignatureAllowed })
})

test('an account that never was is no wallet', () => {
  expect(readWallet(readAccount(undefined))).toBe(null)
})
