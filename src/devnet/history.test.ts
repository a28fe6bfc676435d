import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createHistory } from './history.ts'
import type { Block, TransactionRecord } from './records.ts'

/** A block for each list: the accounts of its transactions. */
function blocksOf(accounts: readonly (readonly number[])[]): Block[] {
  let lt = 0n
  return accounts.map((own, seqno) => {
    const transactions = own.map((n): TransactionRecord => {
      lt++
      return {
        account: `0:${n}`,
        lt,
        hash: `t${lt}`,
        utime: seqno,
        seqno,
        boc: '',
        messages: [`m${lt}`, `m${lt + 1n}`],
        normHash: `n${lt}`,
      }
    })
    return { seqno, utime: seqno, startLt: 0n, endLt: lt, hash: `b${seqno}`, prev: `b${seqno - 1}`, transactions }
  })
}

test('exactly the last ones are kept, of each account and of all, and indexes name nothing else', () => {
  const limits = { keepBlocks: 5, keepTransactions: 12, keepTransactionsPerAccount: 4 }
  fc.assert(
    fc.property(fc.array(fc.array(fc.nat(4), { maxLength: 6 }), { minLength: 1, maxLength: 30 }), (accounts) => {
      const history = createHistory(limits)
      const model: TransactionRecord[] = []
      for (const block of blocksOf(accounts)) {
        history.add(block)
        for (const t of block.transactions) {
          model.push(t)
          const own = model.filter((m) => m.account === t.account)
          if (own.length > limits.keepTransactionsPerAccount)
            model.splice(model.indexOf(own[0] as TransactionRecord), 1)
          if (model.length > limits.keepTransactions) model.shift()
        }
      }
      expect([...history.transactions()]).toEqual(model)
      for (let n = 0; n <= 4; n++)
        expect(history.ofAccount(`0:${n}`)).toEqual(model.filter((t) => t.account === `0:${n}`))
      for (let lt = 1n; lt <= 200n; lt++) {
        expect(history.byMessage(`m${lt}`)).toEqual(model.filter((t) => t.messages.includes(`m${lt}`)))
        expect(history.byMessage(`n${lt}`)).toEqual(model.filter((t) => t.normHash === `n${lt}`))
      }
      expect(history.blocks().length).toBeLessThanOrEqual(limits.keepBlocks)
      const last = accounts.length - 1
      expect(history.blockAt(last)?.seqno).toBe(last)
      expect(history.blockAt(last + 1)).toBe(undefined)
      for (const block of history.blocks()) expect(history.blockAt(block.seqno)).toBe(block)
    }),
    { numRuns: 100 },
  )
})
