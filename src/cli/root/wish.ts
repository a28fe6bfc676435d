/** A file that says what a root contract shall list and ask for, and how the command line says the same. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { type HashList, ownCodes, parseProxyAddresses, type RootTerms, type RootWish } from '../../chain/index.ts'
import { CocoonError, parseTon } from '../../util/index.ts'

const MAX_FILE_BYTES = 1024 * 1024
/** What the contract accepts. */
const MAX_DELAY_S = 30 * 86_400

const hash = z.string().transform((text, ctx) => parseHash(text) ?? wrong(ctx, 'must be 64 hex digits'))
const model = z.string().min(1).transform(modelHash)
const proxy = z
  .string()
  .refine(
    (text) => parseProxyAddresses(text) !== null,
    'must be "IPv4:port" or "IPv4:port IPv4:port" (workers, clients)',
  )
const nano = z.union([z.int().min(0), z.string().regex(/^\d{1,18}$/)]).transform((v) => BigInt(v))
const ton = z
  .union([z.number(), z.string()])
  .transform((v, ctx) => parseTon(String(v)) ?? wrong(ctx, 'must be TON, like 15'))
const delay = z.int().min(0).max(MAX_DELAY_S)

function wrong(ctx: z.RefinementCtx, message: string): never {
  ctx.addIssue({ code: 'custom', message })
  return z.NEVER
}

const wishFile = z.strictObject({
  proxies: z.array(proxy).optional(),
  proxyImages: z.array(hash).optional(),
  workerImages: z.array(hash).optional(),
  /** Full model names, or their SHA-256. */
  models: z.array(model).optional(),
  pricePerTokenNano: nano.optional(),
  workerFeePerTokenNano: nano.optional(),
  proxyDelayBeforeCloseS: delay.optional(),
  clientDelayBeforeCloseS: delay.optional(),
  minProxyStakeTon: ton.optional(),
  minClientStakeTon: ton.optional(),
  /** `own`: the codes that this release carries. */
  contracts: z.literal('own').optional(),
})

/** Throws `config.wish-file` naming the field. */
export function readWish(path: string): RootWish {
  const refuse = (why: string): CocoonError => new CocoonError('config.wish-file', { message: `${path}: ${why}` })
  let value: unknown
  try {
    const text = readFileSync(path, 'utf8')
    if (text.length > MAX_FILE_BYTES) throw new RangeError(`larger than ${MAX_FILE_BYTES} bytes`)
    value = JSON.parse(text)
  } catch (error) {
    throw refuse((error as Error).message)
  }
  const parsed = wishFile.safeParse(value)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw refuse(`${issue?.path.join('.') || 'the file'}: ${issue?.message ?? 'is wrong'}`)
  }
  const { data } = parsed
  const terms = {
    pricePerToken: data.pricePerTokenNano,
    workerFeePerToken: data.workerFeePerTokenNano,
    proxyDelayBeforeCloseS: data.proxyDelayBeforeCloseS,
    clientDelayBeforeCloseS: data.clientDelayBeforeCloseS,
    minProxyStakeNano: data.minProxyStakeTon,
    minClientStakeNano: data.minClientStakeTon,
  }
  return {
    ...defined({
      proxies: data.proxies,
      proxyHashes: data.proxyImages,
      workerHashes: data.workerImages,
      modelHashes: data.models,
    }),
    terms: defined(terms) as Partial<RootTerms>,
    ...(data.contracts === undefined ? {} : { codes: ownCodes() }),
  }
}

const defined = <T extends object>(value: T): { [K in keyof T]?: NonNullable<T[K]> } =>
  Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as { [K in keyof T]?: NonNullable<T[K]> }

const parseHash = (text: string): string | null => (/^[0-9a-fA-F]{64}$/.test(text) ? text.toLowerCase() : null)

/** Of a full name, or a hash as it is. */
export function modelHash(text: string): string {
  return parseHash(text) ?? createHash('sha256').update(text).digest('hex')
}

export interface ListEntry {
  readonly list: HashList
  readonly hash: string
}

/** `worker-image HASH`, `proxy-image HASH`, `model NAME`. Throws `config.value`. */
export function listEntryOf(kind: string, text: string): ListEntry {
  if (kind === 'model') return { list: 'model', hash: modelHash(text) }
  const list = kind === 'worker-image' ? 'worker' : kind === 'proxy-image' ? 'proxy' : null
  if (list === null)
    throw new CocoonError('config.value', { message: `"${kind}" is none of worker-image, proxy-image and model` })
  const parsed = parseHash(text)
  if (parsed === null)
    throw new CocoonError('config.value', { message: `the hash of an image has 64 hex digits; "${text}" is none` })
  return { list, hash: parsed }
}

/** Throws `config.value`. */
export function proxyAddressOf(text: string): string {
  if (parseProxyAddresses(text) !== null) return text
  throw new CocoonError('config.value', {
    message: `"${text}" is no proxy address: it is "IPv4:port", or "IPv4:port IPv4:port" for workers and clients`,
  })
}

/** Throws `config.value`. */
export function wholeNumber(text: string, what: string, max: bigint): bigint {
  if (/^\d{1,18}$/.test(text) && BigInt(text) <= max) return BigInt(text)
  throw new CocoonError('config.value', { message: `${what} must be a whole number up to ${max}, not "${text}"` })
}

export const delayOf = (text: string, what: string): number => Number(wholeNumber(text, what, BigInt(MAX_DELAY_S)))
