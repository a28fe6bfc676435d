/** The real quotes and collateral below `spec/vectors/attestation/dcap`. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DcapCollateralSource } from '../../src/tee/verify/dcap/index.ts'
import { parseCertificate, readPem } from '../../src/tee/x509/index.ts'
import { ROOT } from './source-files.ts'

const FOLDER = join(ROOT, 'spec/vectors/attestation/dcap')

export const vector = (path: string): Uint8Array => Uint8Array.from(readFileSync(join(FOLDER, path)))

/** `expect` of a case: what Intel's own library says. */
export interface CaseExpectation {
  readonly tcbStatus: string | null
  /** Without the family. */
  readonly error?: string
  readonly tcbEvaluationDataNumber?: number
  readonly launch?: LevelExpectation
  readonly current?: LevelExpectation
  readonly policyFlags?: readonly string[]
}

interface LevelExpectation {
  readonly status: string
  readonly tcbDate: string
  readonly advisoryIds: readonly string[]
}

export interface DcapCase {
  readonly id: string
  readonly quote: string
  readonly at: string
  readonly validFrom?: string
  readonly validUntil?: string
  readonly collateral: {
    readonly tcbInfo: string
    readonly qeIdentity: string
    readonly pckCrl: string
    readonly rootCaCrl: string
    readonly tcbSigningChain: string
    /** Files, or a word for "in the quote". */
    readonly pckChain: string | readonly string[]
    readonly root: string
  }
  readonly expect: CaseExpectation
}

const readJson = (path: string): unknown => JSON.parse(readFileSync(join(FOLDER, path), 'utf8'))

export const dcapCases = readJson('cases.json') as readonly DcapCase[]

/** Fields of `quotes.json` by file. */
export const dcapQuotes = readJson('quotes.json') as Readonly<Record<string, Readonly<Record<string, unknown>>>>

export function caseOf(quote: string, at = ''): DcapCase {
  const found = dcapCases.find((one) => one.quote === quote && one.at.startsWith(at))
  if (found === undefined) throw new Error(`no case for ${quote}`)
  return found
}

export function sourceOf({ collateral: c }: DcapCase): DcapCollateralSource {
  const chain = vector(c.tcbSigningChain)
  return {
    tcbInfo: vector(c.tcbInfo),
    tcbInfoIssuerChain: chain,
    qeIdentity: vector(c.qeIdentity),
    qeIdentityIssuerChain: chain,
    rootCaCrl: vector(c.rootCaCrl),
    pckCrl: vector(c.pckCrl),
    ...(typeof c.pckChain === 'string'
      ? {}
      : { pckChain: c.pckChain.map((file) => new TextDecoder().decode(vector(file))).join('\n') }),
  }
}

/** X ‖ Y of the root that the case trusts. */
export function rootKeyOf({ collateral }: DcapCase): Uint8Array {
  const [root] = readPem(vector(collateral.root))
  if (root === undefined) throw new Error('no root')
  return parseCertificate(root).key.subarray(1)
}
