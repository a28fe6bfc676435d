/**
 * A chain for tests: a node wallet's rules, real transaction cells, and endpoints that speak toncenter's v2 and fail on
 * order. Time and blocks come from the test's clock.
 */
import {
  Address,
  beginCell,
  Cell,
  Dictionary,
  loadMessage,
  loadMessageRelaxed,
  storeMessage,
  type Message,
  storeTransaction,
  type Transaction,
} from '@ton/core'
import { type Clock, toHex } from '../util/index.ts'
import { loadWalletOrder, walletState, type WalletParties } from './contracts/node-wallet.ts'
import { isSignatureValid } from './ed25519.ts'
import type { HttpAnswer, HttpPost, HttpRequest } from './toncenter/http.ts'

const BLOCK_MS = 4_000
const FEE_NANO = 2_000_000n

interface Snapshot {
  readonly balance: bigint
  readonly code: Cell | null
  readonly data: Cell | null
  readonly lastLt: bigint
  readonly lastHash: string
  /** Newest first. */
  readonly history: readonly { readonly cell: Cell; readonly lt: bigint }[]
}

export interface ScriptedChain {
  readonly clock: Clock
  /** Block number now. */
  seqno(): number
  account(address: Address): Snapshot
  /** As of some blocks ago. */
  accountAt(address: Address, seqno: number): Snapshot
  set(address: Address, change: Partial<Pick<Snapshot, 'balance' | 'code' | 'data'>>): void
  /** The words of a refusal, or null when the wallet has run. */
  apply(external: Cell): string | null
  /** Bodies that wallets have sent out, in order. */
  readonly paid: { readonly to: string; readonly body: string }[]
  /** The next messages run, but their transfers do not leave; `counted` wallets count them all the same. */
  failTransfers: 'no' | 'uncounted' | 'counted'
}

const EMPTY: Snapshot = {
  balance: 0n,
  code: null,
  data: null,
  lastLt: 0n,
  lastHash: '0'.repeat(64),
  history: [],
}

export function createScriptedChain(clock: Clock): ScriptedChain {
  const versions = new Map<string, { readonly seqno: number; readonly state: Snapshot }[]>()
  const startMs = clock.now()
  let lt = 1_000_000n
  const seqno = (): number => 1_000 + Math.floor((clock.now() - startMs) / BLOCK_MS)
  const accountAt = (address: Address, at: number): Snapshot =>
    versions.get(address.toRawString())?.findLast((v) => v.seqno <= at)?.state ?? EMPTY
  const account = (address: Address): Snapshot => accountAt(address, Number.MAX_SAFE_INTEGER)
  const write = (address: Address, state: Snapshot): void => {
    const key = address.toRawString()
    versions.set(key, [...(versions.get(key) ?? []), { seqno: seqno(), state }])
  }

  const chain: ScriptedChain = {
    clock,
    seqno,
    account,
    accountAt,
    paid: [],
    failTransfers: 'no',
    set: (address, change) => write(address, { ...account(address), ...change }),
    apply(external) {
      const message = loadMessage(external.beginParse())
      const to = message.info.dest as Address
      const before = account(to)
      const data = before.data ?? message.init?.data
      if (data === undefined || data === null) return 'account is not deployed: not accepted'
      const state = walletState.loadCell(data)
      const order = loadWalletOrder(message.body)
      const refused = refusal(order, state, before.balance, clock)
      if (refused !== 0) return `cannot apply external message: exitcode=${refused}`
      const isFailing = chain.failTransfers !== 'no'
      const out = isFailing ? [] : order.transfers.map((t) => loadMessageRelaxed(t.message.beginParse()))
      const values = out.reduce((sum, m) => sum + (m.info.type === 'internal' ? m.info.value.coins : 0n), 0n)
      const counted = chain.failTransfers !== 'uncounted'
      lt += 10n
      const cell = transactionCell({
        address: to,
        lt,
        now: Math.floor(clock.now() / 1000),
        prev: before,
        message,
        out: out.map((m, i) => ({ ...m, info: { ...m.info, src: to, createdLt: lt + BigInt(i) + 1n } }) as Message),
        resultCode: isFailing ? 37 : 0,
        ok: counted,
      })
      for (const m of out) chain.paid.push({ to: String(m.info.dest), body: toHex(m.body.hash()) })
      write(to, {
        balance: before.balance - values - FEE_NANO,
        code: before.code ?? message.init?.code ?? null,
        data: counted ? walletState.storeCell({ ...state, seqno: state.seqno + 1 }) : data,
        lastLt: lt,
        lastHash: toHex(cell.hash()),
        history: [{ cell, lt }, ...before.history],
      })
      return null
    },
  }
  return chain
}

