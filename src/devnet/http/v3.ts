/** toncenter's API v3, by path: what wallets and pages ask its index for. */
import type { Address } from '@ton/core'
import { z } from 'zod'
import { runGetMethod } from '../get-method.ts'
import type { Block, TransactionRecord } from '../records.ts'
import type { View } from '../view.ts'
import { readWallet } from '../wallets.ts'
import { estimateFee } from './estimate-fee.ts'
import { type Method, method } from './method.ts'
import { address, bytes, flag, hash, integer, list, uint32, uint64 } from './params.ts'
import { base64OfHex, feesV3 } from './render-v2.ts'
import {
  accountState,
  addressBook,
  addressInformationV3,
  blockV3,
  messagesOf,
  rawAddress,
  transactionV3,
  walletInformation,
  walletState,
} from './render-v3.ts'
import { readStackV3, stackV3, writeStackV3 } from './stack.ts'
import { ofBlock } from './v2.ts'

/** As toncenter bounds them. */
const MAX_PAGE = 1_000
const MAX_ADDRESSES = 1_024
/** Without a hash to find messages by, the newest transactions are read one by one, at a quarter of a millisecond each. */
const MAX_SCAN = 1_000

const page = {
  limit: integer(1, MAX_PAGE).default(10),
  offset: integer(0, 10_000_000).default(0),
  sort: z.enum(['asc', 'desc']).default('desc'),
}
/** Which part of the chain. */
const stretch = {
  workchain: integer(-1, 0).optional(),
  shard: z.string().max(32).optional(),
  seqno: uint32.optional(),
  mc_seqno: uint32.optional(),
  start_utime: uint32.optional(),
  end_utime: uint32.optional(),
}
const ofAddress = z.object({ address })
const addresses = list(address, MAX_ADDRESSES)
const direction = z.enum(['in', 'out']).optional()
const opcode = z
  .union([z.string().regex(/^(0x[0-9a-fA-F]{1,8}|-?\d{1,10})$/), z.int()])
  .transform((v) => `0x${(Number(v) >>> 0).toString(16).padStart(8, '0')}`)

const information = method(ofAddress, (e, p) => addressInformationV3(e.view().account(id(p.address))))
const accountStates = method(z.object({ address: addresses, include_boc: flag.default(true) }), (e, p) => {
  const view = e.view()
  return {
    accounts: p.address.map((a) => accountState(id(a), view.account(id(a)), p.include_boc)),
    address_book: addressBook(p.address.map((a) => rawAddress(id(a)))),
    metadata: {},
  }
})

