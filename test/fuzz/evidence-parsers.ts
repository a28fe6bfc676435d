/**
 * Every parser of evidence and of what vendors publish, fed with damaged real inputs. The rules: an answer or an error of the family
 * `attestation` (`config` for files that people write), within 50 ms, and with no more memory than four times the input. Memory is what
 * V8 hands out while the parser runs, garbage included, so it bounds what is held at any moment.
 */
import { readFileSync } from 'node:fs'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { encodeBundle, parseBundle } from '../../src/tee/collateral/bundle.ts'
import { parseQeIdentity } from '../../src/tee/verify/dcap/qe-identity.ts'
import { parseTcbInfo } from '../../src/tee/verify/dcap/tcb-info.ts'
import { parseManifest } from '../../src/tee/verify/nvidia/manifest.ts'
import { parseDetachedEat } from '../../src/tee/verify/nvidia/remote.ts'
import {
  encodeClaims,
  parseClaims,
  parseDcapQuote,
  parseEventLog,
  parseGpuEvidence,
  parseGpuReport,
  parseSnpReport,
} from '../../src/tee/quote/index.ts'
import {
  commonNameOf,
  ecdsaRaw,
  parseCertificate,
  parseCrl,
  parseOcspRequest,
  parseOcspResponse,
  readPem,
} from '../../src/tee/x509/index.ts'
import { CocoonError, concatBytes, toBase64, utf8 } from '../../src/util/index.ts'
import { certificatesIn, vectorBytes } from '../support/attestation-vectors.ts'
import { amdItems, nvidiaItems } from '../support/collateral-vectors.ts'
import { caseOf, sourceOf, vector } from '../support/dcap-vectors.ts'
import { damage, pick, seededDraw } from '../support/mutations.ts'

export type FuzzedParser = {
  readonly examples: () => readonly Uint8Array[]
} & ({ readonly parse: (bytes: Uint8Array) => unknown } | { readonly parseText: (text: string) => unknown })

export interface FuzzResult {
  readonly inputs: number
  readonly read: number
  readonly maxMs: number
  /** Bytes per byte of input, above `FREE_BYTES`. */
  readonly maxRatio: number
}

export const MAX_PARSE_MS = 50
export const MAX_BYTES_PER_BYTE = 4
/** What parsing next to nothing costs: objects, closures, an error with its stack. */
export const FREE_BYTES = 64 * 1024
const WARM_UP_ROUNDS = 50

