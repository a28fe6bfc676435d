/** Options of the gateway: what is kept, what an amount is worth, who is told of budgets. */
import { z } from 'zod'
import { Secret } from '../util/index.ts'

const httpUrl = z
  .string()
  .refine(
    (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol),
    'must be an http:// or https:// URL',
  )

export const gatewayOptions = z.strictObject({
  keepReceipts: z
    .int()
    .min(1_000)
    .max(100_000_000)
    .default(1_000_000)
    .describe('Receipts kept one by one; the sums of older ones stay in the usage by day'),
  keepFreeReceipts: z
    .int()
    .min(1_000)
    .max(100_000_000)
    .default(100_000)
    .describe('As many again of requests that cost nothing: refused, failed or cancelled before an answer'),
  fiat: z
    .strictObject({
      currency: z
        .string()
        .regex(/^[A-Z]{3}$/, 'must be a code of three capitals, like USD')
        .describe('Code of the currency in which amounts are shown besides TON'),
      perTon: z
        .string()
        .regex(/^\d{1,9}(?:\.\d{1,6})?$/, 'must be a decimal number with at most six digits behind the point')
        .describe('What one TON is worth in it, as a decimal number in quotes'),
    })
    .optional()
    .describe('Shows amounts in a currency as well; accounts are kept in nanoTON'),
  webhook: z
    .strictObject({
      url: httpUrl.describe('Told with a POST when a budget is nearly spent'),
      secret: z
        .union([
          z.instanceof(Secret<string>),
          z
            .string()
            .min(16)
            .transform((text) => new Secret(text)),
        ])
        .optional()
        .describe('Signs what is sent: HMAC-SHA256 in `x-cocoon-signature`'),
    })
    .optional()
    .describe('Where to send warnings of budgets'),
})

export type GatewayOptions = z.output<typeof gatewayOptions>
