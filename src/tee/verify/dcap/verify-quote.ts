/**
 * A quote verified against collateral: is it genuine, and what is its TCB. Whether that is enough is policy, elsewhere: an
 * outdated platform verifies and says so. Browser-safe. Source: spec/attestation-dcap.md, "Checks".
 */
import { CocoonError, concatBytes, equalBytes, toHex } from '../../../util/index.ts'
import { type DcapQuote, parseDcapQuote } from '../../quote/index.ts'
import { commonNameOf, serialText } from '../../x509/index.ts'
import { type Check, Checklist, type Verification, verifiedOrThrow } from '../checks.ts'
import { need, p256Spki } from './checking.ts'
import { type DcapFacts, evaluationOf, imageHashInput, quoteFacts } from './facts.ts'
import { judgeTcb, needTdxModule } from './judge-tcb.ts'
import { isoSeconds } from './json.ts'
import { type PckChain, type PckFacts, readPckFacts } from './pck.ts'
import type { QeIdentity } from './qe-identity.ts'
import { isOfPlatform } from './tcb-info.ts'
import type { VerifiedDcapCollateral } from './verify-collateral.ts'
import { needPckChain, needPckCrl, needTimes } from './verify-pck.ts'

const FORMAT_WORDS = { passed: 'The quote is well formed.', failed: 'The quote is not well formed.' } as const

/** A quote that is genuine, with every check that says so. */
export interface VerifiedDcapQuote {
  readonly facts: DcapFacts
  readonly checks: readonly Check[]
}

/** Every check up to the first that fails. Throws nothing about the quote. */
export async function examineDcapQuote(
  bytes: Uint8Array,
  collateral: VerifiedDcapCollateral,
  nowMs: number,
): Promise<Verification<DcapFacts>> {
  const list = new Checklist()
  try {
    return list.finish(await examine(list, bytes, collateral, nowMs))
  } catch (error) {
    if (!(error instanceof CocoonError) || error.family !== 'attestation') throw error
    const { message, ...inputs } = error.info
    list.fail(error.code.slice('attestation.'.length), error.code, String(message), stringInputs(inputs))
    return list.finish<DcapFacts>(null)
  }
}

/** The same, or the first failure thrown under its `attestation.*` code: those of `DCAP_QUOTE_ERRORS` and `DCAP_ERRORS`. */
export async function verifyDcapQuote(
  bytes: Uint8Array,
  collateral: VerifiedDcapCollateral,
  nowMs: number,
): Promise<VerifiedDcapQuote> {
  const result = await examineDcapQuote(bytes, collateral, nowMs)
  return { facts: verifiedOrThrow(result), checks: result.checks }
}

const stringInputs = (info: CocoonError['info']): Record<string, string | number> =>
  Object.fromEntries(Object.entries(info).map(([name, v]) => [name, typeof v === 'number' ? v : String(v)]))

/** The steps in order; null when one of them failed. What cannot be read throws. */
async function examine(
  list: Checklist,
  bytes: Uint8Array,
  verified: VerifiedDcapCollateral,
  nowMs: number,
): Promise<DcapFacts | null> {
  const { collateral, crypto } = verified
  const quote = parseDcapQuote(bytes)
  list.require('quote-format', true, 'attestation.quote-malformed', FORMAT_WORDS, {
    version: quote.version,
    tee: quote.body.tee,
    bytes: quote.quoteBytes,
    trailingBytes: quote.trailing.bytes,
    trailingIsZero: quote.trailing.isZero,
  })
  list.append(verified.checks)

  const chain = await needPckChain(list, quote, verified)
  if (chain === null) return null
  const pck = readPckFacts(chain.leaf)
  if (!(await needPckCrl(list, chain, verified))) return null
  const window = needTimes(list, chain, verified, nowMs)
  if (list.failed) return null

  if (!needKind(list, quote, verified)) return null
  const platform = { fmspc: toHex(pck.fmspc), pceId: toHex(pck.pceId) }
  const isOurs = isOfPlatform(collateral.tcbInfo, pck)
  const listed = { tcbInfoFmspc: toHex(collateral.tcbInfo.fmspc), tcbInfoPceId: toHex(collateral.tcbInfo.pceId) }
  const ofPlatform = 'The TCB info is of this platform.'
  if (!need(list, 'tcb-info-platform', isOurs, 'attestation.tcb-info-mismatch', ofPlatform, { ...platform, ...listed }))
    return null

  if (!needTdxModule(list, quote, collateral.tcbInfo)) return null
  if (!(await needQuotingEnclave(list, quote, chain, verified))) return null
  if (!needQeIdentity(list, quote, collateral.qeIdentity)) return null
  const key = await crypto.importKey('ecdsa-p256-sha256', p256Spki(quote.attestationKey))
  const isSigned = key !== null && (await key.verify(quote.signature, quote.signed))
  if (!need(list, 'quote-signature', isSigned, 'attestation.quote-signature', 'The attestation key signed the quote.'))
    return null

  const levels = judgeTcb(list, quote, pck, collateral)
  if (levels === null) return null
  const facts = quoteFacts(quote)
  list.info('policy-flags', 'Facts that the signature does not judge.', { flags: facts.flags.join(', ') })
  return {
    ...facts,
    tcb: {
      ...evaluationOf(levels.launch),
      status: levels.status,
      evaluationDataNumber: Math.min(
        collateral.tcbInfo.evaluationDataNumber,
        collateral.qeIdentity.evaluationDataNumber,
      ),
      launch: evaluationOf(levels.launch),
      current: levels.current === null ? null : evaluationOf(levels.current),
    },
    imageHash: toHex(await crypto.sha256(imageHashInput(quote.body))),
    platform: { ...platform, ...platformFacts(chain, pck, quote) },
    rootKeyHash: toHex(verified.rootKeyHash),
    validFrom: isoSeconds(window.fromMs),
    validUntil: isoSeconds(window.untilMs),
    issued: {
      tcbInfo: isoSeconds(collateral.tcbInfo.issuedAtMs),
      qeIdentity: isoSeconds(collateral.qeIdentity.issuedAtMs),
      pckCrl: isoSeconds(collateral.pckCrl.thisUpdateMs),
      rootCaCrl: isoSeconds(collateral.rootCaCrl.thisUpdateMs),
    },
  }
}

