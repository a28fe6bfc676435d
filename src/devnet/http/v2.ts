/** toncenter's API v2, by name: the same methods serve JSON-RPC and REST. */
import { Address } from '@ton/core'
import { z } from 'zod'
import { devnetError } from '../errors.ts'
import { externalMessage } from '../estimate.ts'
import { runGetMethod } from '../get-method.ts'
import type { Block, TransactionRecord } from '../records.ts'
import type { View } from '../view.ts'
import { readWallet } from '../wallets.ts'
import { estimateFee } from './estimate-fee.ts'
import { type Method, method } from './method.ts'
import { address, bytes, cell, flag, hash, integer, optionalCell, parseAnyAddress, uint32, uint64 } from './params.ts'
import {
  addressInformation,
  base64OfHex,
  blockHeader,
  blockId,
  extendedAddressInformation,
  firstState,
  queryFees,
  shortTransaction,
  stateOf,
  transaction,
  transactionId,
} from './render-v2.ts'
import { readStackV2, stackV2, writeStackV2 } from './stack.ts'

/** As toncenter bounds them. */
const MAX_TRANSACTIONS = 100
const MAX_BLOCK_TRANSACTIONS = 10_000

const seqno = uint32.optional()
const ofAddress = z.object({ address, seqno })
const workchain = integer(-1, 0)
const anyShard = z.union([z.string().max(32), z.number()]).optional()
const block = z.object({
  workchain,
  shard: anyShard,
  seqno: uint32,
  root_hash: hash.optional(),
  file_hash: hash.optional(),
})
const count = integer(1, MAX_BLOCK_TRANSACTIONS).default(40)
const message = z.object({ source: address, destination: address, created_lt: uint64 })
const accountRaw = z.object({ address })