function refusal(
  order: ReturnType<typeof loadWalletOrder>,
  state: { readonly seqno: number; readonly status: number; readonly subwallet: number } & Pick<
    WalletParties,
    'publicKey'
  >,
  balance: bigint,
  clock: Clock,
): number {
  if (order.validUntilS <= Math.floor(clock.now() / 1000)) return 1030
  if ((state.status & 1) !== 0) return 1031
  if (order.seqno !== state.seqno) return 1032
  if (order.subwallet !== state.subwallet) return 1033
  if (!isSignatureValid(state.publicKey, order.hash, order.signature)) return 1034
  return balance < 2_000_000_000n ? 1035 : 0
}

function transactionCell(of: {
  readonly address: Address
  readonly lt: bigint
  readonly now: number
  readonly prev: Snapshot
  readonly message: Message
  readonly out: readonly Message[]
  readonly resultCode: number
  readonly ok: boolean
}): Cell {
  const outMessages = Dictionary.empty<number, Message>(Dictionary.Keys.Uint(15), {
    serialize: (m, into) => void into.storeRef(beginCell().store(storeMessage(m)).endCell()),
    parse: (from) => loadMessage(from.loadRef().beginParse()),
  })
  const transaction: Omit<Transaction, 'raw' | 'hash'> = {
    address: BigInt(`0x${of.address.hash.toString('hex')}`),
    lt: of.lt,
    prevTransactionHash: BigInt(`0x${of.prev.lastHash}`),
    prevTransactionLt: of.prev.lastLt,
    now: of.now,
    outMessagesCount: of.out.length,
    oldStatus: 'active',
    endStatus: 'active',
    inMessage: of.message,
    outMessages,
    totalFees: { coins: FEE_NANO },
    stateUpdate: { oldHash: Buffer.alloc(32), newHash: Buffer.alloc(32) },
    description: {
      type: 'generic',
      creditFirst: true,
      computePhase: {
        type: 'vm',
        success: true,
        messageStateUsed: false,
        accountActivated: false,
        gasFees: 0n,
        gasUsed: 0n,
        gasLimit: 0n,
        mode: 0,
        exitCode: 0,
        vmSteps: 1,
        vmInitStateHash: 0n,
        vmFinalStateHash: 0n,
      },
      actionPhase: {
        success: of.resultCode === 0,
        valid: true,
        noFunds: of.resultCode !== 0,
        statusChange: 'unchanged',
        resultCode: of.resultCode,
        totalActions: of.out.length,
        specActions: 0,
        skippedActions: 0,
        messagesCreated: of.out.length,
        actionListHash: 0n,
        totalMessageSize: { cells: 0n, bits: 0n },
      },
      aborted: of.resultCode !== 0,
      destroyed: false,
    },
  }
  for (const [i, m] of of.out.entries()) outMessages.set(i, m)
  return beginCell()
    .store(storeTransaction(transaction as Transaction))
    .endCell()
}

/** What goes wrong with one request; `state` faults show another chain than there is. */
export type Fault =
  | 'none'
  | 'no connection'
  | 'too many'
  | 'server error'
  | 'garbage'
  | 'wrong shape'
  /** The answer is lost, but the message arrives. */
  | 'answer lost'
  /** Said to be accepted, and forgotten. */
  | 'message lost'
  /** Arrives again and again. */
  | 'message doubled'
  /** Arrives much later. */
  | 'message late'
  /** As it was a while ago, and says so. */
  | 'behind'
  /** As it was a while ago, at a block of now. */
  | 'fork'

export interface ScriptedEndpoint {
  readonly post: HttpPost
  /** Answers a JSON-RPC request as a server would. */
  answer(body: string): HttpAnswer | null
  readonly requests: { readonly method: string; readonly key: string | null }[]
}

