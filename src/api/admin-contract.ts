/** What `/admin` takes: the owner's requests about projects, keys, budgets, usage and receipts. */
import { z } from 'zod'
import {
  BUDGET_SCOPES,
  BUDGET_WINDOWS,
  KEY_SCOPES,
  MEMBER_ROLES,
  RECEIPT_RESULTS,
  USAGE_GROUPS,
} from '../gateway/index.ts'
import { MAX_MODEL_CHARS, parseMaxCost } from './contract.ts'

const MAX_RATE = 1_000_000_000
const MAX_NAME_CHARS = 200
/** 2⁶³−1: what the store can hold. */
const MAX_NANO = 9_223_372_036_854_775_807n

const name = z.string().max(MAX_NAME_CHARS)
const id = z.string().max(64)
const model = z.string().max(MAX_MODEL_CHARS)
const rate = z.int().min(1).max(MAX_RATE).optional()
const time = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text))

export const newProject = z.strictObject({ id, name: name.optional() })

/** Without a project: that of the member who asks, else the default one. */
export const newMember = z.strictObject({ project: id.optional(), name: name.min(1), role: z.enum(MEMBER_ROLES) })

export const changedRole = z.strictObject({ role: z.enum(MEMBER_ROLES) })

export const removeMember = z.strictObject({ keep_keys: z.boolean().default(false) })

export const newKey = z.strictObject({
  project: id.optional(),
  name: name.default(''),
  scopes: z
    .array(z.enum(KEY_SCOPES))
    .min(1)
    .default([...KEY_SCOPES]),
  models: z.array(model.min(1)).max(1_000).default([]),
  limits: z.strictObject({ requests_per_minute: rate, tokens_per_minute: rate, max_concurrent: rate }).default({}),
  expires_at: time.nullable().default(null),
})

export const budgetName = z.strictObject({
  scope: z.enum(BUDGET_SCOPES),
  id: id.default(''),
  model: model.default(''),
  window: z.enum(BUDGET_WINDOWS),
})

/** Null for all proxies that are connected. */
export const closedAccount = z.strictObject({ proxy_contract: z.string().max(100).nullable().default(null) })

const AMOUNT = 'must be nanoTON as a whole number, or TON like "2.5 TON"'

export const newBudget = budgetName.extend({
  limit: z.union([z.int().min(0), z.string()], { error: AMOUNT }).transform((value, context) => {
    const nano = parseMaxCost(value)
    if (nano !== null && nano <= MAX_NANO) return nano
    context.addIssue({ code: 'custom', message: AMOUNT })
    return z.NEVER
  }),
  warn_at_percent: z.int().min(1).max(100).default(80),
})

const format = z.enum(['json', 'csv']).default('json')
const day = z.iso.date()

export const usageQuery = z.strictObject({
  /** `code`: why requests failed or were refused. */
  by: z.enum([...USAGE_GROUPS, 'code']).default('key'),
  project: id.optional(),
  key: id.optional(),
  model: model.optional(),
  from: day.optional(),
  to: day.optional(),
  format,
})

export const receiptsQuery = z.strictObject({
  request: id.optional(),
  project: id.optional(),
  key: id.optional(),
  model: model.optional(),
  result: z.enum(RECEIPT_RESULTS).optional(),
  code: id.optional(),
  from: time.optional(),
  until: time.optional(),
  before: z.coerce.number().int().min(1).optional(),
  limit: z.coerce.number().int().min(1).max(10_000).default(100),
  format,
})
