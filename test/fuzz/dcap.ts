/**
 * Damages real quotes and real collateral. The rules: whatever was changed is refused with a code that fits the region, or
 * what is left says the very same as before (white space in PEM, hex in the other case); parsers answer or refuse with a
 * code of `attestation`, soon, and hold no more bytes than they were given.
 */
import { parseDcapQuote } from '../../src/tee/quote/index.ts'
import {
  type DcapCollateralSource,
  examineDcapCollateral,
  examineDcapQuote,
  parseDcapCollateral,
  type VerifiedDcapCollateral,
  verifyDcapCollateral,
} from '../../src/tee/verify/dcap/index.ts'
import { parseQeIdentity } from '../../src/tee/verify/dcap/qe-identity.ts'
import { parseTcbInfo } from '../../src/tee/verify/dcap/tcb-info.ts'
import { nodeVerifyCrypto } from '../../src/tee/x509/crypto-node.ts'
import { commonNameOf, ecdsaRaw, parseCertificate, parseCrl, readPem } from '../../src/tee/x509/index.ts'
import { CocoonError, concatBytes, seededRandom, toBase64, toHex } from '../../src/util/index.ts'
import { caseOf, sourceOf, vector } from '../support/dcap-vectors.ts'

/** Codes without the family. */
type Codes = readonly string[]

interface Region {
  readonly name: string
  readonly from: number
  readonly to: number
  /** What a change in place may be refused with. Where bytes move, every code may come. */
  readonly codes: Codes
}

interface Subject {
  readonly quote: Uint8Array
  readonly source: Parts
  readonly regions: readonly Region[]
  readonly collateral: VerifiedDcapCollateral
  readonly nowMs: number
  /** What it says undamaged. */
  readonly facts: string
  readonly quoteContent: string
  readonly sourceContent: string
}

type Parts = Readonly<Record<Exclude<keyof DcapCollateralSource, 'pckChain'>, Uint8Array>>
type PartName = keyof Parts

const PART_CODES: Readonly<Record<PartName, Codes>> = {
  tcbInfo: ['tcb-info-format', 'tcb-info-signature'],
  qeIdentity: ['qe-identity-format', 'qe-identity-signature'],
  rootCaCrl: ['root-crl-format', 'root-crl-issuer', 'root-crl-signature'],
  pckCrl: ['pck-crl-format', 'pck-crl-issuer', 'pck-crl-signature'],
  tcbInfoIssuerChain: ['tcb-signing-chain', 'root-crl-issuer'],
  qeIdentityIssuerChain: ['tcb-signing-chain'],
}
const PARTS = Object.keys(PART_CODES) as PartName[]

const QUOTES = [
  ['tdx/v4-cocoon-reference.bin', '2025-10-21'],
  ['tdx/v5-90c06f-relaunch-advised.bin', '2026-03-31'],
  ['sgx/v3-00606a-swhardening.bin', '2025-08-30'],
] as const

export interface DcapFuzzReport {
  /** Per region or part. */
  readonly refused: Readonly<Record<string, number>>
  readonly unchanged: Readonly<Record<string, number>>
}

/** Runs `count` damaged quotes and collateral sets; the same seed gives the same. Throws at the first find. */
export async function fuzzDcapMutations(seed: number, count: number): Promise<DcapFuzzReport> {
  const pick = pickFrom(seed)
  const subjects = await Promise.all(QUOTES.map(([quote, at]) => prepare(quote, at)))
  const refused: Record<string, number> = {}
  const unchanged: Record<string, number> = {}
  for (let done = 0; done < count; ) {
    const subject = subjects[pick(subjects.length)] as Subject
    // As often the quote as the collateral, which has more bytes.
    const isQuote = pick(2) === 0
    const region = subject.regions[pick(subject.regions.length)] as Region
    const part = PARTS[pick(PARTS.length)] as PartName
    const name = isQuote ? region.name : part
    const whole = isQuote ? subject.quote : subject.source[part]
    const { bytes, isInPlace } = damage(whole, isQuote ? region.from : 0, isQuote ? region.to : whole.length, pick)
    if (toHex(bytes) === toHex(whole)) continue
    done++
    const result = isQuote
      ? await judgeQuote(subject, bytes)
      : await judgePart(subject, { ...subject.source, [part]: bytes })
    const find = (why: string): Error => new Error(`seed ${seed}: ${name} ${why}: ${toBase64(bytes)}`)
    if (result === 'unchanged') unchanged[name] = (unchanged[name] ?? 0) + 1
    else if (result === 'changed') throw find('verifies and says something else')
    else {
      const codes = isQuote ? region.codes : PART_CODES[part]
      if (isInPlace && !codes.includes(result)) throw find(`is refused with ${result}`)
      refused[name] = (refused[name] ?? 0) + 1
    }
  }
  return { refused, unchanged }
}

