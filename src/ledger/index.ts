/** Tokens, reservations, settlements and totals. Knows no sockets: what leaves the process is somebody else's business. */
export { createSnapshotFile, type LedgerSnapshot, noSnapshots, type SnapshotStore } from './snapshot.ts'
export { createMemoryLedger } from './ledger.ts'
export type { ClientAccount, ClientFunds, Hold, Ledger, OwnerKey, Settled, Totals, WorkerAccount } from './ledger.ts'
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
