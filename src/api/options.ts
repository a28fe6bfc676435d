/** Options of the HTTP servers: defaults, units and bounds. */
import { z } from 'zod'
import { Secret } from '../util/index.ts'
import { MAX_INT31, MAX_TIMEOUT_SECONDS } from './contract.ts'

const MIB = 1024 * 1024

/** A key of printable ASCII without blanks, so that it fits a header. */
const apiKey = z.union([
  z.instanceof(Secret<string>),
  z
    .string()
    .regex(/^[\x21-\x7e]{8,512}$/, 'must be 8 to 512 printable characters without blanks')
    .transform((key) => new Secret(key)),
])

const listen = {
  host: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('Address to listen on. Anything but loopback lets others spend this node’s money: set `apiKey` too'),
  port: z.int().min(0).max(65_535).default(10_000).describe('0 takes a free one'),
  apiKey: apiKey
    .optional()
    .describe(
      'What callers must send as `Authorization: Bearer KEY`. Without it, everyone who reaches the port is served',
    ),
  maxHeaderBytes: z
    .int()
    .min(4096)
    .max(128 * 1024)
    .default(32 * 1024)
    .describe('All headers of a request together'),
  headersTimeoutMs: z.int().min(100).max(600_000).default(15_000).describe('Time for a request’s headers to arrive'),
  requestTimeoutMs: z.int().min(100).max(3_600_000).default(60_000).describe('Time for a whole request to arrive'),
  keepAliveTimeoutMs: z.int().min(0).max(3_600_000).default(72_000).describe('How long an idle connection is kept'),
}

/** `GET /healthz`, `/readyz`, `/status`, `/metrics`, `/jsonstats`. */
export const opsApiOptions = z.strictObject(listen)

export const clientApiOptions = z.strictObject({
  ...listen,
  corsOrigins: z
    .array(z.string().min(1))
    .max(100)
    .default([])
    .describe('Origins whose pages may call from a browser; `*` is every origin'),
  maxBodyBytes: z
    .int()
    .min(1024)
    .max(15 * MIB)
    .default(8 * MIB)
    .describe('A body must fit into one frame of 16 MiB, with room for what surrounds it'),
  maxRunning: z
    .int()
    .min(1)
    .max(100_000)
    .default(1_000)
    .describe('Requests in work at once; more are refused with 429'),
  maxBufferedBytes: z
    .int()
    .min(0)
    .max(1024 * MIB)
    .default(32 * MIB)
    .describe('An answer that is not a stream is held back up to this, so that its price stands in the headers'),
  maxUndeliveredBytes: z
    .int()
    .min(64 * 1024)
    .max(1024 * MIB)
    .default(16 * MIB)
    .describe('A caller that leaves more than this unread is cut off'),
  deliveryTimeoutMs: z
    .int()
    .min(100)
    .max(3_600_000)
    .default(60_000)
    .describe('Time for a caller to take the rest of a finished answer'),
  defaultMaxTokens: z.int().min(1).max(MAX_INT31).default(1_000).describe('Token limit of requests that give none'),
  defaultMaxCoefficient: z
    .int()
    .min(0)
    .max(MAX_INT31)
    .default(4_000)
    .describe('Highest price coefficient of requests that give none, per mille'),
  defaultTimeoutMs: z
    .int()
    .min(1)
    .max(MAX_TIMEOUT_SECONDS * 1000)
    .default(120_000)
    .describe('Time limit of requests that give none'),
})

export type OpsApiOptions = z.output<typeof opsApiOptions>
export type ClientApiOptions = z.output<typeof clientApiOptions>