async function prepare(file: string, at: string): Promise<Subject> {
  const one = caseOf(file, at)
  const quote = vector(file)
  const source = sourceOf(one) as Parts
  const nowMs = Date.parse(one.at)
  const collateral = await verifyDcapCollateral(parseDcapCollateral(source), { crypto: nodeVerifyCrypto, nowMs })
  const result = await examineDcapQuote(quote, collateral, nowMs)
  if (!result.ok) throw new Error(`${file}: ${result.code}`)
  return {
    ...{ quote, source, collateral, nowMs },
    regions: regionsOf(quote),
    facts: factsText(result.facts),
    quoteContent: quoteContent(quote),
    sourceContent: sourceContent(source),
  }
}

function regionsOf(bytes: Uint8Array): Region[] {
  const { version, signed, qeAuthenticationData, certificationData, quoteBytes } = parseDcapQuote(bytes)
  const lengths: readonly (readonly [string, number, Codes])[] = [
    [
      'header',
      48,
      [
        'quote-version-unsupported',
        'attestation-key-type-unsupported',
        'tee-type-unsupported',
        'qe-vendor',
        'quote-malformed',
        'certification-data-type',
        'quote-signature',
      ],
    ],
    ['body', signed.length - 48, ['quote-malformed', 'tdx-module-mismatch', 'quote-signature']],
    ['signature data size', 4, ['quote-malformed']],
    ['quote signature', 64, ['quote-signature']],
    ['attestation key', 64, ['attestation-key-binding']],
    ...(version === 3 ? [] : [['wrapper', 6, ['quote-malformed', 'certification-data-type']] as const]),
    ['QE report', 384, ['qe-report-signature']],
    ['QE report signature', 64, ['qe-report-signature']],
    [
      'QE authentication data',
      2 + qeAuthenticationData.length,
      ['quote-malformed', 'certification-data-type', 'attestation-key-binding'],
    ],
    ['certification data header', 6, ['quote-malformed', 'certification-data-type']],
    ['PCK chain', certificationData.bytes.length, ['pck-chain', 'pck-root-untrusted']],
    ['behind the quote', bytes.length - quoteBytes, []],
  ]
  let at = 0
  const regions = lengths.map(([name, length, codes]) => {
    at += length
    return { name, from: at - length, to: at, codes }
  })
  if (at !== bytes.length) throw new Error(`regions end at ${at} of ${bytes.length}`)
  return regions.filter(({ from, to }) => to > from)
}

async function judgeQuote(subject: Subject, bytes: Uint8Array): Promise<string> {
  const result = await examineDcapQuote(bytes, subject.collateral, subject.nowMs)
  if (!result.ok) return wordOf(result.code)
  const same = factsText(result.facts) === subject.facts && quoteContent(bytes) === subject.quoteContent
  return same ? 'unchanged' : 'changed'
}

async function judgePart(subject: Subject, source: Parts): Promise<string> {
  try {
    const options = { crypto: nodeVerifyCrypto, nowMs: subject.nowMs }
    const collateral = await examineDcapCollateral(parseDcapCollateral(source), options)
    if (!collateral.ok) return wordOf(collateral.code)
    const result = await examineDcapQuote(subject.quote, collateral.facts, subject.nowMs)
    if (!result.ok) return wordOf(result.code)
    const same = factsText(result.facts) === subject.facts && sourceContent(source) === subject.sourceContent
    return same ? 'unchanged' : 'changed'
  } catch (error) {
    if (error instanceof CocoonError && error.family === 'attestation') return wordOf(error.code)
    throw error
  }
}

const wordOf = (code: string): string => code.replace('attestation.', '')

/** Without what stands behind the quote, which nobody signs. */
const factsText = (facts: { readonly trailingBytes: number }): string => JSON.stringify({ ...facts, trailingBytes: 0 })

/** Everything that a quote says: its bytes, and its certificates as DER. */
function quoteContent(bytes: Uint8Array): string {
  const { certificationData, quoteBytes } = parseDcapQuote(bytes)
  const before = bytes.subarray(0, quoteBytes - certificationData.bytes.length)
  return contentOf(before, ...readPem(certificationData.bytes))
}

function sourceContent(source: Parts): string {
  const [info, identity] = [parseTcbInfo(source.tcbInfo), parseQeIdentity(source.qeIdentity)]
  return contentOf(
    ...[info.signed, info.signature, identity.signed, identity.signature, source.rootCaCrl, source.pckCrl],
    ...[...readPem(source.tcbInfoIssuerChain), ...readPem(source.qeIdentityIssuerChain)],
  )
}

const contentOf = (...parts: readonly Uint8Array[]): string => parts.map(toHex).join('|')

/** A whole number below `n`. */
function pickFrom(seed: number): (n: number) => number {
  const random = seededRandom(seed)
  return (n) => Math.floor(random.fraction() * n)
}

