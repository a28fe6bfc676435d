/** An AMD SEV-SNP report from bytes to verdict. Browser-safe. */
import { toHex } from '../../util/index.ts'
import { COLLATERAL_ERRORS, selectSnpCollateral } from '../collateral/index.ts'
import { factsOfSnp, type Surroundings } from '../policy/index.ts'
import { formatTcb, parseSnpReport, type SnpReport } from '../quote/index.ts'
import { Checklist, type Verification } from '../verify/checks.ts'
import { type SnpExpectations, type SnpFacts, verifySnp } from '../verify/snp/index.ts'
import { type AssessOptions, attempt, type Findings } from './assessment.ts'

/** Genuine, whatever it is: the demands on the guest are the policy's, and judged there. */
const GENUINE: Omit<SnpExpectations, 'vmpl'> = {
  crl: 'if-given',
  debug: 'allow',
  migrationAgent: 'allow',
  platform: [],
  minimumTcb: null,
  measurements: null,
  hostData: null,
  reportData: null,
}

/** Demands on the guest; asked for nothing, they would only confuse. */
const FOR_POLICY: readonly string[] = [
  'snp-debug',
  'snp-migration',
  'snp-vmpl',
  'snp-platform',
  'snp-minimum-tcb',
  'snp-measurement',
  'snp-host-data',
  'snp-report-data',
]

/** @param shownLeaf the chip's certificate, where the peer sent one. Throws nothing that the report or the bundle could cause. */
export async function examineSnp(
  bytes: Uint8Array,
  shownLeaf: Uint8Array | null,
  around: Surroundings,
  options: AssessOptions,
): Promise<Findings> {
  const list = new Checklist()
  const report = await attempt(list, 'snp-report', () => parseSnpReport(bytes))
  const result = report === null ? null : await verify(list, bytes, report, shownLeaf, options)
  const facts = result === null ? null : factsOfSnp(result, around)
  const version = report === null ? 'that cannot be read' : `version ${report.version}`
  return {
    summary: `AMD SEV-SNP report, ${version}, ${bytes.length} bytes`,
    evidence: report === null ? 'unknown' : 'sev-snp',
    groups: [{ title: 'AMD SEV-SNP report', checks: list.checks }],
    shown:
      report === null
        ? {}
        : {
            measurement: toHex(report.measurement),
            hostData: toHex(report.hostData),
            reportData: toHex(report.reportData),
            ...(result?.ok === true
              ? {
                  imageHash: result.facts.imageHash,
                  product: result.facts.product,
                  tcb: formatTcb(result.facts.tcb.reported),
                }
              : {}),
          },
    facts,
    validUntilMs: result?.ok === true ? result.facts.earliestExpiryMs : null,
    ...(result?.ok === true ? conclusions(result.facts) : { proven: [], notProven: [] }),
  }
}

async function verify(
  list: Checklist,
  bytes: Uint8Array,
  report: SnpReport,
  shownLeaf: Uint8Array | null,
  { bundle, crypto, context: { nowMs }, roots }: AssessOptions,
): Promise<Verification<SnpFacts> | null> {
  const selected = await attempt(list, 'snp-leaf', () => selectSnpCollateral(bundle, report, shownLeaf, nowMs))
  if (selected === null) return null
  const { collateral, missing } = selected
  if (collateral === null) {
    const code = 'attestation.collateral-missing'
    list.fail('collateral', code, COLLATERAL_ERRORS[code], { missing: missing.join('; ') })
    return null
  }
  const { leaf, ...rest } = collateral
  const result = await verifySnp(
    { report: bytes, leaf },
    rest,
    { ...GENUINE, vmpl: report.vmpl },
    { crypto, nowMs, ...(roots?.amd === undefined ? {} : { roots: roots.amd }) },
  )
  list.append(result.checks.filter(({ id }) => !FOR_POLICY.includes(id)))
  return result
}

function conclusions({
  product,
  imageHash,
  signingKey,
  providerId,
  tcb,
}: SnpFacts): Pick<Findings, 'proven' | 'notProven'> {
  const who = signingKey === 'vcek' ? 'one chip’s key' : `the key that AMD gave to ${providerId}`
  return {
    proven: [
      `A genuine AMD ${product} processor measured the guest and signed it with ${who}.`,
      `Its firmware is ${formatTcb(tcb.reported)}.`,
      `The image hash of what was started is ${imageHash}.`,
    ],
    notProven: [
      'That the software with this image hash is free of faults: somebody must have read and rebuilt it.',
      'That nobody opens the machine: attacks on its memory bus and chips are outside what this hardware promises.',
    ],
  }
}
