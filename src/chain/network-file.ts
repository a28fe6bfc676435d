/**
 * A network without a chain: a JSON file in the reference's pseudo registry form (`rootConfig.pseudo`), with an optional
 * section `cocoon` of our own that the reference ignores. Source: spec/network-file.md.
 */
import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { type Address, Cell } from '@ton/core'
import { z } from 'zod'
import { type Clock, CocoonError, fromBase64, fromHex, type Log, NANO_PER_TON, toHex } from '../util/index.ts'
import { parseAddress } from './address.ts'
import { codeCell, type CodeCell, parseBoc } from './cell-hash.ts'
import { parseNetworkAddress, parseProxyAddresses } from './network-address.ts'
import type { KeyManager, RegisteredProxy, Registry, RootConfig, TestRoots } from './registry.ts'

/** Fixed by the reference for every network without a chain. */
const FIXED = {
  structVersion: 1,
  uniqueId: 13,
  isTest: true,
  multipliers: { prompt: 10_000, cached: 10_000, completion: 10_000, reasoning: 10_000 },
  proxyDelayBeforeCloseS: 600,
  clientDelayBeforeCloseS: 300,
  minProxyStakeNano: NANO_PER_TON,
  minClientStakeNano: NANO_PER_TON,
} as const

/** What the reference gives to a client it has never seen where there is no chain. */
const DEFAULT_TEST_BALANCE_NANO = 1_000_000n * NANO_PER_TON
const MAX_FILE_BYTES = 4 * 1024 * 1024
const WATCH_INTERVAL_MS = 2_000

const int32 = z.union([z.int(), z.string().regex(/^\d+$/).transform(Number)]).pipe(z.int().min(0).max(0x7fffffff))
const nano = z.union([z.int().min(0), z.string().regex(/^\d+$/)]).transform((v) => BigInt(v))
const hash = z.string().transform((text, ctx) => {
  const bytes = /^[0-9a-fA-F]{64}$/.test(text) ? fromHex(text) : base64OrEmpty(text)
  if (bytes.length === 32) return toHex(bytes)
  ctx.addIssue({ code: 'custom', message: 'must be 32 bytes in Base64 (44 characters) or hex (64 digits)' })
  return z.NEVER
})

const hexOf = (bytes: number): z.ZodType<string, string> =>
  z
    .string()
    .regex(new RegExp(`^[0-9a-fA-F]{${2 * bytes}}$`), `must be ${2 * bytes} hex digits`)
    .transform((text) => text.toLowerCase())

const NetworkFile = z.strictObject({
  proxy_hashes: z.array(hash).default([]),
  worker_hashes: z.array(hash).default([]),
  model_hashes: z.array(hash).default([]),
  /** Base model names; each adds the SHA-256 of the name to the model hashes. */
  model_types: z.array(z.string()).default([]),
  /** Written by shipped samples and ignored by everyone; accepted so that those files load. */
  model_names: z.array(z.string()).optional(),
  registered_proxies: z.array(z.looseObject({ seqno: int32, address: z.string() })).default([]),
  price_per_token: nano.default(0n),
  worker_fee_per_token: nano.default(0n),
  last_proxy_seqno: int32.default(0),
  version: int32.default(0),
  params_version: int32.default(0),
  registered_public_keys: z
    .array(z.looseObject({ public_key: hash, key_type: z.int().min(0).max(255), expire_at: int32 }))
    .default([]),
  key_manager_address: z.string().default(''),
  proxy_sc_code: z.string().default(''),
  worker_sc_code: z.string().default(''),
  client_sc_code: z.string().default(''),
  root_owner_address: z.string(),
  '@type': z.string().optional(),
  cocoon: z
    .strictObject({
      evidence: z.enum(['none', 'simulated', 'real']).default('none'),
      test_roots: z
        .strictObject({
          intel: hexOf(64).optional(),
          amd: z
            .array(z.strictObject({ product: z.enum(['Milan', 'Genoa', 'Turin']), key_pin: hexOf(32) }))
            .min(1)
            .optional(),
          nvidia_devices: z.array(hexOf(32)).min(1).optional(),
          nvidia_manifests: z.array(hexOf(32)).min(1).optional(),
        })
        .optional(),
      check_hashes: z.boolean().default(false),
      root_contract_address: z.string().optional(),
      client_balance_nano: nano.default(DEFAULT_TEST_BALANCE_NANO),
    })
    .refine((ours) => ours.test_roots === undefined || ours.evidence === 'real', {
      path: ['test_roots'],
      message: 'means nothing unless evidence is "real"',
    })
    .prefault({}),
})