function platformFacts(
  { leaf, ca }: PckChain,
  pck: PckFacts,
  { body }: DcapQuote,
): Omit<DcapFacts['platform'], 'fmspc' | 'pceId'> {
  const report = body.tee === 'tdx' ? body.report : null
  const second = report?.later?.teeTcbSvn2
  return {
    pckSerial: serialText(leaf.serial),
    pckIssuer: commonNameOf(ca.subject) ?? '',
    sgxComponents: pck.components,
    pceSvn: pck.pceSvn,
    teeTcbSvn: report === null ? null : toHex(report.teeTcbSvn),
    teeTcbSvn2: second === undefined ? null : toHex(second),
  }
}

/** TDX quotes need TDX collateral, SGX quotes SGX collateral. */
function needKind(list: Checklist, { body }: DcapQuote, { collateral }: VerifiedDcapCollateral): boolean {
  const { tcbInfo, qeIdentity } = collateral
  const inputs = { quote: body.tee, tcbInfo: tcbInfo.tee, qeIdentity: qeIdentity.tee }
  const passed = 'The collateral is for this kind of quote.'
  return (
    need(list, 'tcb-info-kind', tcbInfo.tee === body.tee, 'attestation.tcb-info-format', passed, inputs) &&
    need(list, 'qe-identity-kind', qeIdentity.tee === body.tee, 'attestation.qe-identity-format', passed, inputs)
  )
}

/** The PCK vouches for the quoting enclave, and that for the attestation key. */
async function needQuotingEnclave(
  list: Checklist,
  quote: DcapQuote,
  { leaf }: PckChain,
  { crypto }: VerifiedDcapCollateral,
): Promise<boolean> {
  const pck = await crypto.importKey('ecdsa-p256-sha256', leaf.spki)
  const isSigned = pck !== null && (await pck.verify(quote.qeReportSignature, quote.qeReport.bytes))
  const signed = 'The PCK signed the report of the quoting enclave.'
  if (!need(list, 'qe-report-signature', isSigned, 'attestation.qe-report-signature', signed)) return false
  const hash = await crypto.sha256(concatBytes(quote.attestationKey, quote.qeAuthenticationData))
  const isBound = equalBytes(hash, quote.qeReport.reportData.subarray(0, 32))
  const bound = 'The report of the quoting enclave names the attestation key.'
  return need(list, 'attestation-key-binding', isBound, 'attestation.attestation-key-binding', bound, {
    expected: toHex(hash),
    reportData: toHex(quote.qeReport.reportData.subarray(0, 32)),
  })
}

function needQeIdentity(list: Checklist, { qeReport }: DcapQuote, identity: QeIdentity): boolean {
  const masked = qeReport.attributes.map((byte, i) => byte & (identity.attributesMask[i] as number))
  const why = [
    (qeReport.miscSelect & identity.miscSelectMask) >>> 0 === identity.miscSelect ? null : 'MISCSELECT',
    equalBytes(masked, identity.attributes) ? null : 'attributes',
    equalBytes(qeReport.mrSigner, identity.mrSigner) ? null : 'MRSIGNER',
    qeReport.isvProdId === identity.isvProdId ? null : 'ISVPRODID',
  ].filter((one) => one !== null)
  const passed = 'The quoting enclave is the one that Intel names.'
  return need(list, 'qe-identity', why.length === 0, 'attestation.qe-identity-mismatch', passed, {
    mrSigner: toHex(qeReport.mrSigner),
    attributes: toHex(qeReport.attributes),
    miscSelect: qeReport.miscSelect,
    isvProdId: qeReport.isvProdId,
    differs: why.join(', '),
  })
}
