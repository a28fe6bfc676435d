/** Accounts, transactions, messages and blocks as toncenter's API v3 shows them. */
import {
  type AccountStatus,
  Address,
  beginCell,
  Cell,
  loadTransaction,
  type Message,
  storeStateInit,
  type Transaction,
} from '@ton/core'
import { unreachable } from '../../util/index.ts'
import type { AccountFacts } from '../account.ts'
import type { Block, TransactionRecord } from '../records.ts'
import type { WalletFacts } from '../wallets.ts'
import { base64OfHex, blockHashes, bocOf, readComment } from './render-v2.ts'

const SHARD = '8000000000000000'

/** `0:ABC…` in capitals. */
export const rawAddress = (id: string): string => id.toUpperCase()
const base64OfInt = (value: bigint): string => base64OfHex(value.toString(16).padStart(64, '0'))
const orNull = (boc: string): string | null => (boc === '' ? null : boc)
const extra = (account: AccountFacts) =>
  Object.fromEntries(account.extra.map(([id, amount]) => [id.toString(), amount.toString()]))

export function addressInformationV3(account: AccountFacts) {
  return {
    balance: account.balance.toString(),
    code: orNull(bocOf(account.code)),
    data: orNull(bocOf(account.data)),
    frozen_hash: account.frozenHash === null ? null : base64OfHex(account.frozenHash),
    last_transaction_hash: base64OfHex(account.lastHash),
    last_transaction_lt: account.lastLt.toString(),
    status: account.status,
  }
}

export function accountState(id: string, account: AccountFacts, includeBoc: boolean) {
  return {
    address: rawAddress(id),
    account_state_hash: base64OfHex(account.stateHash),
    balance: account.balance.toString(),
    extra_currencies: extra(account),
    status: account.status,
    last_transaction_hash: base64OfHex(account.lastHash),
    last_transaction_lt: account.lastLt.toString(),
    frozen_hash: account.frozenHash === null ? null : base64OfHex(account.frozenHash),
    data_hash: account.data?.hash().toString('base64') ?? null,
    code_hash: account.code?.hash().toString('base64') ?? null,
    ...(includeBoc ? { data_boc: orNull(bocOf(account.data)), code_boc: orNull(bocOf(account.code)) } : {}),
    interfaces: [],
    contract_methods: [],
  }
}

export function walletInformation(account: AccountFacts, wallet: WalletFacts | null) {
  return {
    balance: account.balance.toString(),
    ...(wallet === null ? {} : { wallet_type: wallet.type, seqno: wallet.seqno }),
    ...(wallet?.walletId === null || wallet === null ? {} : { wallet_id: wallet.walletId }),
    last_transaction_hash: base64OfHex(account.lastHash),
    last_transaction_lt: account.lastLt.toString(),
    status: account.status,
  }
}

export function walletState(id: string, account: AccountFacts, wallet: WalletFacts | null) {
  return {
    address: rawAddress(id),
    is_wallet: wallet !== null,
    ...walletInformation(account, wallet),
    ...(wallet === null || wallet.isSignatureAllowed === null
      ? {}
      : { is_signature_allowed: wallet.isSignatureAllowed }),
    extra_currencies: extra(account),
    code_hash: account.code?.hash().toString('base64') ?? null,
  }
}

const STATUSES = { 'non-existing': 'nonexist', uninitialized: 'uninit', active: 'active', frozen: 'frozen' } as const
const status = (s: AccountStatus): string => STATUSES[s]

export function transactionV3(record: TransactionRecord) {
  const tx = loadTransaction(Cell.fromBase64(record.boc).beginParse())
  const messages = messagesOf(record, tx)
  return {
    account: rawAddress(record.account),
    hash: base64OfHex(record.hash),
    lt: record.lt.toString(),
    now: record.utime,
    mc_block_seqno: record.seqno,
    prev_trans_hash: base64OfInt(tx.prevTransactionHash),
    prev_trans_lt: tx.prevTransactionLt.toString(),
    orig_status: status(tx.oldStatus),
    end_status: status(tx.endStatus),
    total_fees: tx.totalFees.coins.toString(),
    total_fees_extra_currencies: {},
    description: description(tx),
    block_ref: { workchain: Number(record.account.split(':')[0]), shard: SHARD, seqno: record.seqno },
    in_msg: messages.inbound,
    out_msgs: messages.out,
    account_state_before: stateRef(tx.stateUpdate.oldHash),
    account_state_after: stateRef(tx.stateUpdate.newHash),
    emulated: false,
  }
}