export const v2: Readonly<Record<string, Method>> = {
  getMasterchainInfo: method(z.object({}), (e) => {
    const view = e.view()
    return {
      '@type': 'blocks.masterchainInfo',
      last: blockId(view.block),
      state_root_hash: base64OfHex(view.block.hash),
      init: firstState(e.zeroState),
    }
  }),
  getConsensusBlock: method(z.object({}), (e) => {
    const { block: last } = e.view()
    return { consensus_block: last.seqno, timestamp: last.utime }
  }),
  shards: method(z.object({ seqno: uint32 }), (e, p) => shards(e.view(), p.seqno)),
  getShards: method(z.object({ seqno: uint32 }), (e, p) => shards(e.view(), p.seqno)),
  lookupBlock: method(
    z.object({ workchain, shard: anyShard, seqno, lt: uint64.optional(), unixtime: uint32.optional() }),
    (e, p) => {
      const view = e.view()
      const found =
        p.seqno !== undefined
          ? view.blockAt(p.seqno)
          : view
              .blocks()
              .findLast((b) =>
                p.lt !== undefined ? b.startLt <= p.lt : p.unixtime !== undefined && b.utime <= p.unixtime,
              )
      return blockId(expectBlock(found), p.workchain)
    },
  ),
  getBlockHeader: method(block, (e, p) => {
    const view = e.view()
    return blockHeader(expectBlock(view.blockAt(p.seqno)), p.workchain, view.blockAt(p.seqno - 1))
  }),
  getBlockTransactions: method(blockPage(), (e, p) => blockTransactions(e.view(), p, shortTransaction)),
  getBlockTransactionsExt: method(blockPage(), (e, p) => blockTransactions(e.view(), p, transaction)),
  getMasterchainBlockSignatures: method(z.object({ seqno: uint32 }), (e, p) => ({
    '@type': 'blocks.blockSignatures',
    id: blockId(expectBlock(e.view().blockAt(p.seqno))),
    // Nobody signs the blocks of this chain.
    signatures: [],
  })),

  getAddressInformation: method(ofAddress, (e, p) => {
    const view = e.view(p.seqno)
    return addressInformation(view.account(p.address.toRawString()), view)
  }),
  getExtendedAddressInformation: method(ofAddress, (e, p) => {
    const view = e.view(p.seqno)
    return extendedAddressInformation(p.address, view.account(p.address.toRawString()), view)
  }),
  getWalletInformation: method(ofAddress, (e, p) => {
    const account = e.view(p.seqno).account(p.address.toRawString())
    const wallet = readWallet(account)
    return {
      wallet: wallet !== null,
      balance: account.balance.toString(),
      account_state: stateOf(account),
      ...(wallet === null ? {} : { wallet_type: wallet.type, seqno: wallet.seqno }),
      ...(wallet?.walletId === undefined || wallet.walletId === null ? {} : { wallet_id: wallet.walletId }),
      last_transaction_id: transactionId(account.lastLt, account.lastHash),
    }
  }),
  getAddressBalance: method(ofAddress, (e, p) => e.view(p.seqno).account(p.address.toRawString()).balance.toString()),
  getAddressState: method(ofAddress, (e, p) => stateOf(e.view(p.seqno).account(p.address.toRawString()))),
  getTransactions: method(
    z.object({
      address,
      limit: integer(1, MAX_TRANSACTIONS).default(10),
      lt: uint64.optional(),
      hash: hash.optional(),
      to_lt: uint64.default(0n),
      archival: flag.optional(),
    }),
    (e, p) => pageOfAccount(e.view().ofAccount(p.address.toRawString()), p).map(transaction),
  ),
  getConfigParam: method(
    z.object({
      config_id: integer(-(2 ** 31), 2 ** 31 - 1).optional(),
      param: integer(-(2 ** 31), 2 ** 31 - 1).optional(),
      seqno,
    }),
    (e, p) => {
      const value = e.chain().vm.configParam(p.config_id ?? p.param ?? 0)
      if (value === null) throw devnetError('request.devnet-not-found', { message: 'no such configuration parameter' })
      return { '@type': 'configInfo', config: { '@type': 'tvm.cell', bytes: value.toBoc().toString('base64') } }
    },
  ),
  runGetMethod: method(
    z.object({
      address,
      method: z.union([z.string().min(1).max(256), z.int()]),
      stack: stackV2.default([]),
      seqno,
    }),
    async (e, p) => {
      const view = e.view(p.seqno)
      const account = view.account(p.address.toRawString())
      const run = await runGetMethod(e.chain().vm, view, { ...p, stack: readStackV2(p.stack) })
      return {
        '@type': 'smc.runResult',
        gas_used: Number(run.gasUsed),
        stack: writeStackV2(run.stack),
        exit_code: run.exitCode,
        block_id: blockId(view.block),
        last_transaction_id: transactionId(account.lastLt, account.lastHash),
      }
    },
  ),

  sendBoc: method(z.object({ boc: bytes }), async (e, p) => {
    await e.send(p.boc)
    return { '@type': 'ok' }
  }),
  sendBocReturnHash: method(z.object({ boc: bytes }), async (e, p) => {
    const sent = await e.send(p.boc)
    return { '@type': 'raw.extMessageInfo', hash: base64OfHex(sent.hash), hash_norm: base64OfHex(sent.normHash) }
  }),
  sendQuery: method(
    z.object({ address, body: cell, init_code: optionalCell, init_data: optionalCell }),
    async (e, p) => {
      const call = { address: p.address, body: p.body, code: p.init_code || null, data: p.init_data || null }
      await e.send(externalMessage(call).toBoc())
      return { '@type': 'ok' }
    },
  ),
  estimateFee: estimateFee(queryFees),

  tryLocateTx: method(message, (e, p) => locateResult(e.view(), p)),
  tryLocateResultTx: method(message, (e, p) => locateResult(e.view(), p)),
  tryLocateSourceTx: method(message, (e, p) => {
    // A message's logical time lies between its transaction's and the next one's.
    const found = e
      .view()
      .ofAccount(p.source.toRawString())
      .findLast((t) => t.lt < p.created_lt && p.created_lt <= t.lt + BigInt(t.messages.length))
    const shown = found === undefined ? undefined : transaction(found)
    const to = p.destination.toString()
    if (!shown?.out_msgs.some((m) => m.created_lt === p.created_lt.toString() && m.destination === to))
      throw notLocated()
    return shown
  }),

  packAddress: method(accountRaw, (_, p) => p.address.toString()),
  unpackAddress: method(accountRaw, (_, p) => p.address.toRawString()),
  detectAddress: method(z.object({ address: z.string().max(128) }), (_, p) => detectAddress(p.address)),
  detectHash: method(z.object({ hash }), (_, p) => {
    const b64 = base64OfHex(p.hash)
    return { hex: p.hash, b64, b64url: b64.replaceAll('+', '-').replaceAll('/', '_') }
  }),
}

