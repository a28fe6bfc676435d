/**
 * The chain: accounts, messages under way, blocks. It knows no sockets, files or timers; whoever holds it says when the next
 * block is made. A message that a transaction sends arrives in the next block at the earliest, so every state in between
 * can be seen. Readers see whole blocks only.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Address, beginCell, Cell, loadMessage, loadStateInit, storeMessage, type Message } from '@ton/core'
import { type Clock, CocoonError, type Log } from '../util/index.ts'
import { devnetError } from './errors.ts'
import { createHistory, type History, type HistoryLimits } from './history.ts'
import { type Block, destinationOf, nameBlock, normalizedHash, recordTransaction } from './records.ts'
import type { ChainState, JournalRecord, Pending } from './state.ts'
import { createView, type Undo, type View } from './view.ts'
import { NO_ACCOUNT, type Vm } from './vm.ts'

/** Messages of one block; the rest waits for the next. At 2 ms each this is two seconds of work. */
const MAX_MESSAGES_PER_BLOCK = 1_000
/** External messages waiting. More than ten blocks of them is not a test but a leak. */
const MAX_POOL = 10_000
/** Blocks start at a multiple, as the main network's do. */
const LT_STEP = 1_000_000n
/** How far back an endpoint can answer from. */
const MAX_LAG_BLOCKS = 128
/** Seconds; the TVM's clock is an unsigned 32-bit number, and a transaction needs some of it. */
const MAX_TIME = 2 ** 32 - 1_000_000
/** Network limits of an external message (configuration parameter 43). */
const MAX_MESSAGE_BYTES = 65_535
const MAX_MESSAGE_DEPTH = 512

/** Where minted money comes from, as on the main network. */
const MINT = new Address(-1, Buffer.alloc(32))

export interface ChainDeps {
  readonly vm: Vm
  readonly clock: Clock
  readonly log: Log
  readonly limits: HistoryLimits
  /** Called before what it tells takes effect; when it throws, nothing happened. */
  readonly journal: (record: JournalRecord) => void
}

export interface MintOptions {
  readonly body?: Cell
  readonly stateInit?: Cell
}

export interface Acknowledged {
  /** Hex. */
  readonly hash: string
  readonly normHash: string
}

export interface Chain {
  /** Parses an external message and asks its contract; throws `request.devnet-parameter`, `request.devnet-refused`. */
  check(boc: Uint8Array): Promise<Pending & Acknowledged>
  /** Takes a checked message into the pool. The same one twice counts once. */
  accept(message: Pending): void
  /** Sends money out of nowhere; it arrives with the next block. Returns the message's hash, hex. */
  mint(to: Address, amountNano: bigint, options?: MintOptions): string
  /** Makes one block. Calls made meanwhile wait for each other. */
  mine(): Promise<Block>
  /** Whether no message is under way. */
  isIdle(): boolean
  /** Seconds. Never behind the last block. */
  now(): number
  /** Moves time; it never goes back. Throws `request.devnet-time`. */
  moveTime(to: { readonly advanceSeconds: number } | { readonly nowSeconds: number }): void
  /** The chain as of its last block, or of one before; throws `request.devnet-not-found`. */
  view(at?: { readonly seqno: number } | { readonly lag: number }): View
  /** A chain that goes its own way from here. It is not saved. */
  branch(name: string): Chain
  capture(): ChainState
  /** Runs between two blocks: a capture taken then has no block half made. */
  quiesced<T>(run: () => Promise<T>): Promise<T>
  /** Calls `listener` after every block, before the next can begin. */
  onBlock(listener: (block: Block) => void): void
  /** Repeats what a journal tells; throws `chain.devnet-state` when it does not fit. */
  replay(record: JournalRecord): Promise<void>
  readonly vm: Vm
  sizes(): { blocks: number; transactions: number; accounts: number; queue: number; pool: number; refused: number }
}

/** The state before the first block. */
export function genesis(clock: Clock): ChainState {
  const block = { seqno: 0, utime: Math.floor(clock.now() / 1000), startLt: 0n, endLt: 0n, prev: '0'.repeat(64) }
  const named: Block = { ...block, transactions: [], hash: nameBlock({ ...block, transactions: [] }, 'genesis') }
  return { accounts: new Map(), queue: [], pool: [], blocks: [named], transactions: [], aheadMs: 0, mintedLt: 0n }
}