/** One change between `from` and `to`: a bit, a byte, two bytes swapped, or bytes taken out or put in. */
function damage(
  whole: Uint8Array,
  from: number,
  to: number,
  pick: (n: number) => number,
): { readonly bytes: Uint8Array; readonly isInPlace: boolean } {
  const at = from + pick(to - from)
  const bytes = Uint8Array.from(whole)
  switch (pick(8)) {
    case 0:
      bytes[at] = pick(256)
      return { bytes, isInPlace: true }
    case 1: {
      const other = from + pick(to - from)
      ;[bytes[at], bytes[other]] = [bytes[other] as number, bytes[at] as number]
      return { bytes, isInPlace: true }
    }
    case 2: {
      const end = Math.min(to, at + 1 + pick(16))
      return { bytes: concatBytes(whole.subarray(0, at), whole.subarray(end)), isInPlace: false }
    }
    case 3: {
      const more = Uint8Array.from({ length: 1 + pick(16) }, () => pick(256))
      return { bytes: concatBytes(whole.subarray(0, at), more, whole.subarray(at)), isInPlace: false }
    }
    case 4:
      return { bytes: whole.slice(0, at), isInPlace: false }
    default:
      bytes[at] = (bytes[at] as number) ^ (1 << pick(8))
      return { bytes, isInPlace: true }
  }
}

/**
 * Longest that one parse may take: far above what reading takes (a few milliseconds), far below what anything quadratic
 * would on these sizes. The machine may stall, so only an input that is slow three times in a row counts.
 */
export const MAX_PARSE_MS = 1_000
/** A parsed value holds what it read once, and some of it again in parts. */
const MAX_HELD_PER_BYTE = 3

type Parser = readonly [name: string, parse: (bytes: Uint8Array) => unknown, examples: readonly Uint8Array[]]

export function dcapParsers(): readonly Parser[] {
  const one = sourceOf(caseOf('tdx/v4-cocoon-reference.bin')) as Parts
  const root = readPem(one.tcbInfoIssuerChain)[1] as Uint8Array
  const { signature } = parseCertificate(root)
  return [
    ['quote', parseDcapQuote, QUOTES.map(([file]) => vector(file))],
    ['certificate', (bytes) => [parseCertificate(bytes), commonNameOf(parseCertificate(bytes).subject)], [root]],
    ['crl', parseCrl, [one.rootCaCrl, one.pckCrl]],
    ['pem', (bytes) => readPem(bytes), [one.tcbInfoIssuerChain]],
    ['tcb info', parseTcbInfo, [one.tcbInfo, vector('collateral/intel-sample-sgx/tcbInfo.json')]],
    ['qe identity', parseQeIdentity, [one.qeIdentity]],
    ['signature', (bytes) => ecdsaRaw(bytes, 32), [signature]],
  ]
}

/** Words at the edges of lengths and counts. */
const EDGES = [0, 1, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xff, 0x30, 0x22, 0x5b, 0x7b, 0x5c, 0x2d] as const

/** Runs `count` inputs through every parser. Throws at the first find. Returns how many were read and refused. */
export function fuzzDcapParsers(seed: number, count: number): { readonly read: number; readonly refused: number } {
  const pick = pickFrom(seed)
  const parsers = dcapParsers()
  let [read, refused] = [0, 0]
  for (let i = 0; i < count; i++) {
    const [name, parse, examples] = parsers[i % parsers.length] as Parser
    let bytes = Uint8Array.from(examples[pick(examples.length)] as Uint8Array)
    for (let changes = pick(6); changes >= 0 && bytes.length > 0; changes--) {
      bytes = Uint8Array.from(damage(bytes, 0, bytes.length, pick).bytes)
      if (bytes.length > 0 && pick(3) === 0) bytes[pick(bytes.length)] = EDGES[pick(EDGES.length)] as number
    }
    try {
      if (judgeParser(parse, bytes)) read++
      else refused++
    } catch (error) {
      throw new Error(`seed ${seed}: ${name}: ${toBase64(bytes)}`, { cause: error })
    }
  }
  return { read, refused }
}

/** Whether it was read. Throws when the answer is none of ours, late or large. */
export function judgeParser(parse: (bytes: Uint8Array) => unknown, bytes: Uint8Array): boolean {
  for (let tries = 3; ; tries--) {
    const startMs = performance.now()
    let value: unknown
    try {
      value = parse(bytes)
    } catch (error) {
      if (!(error instanceof CocoonError) || error.family !== 'attestation') throw error
    }
    const tookMs = performance.now() - startMs
    if (tookMs > MAX_PARSE_MS && tries > 1) continue
    if (tookMs > MAX_PARSE_MS) throw new Error(`took ${tookMs} ms`)
    if (heldBytes(value) > MAX_HELD_PER_BYTE * bytes.length + 1024) throw new Error(`holds ${heldBytes(value)} bytes`)
    return value !== undefined
  }
}

/** Bytes of all distinct buffers that a value reaches. */
function heldBytes(value: unknown): number {
  const buffers = new Set<ArrayBufferLike>()
  const walk = (one: unknown): void => {
    if (one instanceof Uint8Array) buffers.add(one.buffer)
    else if (one instanceof Map) one.forEach(walk)
    else if (typeof one === 'object' && one !== null) Object.values(one).forEach(walk)
  }
  walk(value)
  return [...buffers].reduce((sum, buffer) => sum + buffer.byteLength, 0)
}