/** The states themselves are not kept, only what names them. */
const stateRef = (hash: Buffer) => ({
  hash: hash.toString('base64'),
  balance: null,
  extra_currencies: null,
  account_status: null,
  frozen_hash: null,
  data_hash: null,
  code_hash: null,
})

export function messagesOf(record: TransactionRecord, parsed?: Transaction) {
  const tx = parsed ?? loadTransaction(Cell.fromBase64(record.boc).beginParse())
  const offset = tx.inMessage ? 1 : 0
  return {
    inbound: tx.inMessage ? messageV3(tx.inMessage, record.messages[0] as string, record.normHash) : null,
    out: tx.outMessages.values().map((m, i) => messageV3(m, record.messages[i + offset] as string, null)),
  }
}

function messageV3(m: Message, hash: string, normHash: string | null) {
  const { info } = m
  const isInternal = info.type === 'internal'
  const at = info.type === 'external-in' ? null : info
  const body = m.body.beginParse()
  const opcode = body.remainingBits >= 32 ? body.loadUint(32) : null
  const comment = readComment(m.body)
  const init = m.init ? beginCell().store(storeStateInit(m.init)).endCell() : null
  return {
    hash: base64OfHex(hash),
    ...(normHash === null ? {} : { hash_norm: base64OfHex(normHash) }),
    source: info.src instanceof Address ? rawAddress(info.src.toRawString()) : null,
    destination: info.dest instanceof Address ? rawAddress(info.dest.toRawString()) : null,
    value: isInternal ? info.value.coins.toString() : null,
    value_extra_currencies: isInternal ? {} : null,
    fwd_fee: isInternal ? info.forwardFee.toString() : null,
    ihr_fee: isInternal ? info.ihrFee.toString() : null,
    created_lt: at?.createdLt.toString() ?? null,
    created_at: at?.createdAt.toString() ?? null,
    opcode: opcode === null ? null : `0x${opcode.toString(16).padStart(8, '0')}`,
    ihr_disabled: isInternal ? info.ihrDisabled : null,
    bounce: isInternal ? info.bounce : null,
    bounced: isInternal ? info.bounced : null,
    import_fee: info.type === 'external-in' ? info.importFee.toString() : null,
    message_content: {
      hash: m.body.hash().toString('base64'),
      body: bocOf(m.body),
      decoded: comment === null ? null : { type: 'text_comment', comment },
    },
    init_state: init === null ? null : { hash: init.hash().toString('base64'), body: bocOf(init) },
  }
}

const CHANGES = { unchanged: 'unchanged', frozen: 'frozen', deleted: 'deleted' } as const
const SKIPPED = { 'no-state': 'no_state', 'bad-state': 'bad_state', 'no-gas': 'no_gas' } as const