export function createChain(deps: ChainDeps, from: ChainState, salt = ''): Chain {
  const { vm, clock, log, limits } = deps
  const history: History = createHistory(limits)
  for (const block of from.blocks) history.addBlockOnly(block)
  for (const transaction of from.transactions) history.addTransaction(transaction)
  const accounts = new Map(from.accounts)
  let queue: readonly Pending[] = from.queue
  let pool: readonly Pending[] = from.pool
  const pooled = new Set(pool.map((m) => m.hash))
  /** Minted while a block is being made: they go behind what that block sends. */
  let arrivals: Pending[] | null = null
  let { aheadMs, mintedLt } = from
  let head = from.blocks.at(-1) as Block
  let undo: Undo[] = []
  let refused = 0
  let tail: Promise<unknown> = Promise.resolve()
  const listeners: ((block: Block) => void)[] = []

  const now = (): number => Math.max(head.utime, Math.floor((clock.now() + aheadMs) / 1000))
  const seedOf = (block: string): Buffer => Buffer.from(block, 'hex')

  /** Runs messages on a copy of what they touch; nothing is visible until `commit`. */
  async function execute(spec: Extract<JournalRecord, { is: 'block' }>): Promise<Block> {
    const { seqno, utime, prev } = spec
    if (seqno !== head.seqno + 1 || prev !== head.hash || spec.internal > queue.length || spec.external > pool.length)
      throw devnetError('chain.devnet-state', { seqno, head: head.seqno })
    const startLt = (head.endLt / LT_STEP + 1n) * LT_STEP
    const messages = [...queue.slice(0, spec.internal), ...pool.slice(0, spec.external)]
    const touched = new Map<string, string>()
    const transactions: Block['transactions'][number][] = []
    const sent: Pending[] = []
    let lt = startLt
    arrivals = []
    for (const { cell } of messages) {
      const address = destinationOf(cell)
      if (address === null) {
        refused++
        log.warn('a message goes nowhere', { message: cell.hash().toString('hex') })
        continue
      }
      const id = address.toRawString()
      const account = touched.get(id) ?? accounts.get(id) ?? NO_ACCOUNT
      const outcome = await vm.run({ account, message: cell, now: utime, lt, seed: seedOf(prev) })
      // The emulator never gives up the thread by itself.
      await nextTurn()
      if (outcome.is === 'refused') {
        refused++
        log.debug('a message was not accepted', { account: id, why: outcome.why, exitCode: outcome.exitCode })
        continue
      }
      const { record, internal } = recordTransaction(outcome.transaction, address, { seqno, utime })
      touched.set(id, outcome.account)
      transactions.push(record)
      for (const message of internal) sent.push({ cell: message, hash: message.hash().toString('hex') })
      lt = record.lt + BigInt(record.messages.length) + 1n
    }
    const unnamed = { seqno, utime, startLt, endLt: lt, prev, transactions }
    const block: Block = { ...unnamed, hash: nameBlock(unnamed, salt) }
    commit(block, touched, [...queue.slice(spec.internal), ...sent, ...arrivals], spec.external)
    return block
  }

  function commit(block: Block, touched: ReadonlyMap<string, string>, left: readonly Pending[], taken: number): void {
    const before = new Map<string, string | undefined>()
    for (const [id, account] of touched) {
      before.set(id, accounts.get(id))
      accounts.set(id, account)
    }
    undo = [...undo.slice(-MAX_LAG_BLOCKS + 1), { seqno: block.seqno, before }]
    for (const message of pool.slice(0, taken)) pooled.delete(message.hash)
    pool = pool.slice(taken)
    queue = left
    arrivals = null
    head = block
    history.add(block)
    for (const listener of listeners) listener(block)
  }

  function enqueue(message: Pending, lt: bigint): void {
    mintedLt = lt
    if (arrivals === null) queue = [...queue, message]
    else arrivals.push(message)
  }

  function add(message: Pending): void {
    pooled.add(message.hash)
    pool = [...pool, message]
  }

  function exclusive<T>(run: () => Promise<T>): Promise<T> {
    const result = tail.then(run)
    tail = result.catch(() => {})
    return result
  }

  const chain: Chain = {
    vm,
    async check(boc) {
      const { message, ...parsed } = parseExternal(boc)
      const address = message.info.dest as Address
      const account = accounts.get(address.toRawString()) ?? NO_ACCOUNT
      const lt = (head.endLt / LT_STEP + 1n) * LT_STEP
      const outcome = await vm.run({ account, message: parsed.cell, now: now(), lt, seed: seedOf(head.hash) })
      if (outcome.is === 'done') return parsed
      const exit = outcome.exitCode === null ? '' : `, exitcode=${outcome.exitCode}`
      throw devnetError('request.devnet-refused', {
        message: `LITE_SERVER_UNKNOWN: cannot apply external message to current state : External message was not accepted\nCannot run message on account: inbound external message rejected by transaction ${parsed.hash.toUpperCase()}:${exit}\n${outcome.why}`,
      })
    },
    accept(message) {
      if (pooled.has(message.hash)) return
      if (pool.length >= MAX_POOL) throw devnetError('capacity.devnet-pool')
      deps.journal({ is: 'external', boc: message.cell.toBoc().toString('base64') })
      add(message)
    },
    mint(to, amountNano, { body = Cell.EMPTY, stateInit } = {}) {
      const lt = (mintedLt > head.endLt ? mintedLt : head.endLt) + 1n
      const info: Message['info'] = {
        type: 'internal',
        ihrDisabled: true,
        bounce: false,
        bounced: false,
        src: MINT,
        dest: to,
        value: { coins: amountNano },
        ihrFee: 0n,
        forwardFee: 0n,
        createdLt: lt,
        createdAt: now(),
      }
      const cell = beginCell()
        .store(
          storeMessage({ info, body, init: stateInit === undefined ? null : loadStateInit(stateInit.beginParse()) }),
        )
        .endCell()
      deps.journal({ is: 'minted', boc: cell.toBoc().toString('base64'), lt: lt.toString() })
      const hash = cell.hash().toString('hex')
      enqueue({ cell, hash }, lt)
      return hash
    },
    mine: () =>
      exclusive(async () => {
        const internal = Math.min(queue.length, MAX_MESSAGES_PER_BLOCK)
        const external = Math.min(pool.length, MAX_MESSAGES_PER_BLOCK - internal)
        const spec = { is: 'block', seqno: head.seqno + 1, utime: now(), prev: head.hash, internal, external } as const
        deps.journal(spec)
        return await execute(spec)
      }),
    isIdle: () => queue.length === 0 && pool.length === 0 && arrivals === null,
    now,
    moveTime(to) {
      const current = now()
      const target = 'nowSeconds' in to ? to.nowSeconds : current + to.advanceSeconds
      if (target < current || target > MAX_TIME)
        throw devnetError('request.devnet-time', { now: current, asked: target, latest: MAX_TIME })
      const ahead = target * 1000 - clock.now()
      deps.journal({ is: 'time', aheadMs: ahead })
      aheadMs = ahead
    },
    view(at = { lag: 0 }) {
      const oldest = head.seqno - undo.length
      const wanted = 'seqno' in at ? at.seqno : Math.max(head.seqno - at.lag, oldest, 0)
      const block = history.blockAt(wanted)
      if (block === undefined || wanted < oldest)
        throw devnetError('request.devnet-not-found', { message: `block ${wanted} is not kept`, oldest })
      return createView({ block, head, undo, accounts, history, now: block === head ? now() : block.utime })
    },
    branch: (name) => createChain({ ...deps, journal: () => {} }, chain.capture(), `${salt}/${name}`),
    capture: () => ({
      accounts: new Map(accounts),
      queue: [...queue, ...(arrivals ?? [])],
      pool,
      blocks: [...history.blocks()],
      transactions: [...history.transactions()],
      aheadMs,
      mintedLt,
    }),
    quiesced: exclusive,
    onBlock: (listener) => void listeners.push(listener),
    replay: (record) => exclusive(() => repeat(record)),
    sizes: () => ({
      ...history.count(),
      accounts: accounts.size,
      queue: queue.length,
      pool: pool.length,
      refused,
    }),
  }

  async function repeat(record: JournalRecord): Promise<void> {
    if (record.is === 'block') await execute(record)
    else if (record.is === 'time') aheadMs = record.aheadMs
    else {
      const cell = Cell.fromBase64(record.boc)
      const message = { cell, hash: cell.hash().toString('hex') }
      if (record.is === 'external') add(message)
      else enqueue(message, BigInt(record.lt))
    }
  }

  return chain
}

/** An external message from outside, within the network's limits. */
function parseExternal(boc: Uint8Array): Pending & Acknowledged & { readonly message: Message } {
  try {
    if (boc.length > MAX_MESSAGE_BYTES) throw new RangeError(`more than ${MAX_MESSAGE_BYTES} bytes`)
    const [cell, ...more] = Cell.fromBoc(Buffer.from(boc))
    if (cell === undefined || more.length > 0) throw new RangeError('not one root cell')
    if (cell.depth() > MAX_MESSAGE_DEPTH) throw new RangeError(`deeper than ${MAX_MESSAGE_DEPTH} cells`)
    const message = loadMessage(cell.beginParse())
    if (message.info.type !== 'external-in') throw new TypeError('not an external message')
    if (message.info.dest.workChain !== 0 && message.info.dest.workChain !== -1)
      throw new RangeError(`no workchain ${message.info.dest.workChain}`)
    return { cell, hash: cell.hash().toString('hex'), normHash: normalizedHash(message), message }
  } catch (cause) {
    if (cause instanceof CocoonError) throw cause
    throw devnetError('request.devnet-parameter', { message: `boc: ${(cause as Error).message}` }, cause)
  }
}