export const v3Get: Readonly<Record<string, Method>> = {
  account: information,
  addressInformation: information,
  accountStates,
  walletInformation: method(ofAddress, (e, p) => {
    const account = e.view().account(id(p.address))
    return walletInformation(account, readWallet(account))
  }),
  walletStates: method(z.object({ address: addresses }), (e, p) => {
    const view = e.view()
    const wallets = p.address.map((a) => {
      const account = view.account(id(a))
      return walletState(id(a), account, readWallet(account))
    })
    return { wallets, address_book: addressBook(wallets.map((w) => w.address)), metadata: {} }
  }),
  addressBook: method(z.object({ address: addresses }), (_, p) => addressBook(p.address.map((a) => rawAddress(id(a))))),
  transactions: method(
    z.object({
      ...page,
      account: addresses.optional(),
      hash: hash.optional(),
      lt: uint64.optional(),
      ...stretch,
      start_lt: uint64.optional(),
      end_lt: uint64.optional(),
    }),
    (e, p) => {
      const view = e.view()
      const at = p.seqno ?? p.mc_seqno
      const found = candidates(view, p).filter(
        (t) =>
          (p.hash === undefined || t.hash === p.hash) &&
          (p.lt === undefined || t.lt === p.lt) &&
          (p.workchain === undefined || t.account.startsWith(`${p.workchain}:`)) &&
          (at === undefined || t.seqno === at) &&
          (p.start_utime === undefined || t.utime >= p.start_utime) &&
          (p.end_utime === undefined || t.utime <= p.end_utime) &&
          (p.start_lt === undefined || t.lt >= p.start_lt) &&
          (p.end_lt === undefined || t.lt <= p.end_lt),
      )
      return transactions(turn(found, p))
    },
  ),
  transactionsByMasterchainBlock: method(z.object({ ...page, seqno: uint32 }), (e, p) => {
    const view = e.view()
    const block = view.blockAt(p.seqno)
    const found = block === undefined ? [] : [...ofBlock(view, block, -1), ...ofBlock(view, block, 0)]
    return transactions(turn(found.toReversed(), p))
  }),
  transactionsByMessage: method(
    z.object({ ...page, msg_hash: hash.optional(), body_hash: hash.optional(), opcode: opcode.optional(), direction }),
    (e, p) => {
      const view = e.view()
      const found = (
        p.msg_hash === undefined ? view.all().slice(0, MAX_SCAN) : view.byMessage(p.msg_hash).toReversed()
      ).filter((t) => {
        if (p.direction === undefined && p.body_hash === undefined && p.opcode === undefined) return true
        return flat(t).some(
          ({ way, m }) =>
            (p.direction === undefined || way === p.direction) &&
            (p.msg_hash === undefined || m.hash === base64OfHex(p.msg_hash) || t.normHash === p.msg_hash) &&
            (p.body_hash === undefined || m.message_content.hash === base64OfHex(p.body_hash)) &&
            (p.opcode === undefined || m.opcode === p.opcode),
        )
      })
      return transactions(turn(found, p))
    },
  ),
  messages: method(
    z.object({
      ...page,
      msg_hash: list(hash, MAX_PAGE).optional(),
      body_hash: hash.optional(),
      source: z.union([z.literal('null'), address]).optional(),
      destination: z.union([z.literal('null'), address]).optional(),
      opcode: opcode.optional(),
      direction,
    }),
    (e, p) => {
      const view = e.view()
      const side = (value: Address | 'null' | undefined, shown: string | null): boolean =>
        value === undefined || (value === 'null' ? shown === null : shown === rawAddress(id(value)))
      const source = p.msg_hash?.flatMap((h) => view.byMessage(h)) ?? view.all().slice(0, MAX_SCAN)
      const wanted = p.msg_hash?.map(base64OfHex)
      const byHash = new Map(
        source.flatMap((t) =>
          flat(t)
            .filter(
              ({ way, m }) =>
                (wanted === undefined ||
                  wanted.includes(m.hash) ||
                  (way === 'in' && t.normHash !== null && wanted.includes(base64OfHex(t.normHash)))) &&
                (p.direction === undefined || way === p.direction) &&
                (p.body_hash === undefined || m.message_content.hash === base64OfHex(p.body_hash)) &&
                (p.opcode === undefined || m.opcode === p.opcode) &&
                side(p.source, m.source) &&
                side(p.destination, m.destination),
            )
            .map(({ way, m }) => [
              m.hash,
              { ...m, [way === 'in' ? 'in_msg_tx_hash' : 'out_msg_tx_hash']: base64OfHex(t.hash) },
            ]),
        ),
      )
      const messages = turn([...byHash.values()], p)
      const parties = messages.flatMap((m) => [m.source, m.destination]).filter((a) => a !== null)
      return { messages, address_book: addressBook(parties), metadata: {} }
    },
  ),
  masterchainInfo: method(z.object({}), (e) => {
    const view = e.view()
    const show = (block: Block) => blockV3(block, -1, ofBlock(view, block, -1).length)
    return { last: show(view.block), first: show(view.blocks()[0] as Block) }
  }),
  blocks: method(z.object({ ...page, ...stretch }), (e, p) => {
    const view = e.view()
    const at = p.seqno ?? p.mc_seqno
    const found = (at === undefined ? view.blocks() : [view.blockAt(at)])
      .filter((b) => b !== undefined)
      .filter(
        (b) =>
          (p.start_utime === undefined || b.utime >= p.start_utime) &&
          (p.end_utime === undefined || b.utime <= p.end_utime),
      )
      .toReversed()
      .flatMap((b) => [0, -1].map((workchain) => ({ b, workchain })))
      .filter(({ workchain }) => p.workchain === undefined || workchain === p.workchain)
    return {
      blocks: turn(found, p).map(({ b, workchain }) => blockV3(b, workchain, ofBlock(view, b, workchain).length)),
    }
  }),
}

export const v3Post: Readonly<Record<string, Method>> = {
  accountStates,
  message: method(z.object({ boc: bytes }), async (e, p) => {
    const sent = await e.send(p.boc)
    return { message_hash: base64OfHex(sent.hash), message_hash_norm: base64OfHex(sent.normHash) }
  }),
  runGetMethod: method(
    z.object({
      address,
      method: z.union([z.string().min(1).max(256), z.int()]),
      stack: stackV3.default([]),
    }),
    async (e, p) => {
      const run = await runGetMethod(e.chain().vm, e.view(), { ...p, stack: readStackV3(p.stack) })
      return { gas_used: Number(run.gasUsed), exit_code: run.exitCode, stack: writeStackV3(run.stack) }
    },
  ),
  estimateFee: estimateFee(feesV3),
}

const id = (a: Address): string => a.toRawString()

/** What the narrowest of the filters finds, newest first. */
function candidates(
  view: View,
  p: { readonly account?: readonly Address[] | undefined; readonly hash?: string | undefined },
): readonly TransactionRecord[] {
  if (p.hash !== undefined) {
    const one = view.byHash(p.hash)
    const isOwn = one !== undefined && (p.account === undefined || p.account.some((a) => id(a) === one.account))
    return isOwn ? [one] : []
  }
  if (p.account === undefined) return view.all()
  return p.account.flatMap((a) => view.ofAccount(id(a))).toSorted((a, b) => (a.lt < b.lt ? 1 : a.lt > b.lt ? -1 : 0))
}

/** One page of what is newest first. */
function turn<T>(found: readonly T[], p: { limit: number; offset: number; sort: 'asc' | 'desc' }): readonly T[] {
  const sorted = p.sort === 'asc' ? found.toReversed() : found
  return sorted.slice(p.offset, p.offset + p.limit)
}

function transactions(found: readonly TransactionRecord[]) {
  const shown = found.map(transactionV3)
  const parties = shown.flatMap((t) => [
    t.account,
    t.in_msg?.source,
    t.in_msg?.destination,
    ...t.out_msgs.map((m) => m.destination),
  ])
  return { transactions: shown, address_book: addressBook(parties.filter((a) => typeof a === 'string')), metadata: {} }
}

function flat(t: TransactionRecord) {
  const { inbound, out } = messagesOf(t)
  return [
    ...(inbound === null ? [] : [{ way: 'in' as const, m: inbound }]),
    ...out.map((m) => ({ way: 'out' as const, m })),
  ]
}
