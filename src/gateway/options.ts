/** Options of the gateway: what is kept, what an amount is worth, who is told of budgets. */
import { z } from 'zod'
import { Secret } from '../util/index.ts'

const httpUrl = z
  .string()
  .refine(
    (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol),
    'must be an http:// or https:// URL',
  )

const decimal = z
  .string()
  .regex(/^\d{1,9}(?:\.\d{1,6})?$/, 'must be a decimal number with at most six digits behind the point')

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
      perTon: decimal
        .optional()
        .describe('What one TON is worth in it, as a decimal number in quotes; or give a source'),
      source: z
        .strictObject({
          url: httpUrl.describe('Asked for the rate with a GET; answers with JSON'),
          path: z
            .string()
            .max(500)
            .default('')
            .describe(
              'Where in the answer the rate stands, like `the-open-network.usd` or `data.0.price`; empty: the answer is the rate',
            ),
          refreshSeconds: z.int().min(10).max(86_400).default(300).describe('How often it is asked'),
          maxAgeSeconds: z
            .int()
            .min(10)
            .max(604_800)
            .default(3_600)
            .describe('How long a rate is shown when no newer one can be read; afterwards amounts are in TON alone'),
          atLeast: decimal.default('0.000001').describe('A lower rate is not believed'),
          atMost: decimal.default('999999999').describe('A higher rate is not believed'),
        })
        .optional(),
    })
    .refine(({ perTon, source }) => (perTon === undefined) !== (source === undefined), {
      path: ['perTon'],
      message: 'give either a constant rate (perTon) or a source (source.url)',
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
  memberKey: z
    .union([
      z.instanceof(Secret<string>),
      z
        .string()
        .regex(/^cm_/, 'must be a credential of a member, which begins with cm_')
        .transform((text) => new Secret(text)),
    ])
    .optional()
    .describe(
      'Credential of a project’s member: `cocoon key` and its like act as that member, not as the owner of the node',
    ),
})

export type GatewayOptions = z.output<typeof gatewayOptions>