export function createScriptedEndpoint(
  chain: ScriptedChain,
  options: {
    readonly fault?: () => Fault
    readonly late?: (run: () => void) => void
    /** The clock of its server; it says none without. */
    readonly dateMs?: () => number
    /** Lower-case hex. */
    readonly zeroState?: () => string
  } = {},
): ScriptedEndpoint {
  const { fault = () => 'none', late = () => {} } = options
  const requests: { method: string; key: string | null }[] = []
  let forkedAt: number | null = null

  function answer(body: string): HttpAnswer | null {
    const { method, params } = JSON.parse(body) as { method: string; params: Readonly<Record<string, string>> }
    const kind = fault()
    const http = (status: number, value: unknown): HttpAnswer => ({
      status,
      retryAfterMs: status === 429 ? 1_000 : null,
      dateMs: options.dateMs?.() ?? null,
      text: typeof value === 'string' ? value : JSON.stringify(value),
    })
    const ok = (result: unknown): HttpAnswer => http(200, { ok: true, result, id: '1', jsonrpc: '2.0' })
    if (kind === 'no connection') return null
    if (kind === 'too many') return http(429, { ok: false, error: 'Ratelimit exceed', code: 429 })
    if (kind === 'server error') return http(500, { ok: false, error: 'LITE_SERVER_NETWORK', code: 500 })
    if (kind === 'garbage') return http(200, '<html>')
    if (kind === 'wrong shape') return ok({ balance: [], '@type': 'x' })
    if (method === 'sendBoc') return sendBoc(kind, params.boc as string, ok, http)
    const at = blockFor(kind)
    const result = read(method, params, at)
    return kind === 'answer lost' ? null : ok(result)
  }

  function sendBoc(
    kind: Fault,
    boc: string,
    ok: (result: unknown) => HttpAnswer,
    http: (status: number, value: unknown) => HttpAnswer,
  ): HttpAnswer | null {
    const message = Cell.fromBase64(boc)
    if (kind === 'message lost') return ok({ '@type': 'ok' })
    if (kind === 'message late') {
      late(() => void chain.apply(message))
      return ok({ '@type': 'ok' })
    }
    const refused = chain.apply(message)
    if (kind === 'message doubled') {
      chain.apply(message)
      late(() => void chain.apply(message))
    }
    if (kind === 'answer lost') return null
    return refused === null ? ok({ '@type': 'ok' }) : http(500, { ok: false, error: refused, code: 500 })
  }

  /** `shown` is whose state, `told` what it is said to be. */
  function blockFor(kind: Fault): { readonly shown: number; readonly told: number } {
    const now = chain.seqno()
    if (kind === 'behind') return { shown: now - 8, told: now - 8 }
    if (kind === 'fork') {
      forkedAt ??= now - 1
      return { shown: forkedAt, told: now }
    }
    return { shown: now, told: now }
  }

  function read(
    method: string,
    params: Readonly<Record<string, string>>,
    at: { shown: number; told: number },
  ): unknown {
    const address = (params.address === undefined ? null : Address.parse(params.address)) as Address
    const utime = Math.floor(chain.clock.now() / 1000) - (chain.seqno() - at.told) * (BLOCK_MS / 1000)
    const id = { '@type': 'ton.blockIdExt', workchain: -1, shard: '-9223372036854775808', seqno: at.told }
    const zeroState = Buffer.from(options.zeroState?.() ?? '5e'.repeat(32), 'hex').toString('base64')
    if (method === 'getMasterchainInfo')
      return { '@type': 'blocks.masterchainInfo', last: id, init: { workchain: -1, seqno: 0, root_hash: zeroState } }
    if (method === 'getBlockHeader') return { '@type': 'blocks.header', gen_utime: utime }
    const state = chain.accountAt(address, at.shown)
    if (method === 'getAddressInformation')
      return {
        '@type': 'raw.fullAccountState',
        balance: state.balance.toString(),
        code: state.code?.toBoc().toString('base64') ?? '',
        data: state.data?.toBoc().toString('base64') ?? '',
        state: state.data === null ? 'uninitialized' : 'active',
        last_transaction_id: transactionId(state.lastLt, state.lastHash),
        block_id: id,
        sync_utime: utime,
      }
    if (method === 'getTransactions')
      return state.history
        .filter((t) => t.lt <= BigInt(params.lt as string))
        .slice(0, Math.min(Number(params.limit), 3))
        .map((t) => ({
          data: t.cell.toBoc().toString('base64'),
          transaction_id: transactionId(t.lt, toHex(t.cell.hash())),
        }))
    throw new RangeError(`no such method: ${method}`)
  }

  return {
    answer,
    requests,
    post: (request: HttpRequest) => {
      const { method } = JSON.parse(request.body) as { method: string }
      requests.push({ method, key: request.headers['x-api-key'] ?? null })
      const result = answer(request.body)
      return result === null ? Promise.reject(new Error('connection reset')) : Promise.resolve(result)
    },
  }
}

const transactionId = (lt: bigint, hash: string): unknown => ({
  lt: lt.toString(),
  hash: Buffer.from(hash, 'hex').toString('base64'),
})