function blockPage() {
  return z.object({ ...block.shape, count, after_lt: uint64.optional(), after_hash: hash.optional() })
}

function shards(view: View, at: number) {
  return { '@type': 'blocks.shards', shards: [blockId(expectBlock(view.blockAt(at)), 0)] }
}

function expectBlock(found: Block | undefined): Block {
  if (found === undefined)
    throw devnetError('request.devnet-not-found', { message: 'LITE_SERVER_NOTREADY: block is not in db' })
  return found
}

function blockTransactions<T>(
  view: View,
  page: z.output<ReturnType<typeof blockPage>>,
  show: (t: TransactionRecord) => T,
) {
  const found = expectBlock(view.blockAt(page.seqno))
  const own = ofBlock(view, found, page.workchain).filter((t) => page.after_lt === undefined || t.lt > page.after_lt)
  return {
    '@type': 'blocks.transactions',
    id: blockId(found, page.workchain),
    req_count: page.count,
    incomplete: own.length > page.count,
    transactions: own.slice(0, page.count).map(show),
  }
}

/** Each account lives in a workchain; trimmed transactions are gone from their blocks too. */
export function ofBlock(view: View, of: Block, inWorkchain: number): readonly TransactionRecord[] {
  return of.transactions.filter((t) => t.account.startsWith(`${inWorkchain}:`) && view.byHash(t.hash) !== undefined)
}

/** Newest first, from the named transaction on. */
function pageOfAccount(
  own: readonly TransactionRecord[],
  page: {
    readonly limit: number
    readonly lt?: bigint | undefined
    readonly hash?: string | undefined
    readonly to_lt: bigint
  },
): readonly TransactionRecord[] {
  let end = own.length
  if (page.lt !== undefined) {
    end = own.findLastIndex((t) => t.lt === page.lt) + 1
    if (end === 0 || (page.hash !== undefined && own[end - 1]?.hash !== page.hash))
      throw devnetError('request.devnet-not-found', {
        message: 'LITE_SERVER_UNKNOWN: cannot locate transaction in block with specified logical time',
      })
  }
  return own
    .slice(Math.max(0, end - page.limit), end)
    .filter((t) => t.lt > page.to_lt)
    .toReversed()
}

function locateResult(view: View, p: z.output<typeof message>) {
  const from = p.source.toString()
  for (const t of view.ofAccount(p.destination.toRawString()).toReversed()) {
    // Later than its message, so there is no need to look further back.
    if (t.lt <= p.created_lt) break
    const shown = transaction(t)
    if (shown.in_msg?.source === from && shown.in_msg.created_lt === p.created_lt.toString()) return shown
  }
  throw notLocated()
}

const notLocated = () => devnetError('request.devnet-not-found', { message: 'transaction was not found' })

function detectAddress(text: string) {
  let parsed: Address
  try {
    parsed = parseAnyAddress(text)
  } catch {
    throw devnetError('request.devnet-parameter', { message: 'address: not an address' })
  }
  const both = (bounceable: boolean) => ({
    b64: parsed.toString({ bounceable, urlSafe: false }),
    b64url: parsed.toString({ bounceable }),
  })
  const given = text.includes(':') ? null : Address.parseFriendly(text)
  return {
    raw_form: parsed.toRawString(),
    bounceable: both(true),
    non_bounceable: both(false),
    given_type: given === null ? 'raw_form' : given.isBounceable ? 'friendly_bounceable' : 'friendly_non_bounceable',
    test_only: given?.isTestOnly ?? false,
  }
}
