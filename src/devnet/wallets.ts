/** Which accounts are wallets, by the hash of their code, and what their data says. */
import type { AccountFacts } from './account.ts'

export interface WalletFacts {
  /** As toncenter names it. */
  readonly type: string
  readonly seqno: number
  readonly walletId: number | null
  readonly isSignatureAllowed: boolean | null
}

/** Code hash to name, bits before the sequence number, and whether a wallet id follows it. */
const WALLETS: Readonly<Record<string, readonly [name: string, skip: number, hasId: boolean]>> = {
  a0cfc2c48aee16a271f2cfc0b7382d81756cecb1017d077faaab3bb602f6868c: ['wallet v1 r1', 0, false],
  d4902fcc9fad74698fa8e353220a68da0dcf72e32bcb2eb9ee04217c17d3062c: ['wallet v1 r2', 0, false],
  '587cc789eff1c84f46ec3797e45fc809a14ff5ae24f1e0c7a6a99cc9dc9061ff': ['wallet v1 r3', 0, false],
  '5c9a5e68c108e18721a07c42f9956bfb39ad77ec6d624b60c576ec88eee65329': ['wallet v2 r1', 0, false],
  fe9530d3243853083ef2ef0b4c2908c0abf6fa1c31ea243aacaa5bf8c7d753f1: ['wallet v2 r2', 0, false],
  b61041a58a7980b946e8fb9e198e3c904d24799ffa36574ea4251c41a566f581: ['wallet v3 r1', 0, true],
  '84dafa449f98a6987789ba232358072bc0f76dc4524002a5d0918b9a75d2d599': ['wallet v3 r2', 0, true],
  feb5ff6820e2ff0d9483e7e0d62c817d846789fb4ae580c878866d959dabd5c0: ['wallet v4 r2', 0, true],
  '20834b7b72b112147e1b2fb457b84e74d1a30f04f737d4f62a668e9552d2b72f': ['wallet v5 r1', 1, true],
}

export function readWallet(account: AccountFacts): WalletFacts | null {
  const known = account.code === null ? undefined : WALLETS[account.code.hash().toString('hex')]
  if (known === undefined || account.data === null) return null
  const [type, skip, hasId] = known
  const data = account.data.beginParse()
  if (data.remainingBits < skip + (hasId ? 64 : 32)) return null
  const isSignatureAllowed = skip === 1 ? data.loadBit() : null
  const seqno = data.loadUint(32)
  return { type, seqno, walletId: hasId ? data.loadInt(32) : null, isSignatureAllowed }
}