/** @param text the file's content; throws `chain.network-file` naming the field. */
export function parseNetworkFile(text: string, name: string): RootConfig {
  const raw = NetworkFile.safeParse(parseJson(text, name))
  if (!raw.success) {
    const [issue] = raw.error.issues
    throw new CocoonError('chain.network-file', {
      message: `${name}: ${issue?.path.join('.') || 'file'}: ${issue?.message ?? 'is wrong'}`,
    })
  }
  const file = raw.data
  const owner = parseAddress(file.root_owner_address, `${name}: root_owner_address`)
  const code = (key: 'proxy_sc_code' | 'worker_sc_code' | 'client_sc_code'): CodeCell =>
    parseCode(file[key], `${name}: ${key}`)
  const modelHashes = [...file.model_hashes, ...file.model_types.map((m) => sha256Hex(m.split('@', 1)[0] as string))]
  return {
    owner,
    root:
      file.cocoon.root_contract_address === undefined
        ? null
        : parseAddress(file.cocoon.root_contract_address, `${name}: cocoon.root_contract_address`),
    proxies: file.registered_proxies.map((p, i) =>
      parseRegisteredProxy(p.seqno, p.address, `${name}: registered_proxies.${i}.address`),
    ),
    proxyHashes: new Set(file.proxy_hashes),
    workerHashes: new Set(file.worker_hashes),
    modelHashes: new Set(modelHashes),
    lastProxySeqno: file.last_proxy_seqno,
    version: file.version,
    params: {
      ...FIXED,
      paramsVersion: file.params_version,
      pricePerToken: file.price_per_token,
      workerFeePerToken: file.worker_fee_per_token,
      codes: { proxy: code('proxy_sc_code'), worker: code('worker_sc_code'), client: code('client_sc_code') },
    },
    registeredPublicKeys: file.registered_public_keys.map((k) => ({
      publicKey: k.public_key,
      keyType: k.key_type,
      expiresAtS: k.expire_at,
    })),
    ...(file.key_manager_address === ''
      ? {}
      : { keyManager: parseKeyManager(file.key_manager_address, `${name}: key_manager_address`) }),
    evidence: file.cocoon.evidence,
    ...testRootsOf(file.cocoon.test_roots),
    checkHashes: file.cocoon.check_hashes,
    testClientBalanceNano: file.cocoon.client_balance_nano,
  }
}

function testRootsOf(roots: z.output<typeof NetworkFile>['cocoon']['test_roots']): { readonly testRoots?: TestRoots } {
  if (roots === undefined) return {}
  const { intel, amd, nvidia_devices: nvidiaDevices, nvidia_manifests: nvidiaManifests } = roots
  return {
    testRoots: {
      ...(intel === undefined ? {} : { intel }),
      ...(amd === undefined ? {} : { amd: amd.map((root) => ({ product: root.product, keyPin: root.key_pin })) }),
      ...(nvidiaDevices === undefined ? {} : { nvidiaDevices }),
      ...(nvidiaManifests === undefined ? {} : { nvidiaManifests }),
    },
  }
}

export interface NetworkFileWatch {
  readonly clock: Clock
  readonly log: Log
  /** The registry contract, where the file names none. */
  readonly root?: Address
}

/** Reads the file now and again when it changes. A new content counts only when its `version` has grown. */
export function loadNetworkFile(path: string, { clock, log, root }: NetworkFileWatch): Registry {
  const read = (): RootConfig => {
    const parsed = parseNetworkFile(readNetworkFile(path), path)
    return { ...parsed, root: parsed.root ?? root ?? null }
  }
  let config = read()
  let changedAt = statSync(path).mtimeMs
  const listeners = new Set<(config: RootConfig) => void>()
  let timer = clock.after(WATCH_INTERVAL_MS, look)
  function look(): void {
    try {
      const { mtimeMs } = statSync(path)
      if (mtimeMs !== changedAt) {
        changedAt = mtimeMs
        accept(read())
      }
    } catch (error) {
      log.warn('the network file cannot be read; the last good one stays in force', { path, error: String(error) })
    }
    timer = clock.after(WATCH_INTERVAL_MS, look)
  }
  function accept(next: RootConfig): void {
    if (next.version <= config.version) {
      log.warn('the network file changed without a higher version; ignored', { path, version: next.version })
      return
    }
    config = next
    log.info('the network file has a new version', {
      path,
      version: next.version,
      paramsVersion: next.params.paramsVersion,
    })
    for (const listener of listeners) listener(config)
  }
  return {
    current: () => config,
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close: () => timer.cancel(),
  }
}

function readNetworkFile(path: string): string {
  try {
    if (statSync(path).size > MAX_FILE_BYTES) throw new RangeError(`larger than ${MAX_FILE_BYTES} bytes`)
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new CocoonError(
      'chain.network-file',
      { message: `cannot read the network file ${path}: ${(cause as Error).message}` },
      { cause },
    )
  }
}

function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new CocoonError(
      'chain.network-file',
      { message: `${name} is not JSON: ${(cause as Error).message}` },
      { cause },
    )
  }
}

function parseRegisteredProxy(seqno: number, text: string, field: string): RegisteredProxy {
  const addresses = parseProxyAddresses(text)
  if (addresses === null) throw badProxy(field)
  return { seqno, ...addresses }
}

/** A network file names no key and no image of its key manager. */
function parseKeyManager(text: string, field: string): KeyManager {
  const address = parseNetworkAddress(text)
  if (address === null)
    throw new CocoonError('chain.network-file', { message: `${field} must be "IPv4:port" or empty` })
  return { address, publicKey: null, imageHash: null }
}

const badProxy = (field: string): CocoonError =>
  new CocoonError('chain.network-file', {
    message: `${field} must be "IPv4:port" or "IPv4:port IPv4:port" (workers, clients)`,
  })

/** Hex of a bag of cells; empty means the empty cell. */
function parseCode(hex: string, field: string): CodeCell {
  if (hex === '') return codeCell(Cell.EMPTY)
  let bytes: Uint8Array
  try {
    bytes = fromHex(hex)
  } catch (cause) {
    throw new CocoonError('chain.network-file', { message: `${field} must be a bag of cells in hex` }, { cause })
  }
  return codeCell(parseBoc(bytes, field))
}

function base64OrEmpty(text: string): Uint8Array {
  try {
    return fromBase64(text)
  } catch {
    return new Uint8Array()
  }
}

const sha256Hex = (text: string): string => createHash('sha256').update(text).digest('hex')