function description({ description: d }: Transaction) {
  if (d.type !== 'generic') return { type: d.type.replace('-', '_') }
  const { computePhase: c, actionPhase: a, storagePhase: s, creditPhase, bouncePhase: b } = d
  return {
    type: 'ord',
    aborted: d.aborted,
    destroyed: d.destroyed,
    credit_first: d.creditFirst,
    ...(s
      ? {
          storage_ph: {
            storage_fees_collected: s.storageFeesCollected.toString(),
            ...(s.storageFeesDue ? { storage_fees_due: s.storageFeesDue.toString() } : {}),
            status_change: CHANGES[s.statusChange],
          },
        }
      : {}),
    ...(creditPhase
      ? {
          credit_ph: {
            ...(creditPhase.dueFeesColelcted ? { due_fees_collected: creditPhase.dueFeesColelcted.toString() } : {}),
            credit: creditPhase.credit.coins.toString(),
          },
        }
      : {}),
    compute_ph:
      c.type === 'skipped'
        ? { skipped: true, reason: (SKIPPED as Readonly<Record<string, string>>)[c.reason] ?? c.reason }
        : {
            skipped: false,
            success: c.success,
            msg_state_used: c.messageStateUsed,
            account_activated: c.accountActivated,
            gas_fees: c.gasFees.toString(),
            gas_used: c.gasUsed.toString(),
            gas_limit: c.gasLimit.toString(),
            ...(c.gasCredit ? { gas_credit: c.gasCredit.toString() } : {}),
            mode: c.mode,
            exit_code: c.exitCode,
            ...(c.exitArg ? { exit_arg: c.exitArg } : {}),
            vm_steps: c.vmSteps,
            vm_init_state_hash: base64OfInt(c.vmInitStateHash),
            vm_final_state_hash: base64OfInt(c.vmFinalStateHash),
          },
    ...(a
      ? {
          action: {
            success: a.success,
            valid: a.valid,
            no_funds: a.noFunds,
            status_change: CHANGES[a.statusChange],
            ...(a.totalFwdFees ? { total_fwd_fees: a.totalFwdFees.toString() } : {}),
            ...(a.totalActionFees ? { total_action_fees: a.totalActionFees.toString() } : {}),
            result_code: a.resultCode,
            ...(a.resultArg ? { result_arg: a.resultArg } : {}),
            tot_actions: a.totalActions,
            spec_actions: a.specActions,
            skipped_actions: a.skippedActions,
            msgs_created: a.messagesCreated,
            action_list_hash: base64OfInt(a.actionListHash),
            tot_msg_size: { cells: a.totalMessageSize.cells.toString(), bits: a.totalMessageSize.bits.toString() },
          },
        }
      : {}),
    ...(b ? { bounce: bounce(b) } : {}),
  }
}

type Bounce = NonNullable<Extract<Transaction['description'], { type: 'generic' }>['bouncePhase']>

function bounce(b: Bounce) {
  const size = (s: { cells: bigint; bits: bigint }) => ({ cells: s.cells.toString(), bits: s.bits.toString() })
  switch (b.type) {
    case 'ok':
      return {
        type: 'ok',
        msg_size: size(b.messageSize),
        msg_fees: b.messageFees.toString(),
        fwd_fees: b.forwardFees.toString(),
      }
    case 'no-funds':
      return { type: 'nofunds', msg_size: size(b.messageSize), req_fwd_fees: b.requiredForwardFees.toString() }
    case 'negative-funds':
      return { type: 'negfunds' }
    default:
      return unreachable(b)
  }
}

export function blockV3(block: Block, workchain: number, transactions: number) {
  const { root, file } = blockHashes(block, workchain)
  return {
    workchain,
    shard: SHARD,
    seqno: block.seqno,
    root_hash: root,
    file_hash: file,
    global_id: -239,
    version: 0,
    after_merge: false,
    before_split: false,
    after_split: false,
    want_merge: false,
    want_split: false,
    key_block: block.seqno === 0,
    vert_seqno_incr: false,
    flags: 0,
    gen_utime: block.utime.toString(),
    start_lt: block.startLt.toString(),
    end_lt: block.endLt.toString(),
    validator_list_hash_short: 0,
    gen_catchain_seqno: 0,
    min_ref_mc_seqno: Math.max(0, block.seqno - 1),
    prev_key_block_seqno: 0,
    vert_seqno: 0,
    master_ref_seqno: block.seqno,
    tx_count: transactions,
    masterchain_block_ref: { workchain: -1, shard: SHARD, seqno: block.seqno },
    prev_blocks: block.seqno === 0 ? [] : [{ workchain, shard: SHARD, seqno: block.seqno - 1 }],
  }
}

export function addressBook(ids: Iterable<string>) {
  const entries = [...new Set(ids)].map(
    (id) =>
      [id, { user_friendly: Address.parseRaw(id.toLowerCase()).toString(), domain: null, interfaces: null }] as const,
  )
  return Object.fromEntries(entries)
}
