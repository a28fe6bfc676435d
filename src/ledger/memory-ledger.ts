/** A ledger that lives as long as its process: for tests, and for whoever embeds a proxy without a disk. */
import { createBooks } from './books.ts'
import type { Ledger } from './ledger.ts'

export function createMemoryLedger(options: { readonly pricePerToken: bigint }): Ledger {
  const books = createBooks(options.pricePerToken)
  return {
    ...books,
    async settle(hold, worker, used) {
      const charge = books.take(hold, worker, used)
      books.charge(charge)
      return books.settled(charge)
    },
    async commit() {
      for (const account of books.accounts()) account.chain = account.total
    },
    trouble: () => null,
  }
}
