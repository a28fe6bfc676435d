/** An Intel quote from bytes to verdict. Browser-safe. */
import { concatBytes, toHex } from '../../util/index.ts'
import { COLLATERAL_ERRORS, selectDcapCollateral } from '../collateral/index.ts'
import { factsOfDcap, type Surroundings } from '../policy/index.ts'
import { type DcapQuote, parseDcapQuote, parseEventLog, verifyEventLog } from '../quote/index.ts'
import { type Check, Checklist, type CheckInputs, type Verification } from '../verify/checks.ts'
import {
  type DcapCollateralSource,
  type DcapFacts,
  examineDcapCollateral,
  examineDcapQuote,
  parseDcapCollateral,
  type VerifiedDcapCollateral,
} from '../verify/dcap/index.ts'
import { type AssessOptions, attempt, type Findings } from './assessment.ts'

const NAMES = { tdx: 'Intel TDX', sgx: 'Intel SGX' } as const

/** Reads, selects collateral, verifies. Throws nothing that the quote or the bundle could cause. */
export async function examineQuote(bytes: Uint8Array, around: Surroundings, options: AssessOptions): Promise<Findings> {
  const list = new Checklist()
  const quote = await attempt(list, 'quote-format', () => parseDcapQuote(bytes))
  if (quote === null) return unreadable(list.checks, bytes)
  const { tee } = quote.body
  const source = await collateralFor(list, quote, options)
  const result = source === null ? null : await verify(list, bytes, source, options)
  const logChecks = await replayLog(quote, options)
  const facts = result === null ? null : factsOfDcap(result, around)
  return {
    summary: `${NAMES[tee]} quote, version ${quote.version}, ${quote.quoteBytes} bytes`,
    evidence: tee,
    groups: [
      { title: `${NAMES[tee]} quote`, checks: list.checks },
      ...(logChecks === null ? [] : [{ title: 'Event log', checks: logChecks }]),
    ],
    shown: result?.ok === true ? shownFacts(result.facts) : claimed(quote),
    facts,
    validUntilMs: result?.ok === true ? Date.parse(result.facts.validUntil) : null,
    ...(result?.ok === true ? conclusions(result.facts, logChecks !== null) : { proven: [], notProven: [] }),
  }
}

const unreadable = (checks: readonly Check[], bytes: Uint8Array): Findings => ({
  summary: `Intel quote that cannot be read, ${bytes.length} bytes`,
  evidence: 'unknown',
  groups: [{ title: 'Intel quote', checks }],
  shown: {},
  facts: null,
  validUntilMs: null,
  proven: [],
  notProven: [],
})

async function collateralFor(
  list: Checklist,
  quote: DcapQuote,
  { bundle, context }: AssessOptions,
): Promise<DcapCollateralSource | null> {
  const selected = await attempt(list, 'pck-chain', () => selectDcapCollateral(bundle, quote, context.nowMs))
  if (selected === null) return null
  const code = 'attestation.collateral-missing'
  if (selected.collateral === null)
    list.fail('collateral', code, COLLATERAL_ERRORS[code], { missing: selected.missing.join('; ') })
  return selected.collateral
}

async function verify(
  list: Checklist,
  bytes: Uint8Array,
  source: DcapCollateralSource,
  options: AssessOptions,
): Promise<Verification<DcapFacts> | null> {
  const collateral = options.collateralMemory?.get(source) ?? (await verifyCollateral(list, source, options))
  if (collateral === null) return null
  // The checks of the collateral are in those of the quote.
  const result = await examineDcapQuote(bytes, collateral, options.context.nowMs)
  list.append(result.checks)
  return result
}

/** Null when it fails, with its checks in the list. */
async function verifyCollateral(
  list: Checklist,
  source: DcapCollateralSource,
  { crypto, context: { nowMs }, roots, collateralMemory }: AssessOptions,
): Promise<VerifiedDcapCollateral | null> {
  const parsed = await attempt(list, 'collateral', () => parseDcapCollateral(source))
  if (parsed === null) return null
  const collateral = await examineDcapCollateral(parsed, {
    crypto,
    nowMs,
    ...(roots?.intel === undefined ? {} : { rootKey: roots.intel }),
  })
  if (collateral.ok) {
    collateralMemory?.set(source, collateral.facts)
    return collateral.facts
  }
  list.append(collateral.checks)
  return null
}

/** Null when there is no log. */
async function replayLog(quote: DcapQuote, { eventLog, crypto }: AssessOptions): Promise<readonly Check[] | null> {
  if (eventLog === null) return null
  const list = new Checklist()
  const { body } = quote
  if (body.tee === 'sgx') {
    list.info('event-log', 'An event log belongs to a TDX guest; it was not looked at.')
    return list.checks
  }
  const log = await attempt(list, 'event-log', () => parseEventLog(eventLog))
  if (log !== null) {
    const sha384 = (bytes: Uint8Array): Uint8Array | Promise<Uint8Array> => crypto.sha384(bytes)
    list.append((await verifyEventLog(sha384, log, body.report.rtmrs)).checks)
  }
  return list.checks
}

/** What an unverified quote says of itself. */
function claimed({ body }: DcapQuote): CheckInputs {
  if (body.tee === 'sgx') return { mrEnclave: toHex(body.report.mrEnclave), mrSigner: toHex(body.report.mrSigner) }
  const { mrTd, rtmrs } = body.report
  return { mrTd: toHex(mrTd), rtmrs: toHex(concatBytes(...rtmrs)) }
}

function shownFacts(facts: DcapFacts): CheckInputs {
  const { measurements: m, tcb, platform } = facts
  return {
    imageHash: facts.imageHash,
    ...(m.tee === 'tdx'
      ? {
          mrTd: m.mrTd,
          rtmr0: m.rtmrs[0] ?? '',
          rtmr1: m.rtmrs[1] ?? '',
          rtmr2: m.rtmrs[2] ?? '',
          rtmr3: m.rtmrs[3] ?? '',
        }
      : { mrEnclave: m.mrEnclave, mrSigner: m.mrSigner }),
    reportData: facts.reportData,
    tcbStatus: tcb.status,
    tcbDate: tcb.date,
    advisories: tcb.advisoryIds.join(', '),
    evaluationDataNumber: tcb.evaluationDataNumber,
    fmspc: platform.fmspc,
    validUntil: facts.validUntil,
  }
}

function conclusions(facts: DcapFacts, hasLog: boolean): Pick<Findings, 'proven' | 'notProven'> {
  const { tcb, platform, imageHash, tee } = facts
  return {
    proven: [
      `A genuine ${NAMES[tee]} platform (FMSPC ${platform.fmspc}) measured what it runs and signed it.`,
      `Intel’s status of that platform is ${tcb.status}, by evaluation ${tcb.evaluationDataNumber}, on data valid until ${facts.validUntil}.`,
      `The image hash of what was started is ${imageHash}.`,
      ...(hasLog ? ['The event log is the one behind the measurements.'] : []),
    ],
    notProven: [
      'That the software with this image hash is free of faults: somebody must have read and rebuilt it.',
      'That nobody opens the machine: attacks on its memory bus and chips are outside what this hardware promises.',
    ],
  }
}
