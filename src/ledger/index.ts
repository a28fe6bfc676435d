/** Tokens, reservations, settlements and totals. Knows no sockets: what leaves the process is somebody else's business. */
export { createGroupCommit, type GroupCommit } from './group-commit.ts'
export { createMemoryLedger } from './memory-ledger.ts'
export { createSqliteLedger, type SqliteLedgerDeps, type SqliteLedgerOptions } from './sqlite-ledger.ts'
export type { LedgerErrorCode } from './errors.ts'
export type {
  ClientAccount,
  ClientFunds,
  Commitment,
  DurableLedger,
  Facts,
  Hold,
  Ledger,
  OwnerKey,
  Settled,
  Totals,
  WorkerAccount,
} from './ledger.ts'
export {
  adjust,
  adjustUsage,
  NO_TOKENS,
  ONE_MULTIPLIER,
  upperBound,
  type AdjustedTokens,
  type RawTokens,
} from './tokens.ts'
export { judgeUsage, type UsageBounds, type UsageProblem } from './usage.ts'
