/** Configuration of the HTTP engine. */
import { z } from 'zod'
import { Secret } from '../util/index.ts'

/** More sockets to one engine than any engine schedules at once; a guard against a slip of the keyboard. */
const MAX_CONNECTIONS = 16_384

export const httpEngineOptions = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .describe('Where the engine listens, without `/v1` (which is stripped when given), e.g. `http://127.0.0.1:8000`'),
  apiKey: z
    .string()
    .min(1)
    .transform((key) => new Secret(key))
    .optional()
    .describe('Sent as `Authorization: Bearer …`. Callers’ own credentials are never passed on'),
  headers: z
    .record(z.string(), z.string())
    .optional()
    .describe('Headers added to every request to the engine; they win over the caller’s'),
  maxConnections: z
    .int()
    .min(1)
    .max(MAX_CONNECTIONS)
    .default(512)
    .describe('Requests at the engine at once; further ones wait here, within their own time'),
  connectTimeoutMs: z.int().min(10).max(60_000).default(5_000).describe('Time to establish a TCP (and TLS) connection'),
})

export type HttpEngineOptions = z.output<typeof httpEngineOptions>
