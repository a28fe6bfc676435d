/** Blocks, accounts and transactions as toncenter's API v2 shows them. */
import { createHash } from 'node:crypto'
import { Address, Cell, loadTransaction, type Message, type Transaction } from '@ton/core'
import type { AccountFacts } from '../account.ts'
import type { Block, TransactionRecord } from '../records.ts'
import type { View } from '../view.ts'
import type { Fees } from '../estimate.ts'

/** The only shard of either workchain: all of it. */
export const WHOLE_SHARD = '-9223372036854775808'

/** Every API shows hashes in Base64. */
export const base64OfHex = (hex: string): string => Buffer.from(hex, 'hex').toString('base64')
export const bocOf = (cell: Cell | null): string => (cell === null ? '' : cell.toBoc().toString('base64'))
export const friendly = (id: string): string => Address.parseRaw(id).toString()

/** Two workchains have a block for each number; their hashes come from the one they are made of. */
export function blockHashes(block: Block, workchain: number): { readonly root: string; readonly file: string } {
  const name = (part: string): string =>
    createHash('sha256').update(`${part}|${workchain}|${block.hash}`).digest('base64')
  return { root: name('root'), file: name('file') }
}

export function blockId(block: Block, workchain = -1) {
  const { root, file } = blockHashes(block, workchain)
  return {
    '@type': 'ton.blockIdExt',
    workchain,
    shard: WHOLE_SHARD,
    seqno: block.seqno,
    root_hash: root,
    file_hash: file,
  }
}

/** Made of the chain's id: there is no state to fetch. */
export const firstState = (zeroState: string) => ({
  '@type': 'ton.blockIdExt',
  workchain: -1,
  shard: '0',
  seqno: 0,
  root_hash: base64OfHex(zeroState),
  file_hash: createHash('sha256').update(`file|${zeroState}`).digest('base64'),
})

export const transactionId = (lt: bigint, hash: string) => ({
  '@type': 'internal.transactionId',
  lt: lt.toString(),
  hash: base64OfHex(hash),
})

const STATES = { nonexist: 'uninitialized', uninit: 'uninitialized', active: 'active', frozen: 'frozen' } as const
export const stateOf = (account: AccountFacts): string => STATES[account.status]

const extraCurrencies = (account: AccountFacts) =>
  account.extra.map(([id, amount]) => ({ '@type': 'extraCurrency', id, amount: amount.toString() }))

const frozenHash = (account: AccountFacts): string =>
  account.frozenHash === null ? '' : base64OfHex(account.frozenHash)

export function addressInformation(account: AccountFacts, view: View) {
  return {
    '@type': 'raw.fullAccountState',
    balance: account.balance.toString(),
    extra_currencies: extraCurrencies(account),
    code: bocOf(account.code),
    data: bocOf(account.data),
    last_transaction_id: transactionId(account.lastLt, account.lastHash),
    block_id: blockId(view.block),
    frozen_hash: frozenHash(account),
    sync_utime: view.now,
    state: stateOf(account),
  }
}

export function extendedAddressInformation(address: Address, account: AccountFacts, view: View) {
  return {
    '@type': 'fullAccountState',
    address: { '@type': 'accountAddress', account_address: address.toString() },
    balance: account.balance.toString(),
    extra_currencies: extraCurrencies(account),
    last_transaction_id: transactionId(account.lastLt, account.lastHash),
    block_id: blockId(view.block),
    sync_utime: view.now,
    account_state:
      account.status === 'active'
        ? { '@type': 'raw.accountState', code: bocOf(account.code), data: bocOf(account.data), frozen_hash: '' }
        : { '@type': 'uninited.accountState', frozen_hash: frozenHash(account) },
    revision: 0,
  }
}