const ocsp = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../../spec/vectors/ocsp/${name}`, import.meta.url)))
const reference = (): Readonly<Record<string, Uint8Array>> =>
  sourceOf(caseOf('tdx/v4-cocoon-reference.bin')) as unknown as Record<string, Uint8Array>
const part = (name: string): Uint8Array => reference()[name] as Uint8Array
const leafOf = (chain: Uint8Array): Uint8Array => readPem(chain)[0] as Uint8Array

export const FUZZED: Readonly<Record<string, FuzzedParser>> = {
  'TDX quote': {
    parse: parseDcapQuote,
    examples: () => ['tdx/v4-cocoon-reference.bin', 'tdx/v5-90c06f-relaunch-advised.bin'].map(vector),
  },
  'SGX quote': { parse: parseDcapQuote, examples: () => [vector('sgx/v3-00606a-swhardening.bin')] },
  'SEV-SNP report': {
    parse: (bytes) => parseSnpReport(bytes),
    examples: () =>
      ['v2-milan-gosevguest.bin', 'v3-genoa-ms.bin', 'v5-turin-ms.bin'].map((f) => vectorBytes(`snp/${f}`)),
  },
  'GPU report': {
    parse: parseGpuReport,
    examples: () => ['hopper-535', 'hopper-580', 'blackwell-575'].map((name) => vectorBytes(`gpu/${name}-report.bin`)),
  },
  'GPU evidence': {
    parseText: parseGpuEvidence,
    examples: () => [vectorBytes('gpu/hopper-590-evidence.json')],
  },
  'GPU claims': {
    parse: parseClaims,
    examples: () => [
      encodeClaims({
        publicKey: new Uint8Array(32),
        issuedAtMs: 1_800_000_000_000,
        provider: 'cloud-7',
        region: null,
        gpus: ['hopper-550', 'hopper-580'].map((name) => ({
          report: vectorBytes(`gpu/${name}-report.bin`),
          certificates: certificatesIn(`gpu/${name}-chain.pem`),
        })),
      }),
    ],
  },
  'GPU manifest': {
    parse: parseManifest,
    examples: () =>
      ['vbios-1010-0200-882-96005e0001.xml', 'driver-gh100-550.144.03.xml'].map((f) => vectorBytes(`gpu/rim/${f}`)),
  },
  'GPU token': {
    parseText: parseDetachedEat,
    examples: () => [vectorBytes('gpu/nras-hopper-detached-eat.json')],
  },
  'event log': {
    parse: parseEventLog,
    examples: () => {
      const used = vectorBytes('eventlog/cos113.ccel').subarray(0, 18_101)
      return [used, concatBytes(used.subarray(0, -4), new Uint8Array(64))]
    },
  },
  certificate: {
    parse: (bytes) => commonNameOf(parseCertificate(bytes).subject),
    examples: () => [
      leafOf(part('tcbInfoIssuerChain')),
      ...certificatesIn('gpu/hopper-550-chain.pem'),
      ...certificatesIn('snp/v5-turin-ms.leaf.pem'),
    ],
  },
  CRL: { parse: parseCrl, examples: () => [part('rootCaCrl'), part('pckCrl')] },
  PEM: { parse: readPem, examples: () => [part('tcbInfoIssuerChain')] },
  signature: {
    parse: (bytes) => ecdsaRaw(bytes, 32),
    examples: () => [parseCertificate(leafOf(part('tcbInfoIssuerChain'))).signature],
  },
  'OCSP answer': {
    parse: parseOcspResponse,
    examples: () => ['good-nonce.der', 'good-key-id.der', 'revoked.der', 'good-by-issuer.der'].map(ocsp),
  },
  'OCSP question': { parse: parseOcspRequest, examples: () => ['request.der', 'request-nonce.der'].map(ocsp) },
  'TCB info': { parse: parseTcbInfo, examples: () => [part('tcbInfo')] },
  'QE identity': { parse: parseQeIdentity, examples: () => [part('qeIdentity')] },
  'collateral bundle': {
    parseText: (text) => parseBundle(text),
    examples: () => {
      const items = [...amdItems().slice(0, 2), ...nvidiaItems().slice(1)]
      return items.map((item) => utf8(encodeBundle({ madeAtMs: 0, items: [item] })))
    },
  },
}

/** Calls the parser with these bytes. Text is made of them before: who is given text has not made it. */
export function callWith(parser: FuzzedParser, bytes: Uint8Array): () => unknown {
  if ('parse' in parser) return () => parser.parse(bytes)
  // Any byte is a character then, some of them none of Latin-1.
  const text = new TextDecoder('windows-1252').decode(bytes)
  return () => parser.parseText(text)
}

/** Runs `count` damaged inputs. Throws at the first find, and shows the input. */
export function fuzzEvidenceParser(seed: number, name: string, count: number): FuzzResult {
  const parser = FUZZED[name] as FuzzedParser
  const samples = parser.examples()
  // V8 compiles what runs often, and what it makes for that counts as well: most of it is made by then.
  for (let i = 0; i < WARM_UP_ROUNDS * samples.length; i++) callWith(parser, pick(samples, i))()
  const draw = seededDraw(seed)
  let [read, maxMs, maxRatio] = [0, 0, 0]
  for (let i = 0; i < count; i++) {
    const bytes = damage(pick(samples, draw(samples.length)), draw)
    try {
      const one = judgeParse(callWith(parser, bytes), bytes.length)
      if (one.isRead) read++
      maxMs = Math.max(maxMs, one.ms)
      maxRatio = Math.max(maxRatio, one.ratio)
    } catch (error) {
      throw new Error(`seed ${seed}, ${name}, input ${i}: ${toBase64(bytes)}`, { cause: error })
    }
  }
  return { inputs: count, read, maxMs, maxRatio }
}

/** Throws when the answer is none of ours, late or large, five times in a row: machines stall, and V8 compiles while it measures. */
export function judgeParse(
  parse: () => unknown,
  inputBytes: number,
): { readonly isRead: boolean; readonly ms: number; readonly ratio: number } {
  let best = measure(parse, inputBytes)
  for (let tries = 1; (best.ms > MAX_PARSE_MS || best.ratio > MAX_BYTES_PER_BYTE) && tries < 5; tries++) {
    const again = measure(parse, inputBytes)
    best = { ...again, ms: Math.min(best.ms, again.ms), ratio: Math.min(best.ratio, again.ratio) }
  }
  if (best.ms > MAX_PARSE_MS) throw new Error(`took ${best.ms} ms`)
  if (best.ratio > MAX_BYTES_PER_BYTE) throw new Error(`took ${best.ratio} bytes for each byte of ${inputBytes}`)
  return best
}

function measure(
  parse: () => unknown,
  inputBytes: number,
): { readonly isRead: boolean; readonly ms: number; readonly ratio: number } {
  const before = allocatedBytes()
  const start = process.threadCpuUsage()
  let isRead = true
  try {
    parse()
  } catch (error) {
    if (
      !(error instanceof CocoonError) ||
      (error.family !== 'attestation' && error.code !== 'config.collateral-bundle')
    )
      throw error
    isRead = false
  }
  // Of this thread: other programs on the machine do not count.
  const { user, system } = process.threadCpuUsage(start)
  const ms = (user + system) / 1000
  // Negative where the collector ran in between: then this input says nothing.
  const took = allocatedBytes() - before - FREE_BYTES
  return { isRead, ms, ratio: Math.max(0, took) / Math.max(1, inputBytes) }
}

/** Handed out on the heap and for buffers beside it; exact to the byte between two runs of the collector. */
function allocatedBytes(): number {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics()
  return heap + external
}

/** Bytes that what a parser returns still holds after the collector has run. */
export function heldBytes(parse: () => unknown): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  // Compiled and cached by then.
  for (let i = 0; i < 20; i++) parse()
  collect()
  collect()
  const before = allocatedBytes()
  const value = parse()
  collect()
  collect()
  const held = allocatedBytes() - before
  // So that it is still there above.
  return value === undefined ? 0 : held
}
