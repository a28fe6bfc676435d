/**
 * Keys, projects, budgets, rate limits and receipts of a client node. `openGateway` keeps them, `meterInference` makes every
 * request pass them. Prompts and answers are no business of this folder.
 */
export {
  type ApiKey,
  BUDGET_SCOPES,
  BUDGET_WINDOWS,
  type Budget,
  type BudgetName,
  DEFAULT_PROJECT,
  KEY_SCOPES,
  type KeyScope,
  NOBODY,
  MEMBER_ROLES,
  type Member,
  type MemberRole,
  type RateLimits,
  RECEIPT_RESULTS,
  type Receipt,
  type Refused,
} from './accounts.ts'
export type { BudgetState, Reservation } from './budgets.ts'
export { type Fiat, formatFiat } from './fiat.ts'
export { type Gateway, type GatewayDeps, openGateway } from './gateway.ts'
export { meterInference } from './metered-inference.ts'
export { type GatewayOptions, gatewayOptions } from './options.ts'
export {
  type ReasonFilter,
  type ReasonRow,
  type ReceiptFilter,
  type ReceiptPage,
  USAGE_GROUPS,
  type UsageFilter,
  type UsageRow,
} from './queries.ts'