export function transaction(record: TransactionRecord) {
  const tx = loadTransaction(Cell.fromBase64(record.boc).beginParse())
  const out = tx.outMessages.values()
  const storage = storageFee(tx)
  // As light clients count: what the transaction cost, with the forwarding of what it sent.
  const fee = out.reduce((sum, m) => sum + forwardFee(m), tx.totalFees.coins)
  return {
    '@type': 'raw.transaction',
    address: { '@type': 'accountAddress', account_address: friendly(record.account) },
    account: record.account,
    utime: record.utime,
    data: record.boc,
    transaction_id: transactionId(record.lt, record.hash),
    fee: fee.toString(),
    storage_fee: storage.toString(),
    other_fee: (fee - storage).toString(),
    ...(tx.inMessage ? { in_msg: message(tx.inMessage, record.messages[0] as string) } : {}),
    out_msgs: out.map((m, i) => message(m, record.messages[i + (tx.inMessage ? 1 : 0)] as string)),
  }
}

export function storageFee(tx: Transaction): bigint {
  return 'storagePhase' in tx.description ? (tx.description.storagePhase?.storageFeesCollected ?? 0n) : 0n
}

const forwardFee = (m: Message): bigint => (m.info.type === 'internal' ? m.info.forwardFee : 0n)

function message(m: Message, hash: string) {
  const { info } = m
  const text = readComment(m.body)
  const isInternal = info.type === 'internal'
  return {
    '@type': 'raw.message',
    hash: base64OfHex(hash),
    source: info.src instanceof Address ? info.src.toString() : '',
    destination: info.dest instanceof Address ? info.dest.toString() : '',
    value: isInternal ? info.value.coins.toString() : '0',
    extra_currencies: [],
    fwd_fee: forwardFee(m).toString(),
    ihr_fee: isInternal ? info.ihrFee.toString() : '0',
    created_lt: info.type === 'external-in' ? '0' : info.createdLt.toString(),
    body_hash: m.body.hash().toString('base64'),
    msg_data:
      text === null
        ? { '@type': 'msg.dataRaw', body: bocOf(m.body), init_state: '' }
        : { '@type': 'msg.dataText', text: Buffer.from(text).toString('base64') },
    message: text ?? '',
  }
}

/** A text comment: 32 zero bits, then UTF-8. */
export function readComment(body: Cell): string | null {
  const slice = body.beginParse()
  if (slice.remainingBits < 32 || slice.loadUint(32) !== 0) return null
  try {
    const text = slice.loadBuffer(slice.remainingBits / 8)
    const parts = [text]
    let next: Cell | undefined = slice.remainingRefs > 0 ? slice.loadRef() : undefined
    while (next !== undefined) {
      const rest = next.beginParse()
      parts.push(rest.loadBuffer(rest.remainingBits / 8))
      next = rest.remainingRefs > 0 ? rest.loadRef() : undefined
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts))
  } catch {
    return null
  }
}

export const shortTransaction = (t: TransactionRecord) => ({
  '@type': 'blocks.shortTxId',
  mode: 135,
  account: t.account,
  lt: t.lt.toString(),
  hash: base64OfHex(t.hash),
})

export function blockHeader(block: Block, workchain: number, before: Block | undefined) {
  return {
    '@type': 'blocks.header',
    id: blockId(block, workchain),
    global_id: -239,
    version: 0,
    flags: 0,
    after_merge: false,
    after_split: false,
    before_split: false,
    want_merge: false,
    want_split: false,
    validator_list_hash_short: 0,
    catchain_seqno: 0,
    min_ref_mc_seqno: Math.max(0, block.seqno - 1),
    is_key_block: block.seqno === 0,
    prev_key_block_seqno: 0,
    start_lt: block.startLt.toString(),
    end_lt: block.endLt.toString(),
    gen_utime: block.utime,
    vert_seqno: 0,
    prev_blocks: before === undefined ? [] : [blockId(before, workchain)],
  }
}

const amounts = (fees: Fees, type: string | null) => ({
  ...(type === null ? {} : { '@type': type }),
  in_fwd_fee: Number(fees.inForward),
  storage_fee: Number(fees.storage),
  gas_fee: Number(fees.gas),
  fwd_fee: Number(fees.forward),
})

export const queryFees = (fees: Fees) => ({
  '@type': 'query.fees',
  source_fees: amounts(fees, 'fees'),
  destination_fees: [],
})

export const feesV3 = (fees: Fees) => ({ source_fees: amounts(fees, null), destination_fees: [] })
