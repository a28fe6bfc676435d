/** Parameters as callers write them: in a query everything is text, in JSON numbers are often text as well. */
import { Address, Cell } from '@ton/core'
import { z } from 'zod'
import { fromBase64 } from '../../util/index.ts'
import { devnetError } from '../errors.ts'

/** Longest address, hash or number in any notation, with room. */
const MAX_TEXT = 128
/** The network's limit of a message, in Base64 and with room for the header of a bag of cells. */
const MAX_BOC_TEXT = 128 * 1024

const text = z.union([z.string().max(MAX_TEXT), z.number().transform(String)])

function via<T>(parse: (value: string) => T, what: string) {
  return text.transform((value, context): T => {
    try {
      return parse(value)
    } catch {
      context.addIssue({ code: 'custom', message: what })
      return z.NEVER
    }
  })
}

export const address = via(parseAnyAddress, 'not an address')

export const integer = (min: number, max: number) =>
  via((value) => {
    const n = Number(value)
    if (value.trim() === '' || !Number.isSafeInteger(n) || n < min || n > max) throw new RangeError(value)
    return n
  }, `not an integer from ${min} to ${max}`)

/** Block numbers and seconds. */
export const uint32 = integer(0, 2 ** 32 - 1)

export const uint64 = via((value) => {
  if (!/^\d{1,20}$/.test(value)) throw new RangeError(value)
  return BigInt(value)
}, 'not an unsigned number')

/** 32 bytes in hex, Base64 or its form for addresses of pages; given on as hex. */
export const hash = via((value) => {
  if (/^(0x)?[0-9a-fA-F]{64}$/.test(value)) return value.slice(-64).toLowerCase()
  // A plus that was not escaped in a query arrives as a blank.
  const bytes = fromBase64(value.replaceAll(' ', '+'))
  if (bytes.length !== 32) throw new RangeError(value)
  return Buffer.from(bytes).toString('hex')
}, 'not a hash of 32 bytes')

export const flag = z.union([
  z.boolean(),
  z.enum(['true', 'false', '1', '0', 'True', 'False']).transform((v) => v === '1' || v.toLowerCase() === 'true'),
])

export const bytes = z
  .string()
  .min(1)
  .max(MAX_BOC_TEXT)
  .transform((value, context) => {
    try {
      return fromBase64(value)
    } catch {
      context.addIssue({ code: 'custom', message: 'not Base64' })
      return z.NEVER
    }
  })

export const cell = z
  .string()
  .min(1)
  .max(MAX_BOC_TEXT)
  .transform((value, context) => {
    try {
      return Cell.fromBase64(value)
    } catch {
      context.addIssue({ code: 'custom', message: 'not a bag of cells in Base64' })
      return z.NEVER
    }
  })

/** What older callers send for "none". */
export const optionalCell = z.union([z.literal(''), z.null(), cell]).optional()

/** Several of a kind: repeated, or once with commas. */
export const list = <T extends z.ZodType>(one: T, max: number) =>
  z.preprocess((value) => (typeof value === 'string' ? value.split(',') : value), z.array(one).min(1).max(max))

/** Raw (`0:…`) or friendly, of either alphabet, in one of the two workchains; throws. */
export function parseAnyAddress(value: string): Address {
  const parsed = value.includes(':') ? Address.parseRaw(value) : Address.parse(value)
  if (parsed.workChain !== 0 && parsed.workChain !== -1) throw new RangeError('no such workchain')
  return parsed
}

/** Throws `request.devnet-parameter`, naming the parameter. */
export function parseParams<T extends z.ZodType>(schema: T, params: unknown): z.output<T> {
  const result = schema.safeParse(params ?? {})
  if (result.success) return result.data
  const [issue] = result.error.issues
  const where = issue === undefined || issue.path.length === 0 ? 'the parameters' : issue.path.join('.')
  const isMissing = issue !== undefined && valueAt(params ?? {}, issue.path) === undefined
  const what = isMissing ? 'missing' : (issue?.message ?? 'malformed')
  throw devnetError('request.devnet-parameter', { message: `${where}: ${what}` })
}

function valueAt(params: unknown, path: readonly PropertyKey[]): unknown {
  let value = params
  for (const key of path) value = (value as Record<PropertyKey, unknown> | null | undefined)?.[key]
  return value
}
