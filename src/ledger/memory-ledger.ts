/** A ledger that lives as long as its process: for tests, and for whoever embeds a proxy without a disk. */
import { committedTotal, createBooks } from './books.ts'
import type { Ledger } from './ledger.ts'

export function createMemoryLedger(options: { readonly pricePerToken: bigint }): Ledger {
  const books = createBooks(options.pricePerToken)
  const facts = new Map<string, string>()
  return {
    ...books,
    async settle(hold, worker, used) {
      const charge = books.take(hold, worker, used)
      books.charge(charge)
      return books.settled(charge)
    },
    async commit(upTo) {
      for (const account of books.accounts()) account.chain = committedTotal(account, upTo)
    },
    async remember(changes) {
      for (const [name, value] of Object.entries(changes))
        if (value === null) facts.delete(name)
        else facts.set(name, value)
    },
    fact: (name) => facts.get(name),
    trouble: () => null,
  }
}
