/** A chain's state as lines, and back. Line by line, so that saving a large one never holds the thread for long. */
import { Cell } from '@ton/core'
import { devnetError } from './errors.ts'
import type { Block, TransactionRecord } from './records.ts'
import type { ChainState, Pending } from './state.ts'

/** Another number when the layout changes: an old state is refused, not misread. */
const VERSION = 1

type HeaderLine = ['head', number, { aheadMs: number; mintedLt: string; queue: string[]; pool: string[] }]
type AccountLine = ['a', string, string]
type TransactionLine = ['t', string, string, string, number, number, string, readonly string[], string | null]
type BlockLine = ['b', number, number, string, string, string, string, readonly string[]]
type EndLine = ['end', number]
type Line = HeaderLine | AccountLine | TransactionLine | BlockLine | EndLine

export function* stateToLines(state: ChainState): Generator<Line> {
  const { aheadMs, mintedLt } = state
  let lines = 1
  yield [
    'head',
    VERSION,
    { aheadMs, mintedLt: mintedLt.toString(), queue: state.queue.map(toBoc), pool: state.pool.map(toBoc) },
  ]
  for (const [id, boc] of state.accounts) {
    lines++
    yield ['a', id, boc]
  }
  for (const t of state.transactions) {
    lines++
    yield ['t', t.account, t.lt.toString(), t.hash, t.utime, t.seqno, t.boc, t.messages, t.normHash]
  }
  for (const b of state.blocks) {
    lines++
    const hashes = b.transactions.map((t) => t.hash)
    yield ['b', b.seqno, b.utime, b.startLt.toString(), b.endLt.toString(), b.hash, b.prev, hashes]
  }
  yield ['end', lines]
}

/** Throws `chain.devnet-state` when lines are missing or of another version. */
export async function stateFromLines(lines: AsyncIterable<unknown>): Promise<ChainState> {
  const accounts = new Map<string, string>()
  const transactions = new Map<string, TransactionRecord>()
  const blocks: Block[] = []
  let head: HeaderLine[2] | undefined
  let read = 0
  let isComplete = false
  for await (const line of lines as AsyncIterable<Line>) {
    switch (line[0]) {
      case 'head':
        if (line[1] !== VERSION) throw devnetError('chain.devnet-state', { version: line[1], expected: VERSION })
        head = line[2]
        break
      case 'a':
        accounts.set(line[1], line[2])
        break
      case 't': {
        const [, account, lt, hash, utime, seqno, boc, messages, normHash] = line
        transactions.set(hash, { account, lt: BigInt(lt), hash, utime, seqno, boc, messages, normHash })
        break
      }
      case 'b': {
        const [, seqno, utime, startLt, endLt, hash, prev, hashes] = line
        // What was trimmed since is not there any more, for readers of blocks neither.
        const own = hashes.map((h) => transactions.get(h)).filter((t) => t !== undefined)
        blocks.push({ seqno, utime, startLt: BigInt(startLt), endLt: BigInt(endLt), hash, prev, transactions: own })
        break
      }
      case 'end':
        isComplete = line[1] === read
    }
    read++
  }
  if (head === undefined || !isComplete || blocks.length === 0) throw devnetError('chain.devnet-state', { lines: read })
  return {
    accounts,
    queue: head.queue.map(fromBoc),
    pool: head.pool.map(fromBoc),
    blocks,
    transactions: [...transactions.values()],
    aheadMs: head.aheadMs,
    mintedLt: BigInt(head.mintedLt),
  }
}

const toBoc = (message: Pending): string => message.cell.toBoc().toString('base64')

function fromBoc(boc: string): Pending {
  const cell = Cell.fromBase64(boc)
  return { cell, hash: cell.hash().toString('hex') }
}
