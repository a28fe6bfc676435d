/** What a policy may ask of a SEV-SNP guest, and the checks for it. Browser-safe. */
import { equalBytes, toHex } from '../../../util/index.ts'
import { SNP_ERRORS, type SnpErrorCode } from '../../quote/snp-errors.ts'
import { formatTcb, isTcbAtLeast, type SnpProduct, type SnpTcb } from '../../quote/snp-tcb.ts'
import type { SnpReport } from '../../quote/snp.ts'
import type { Checklist, CheckInputs, CheckWords } from '../checks.ts'

/** What the guest must be. Every field is a decision; null says that anything goes. */
export interface SnpExpectations {
  /** Without a list, a revoked intermediate goes unnoticed. */
  readonly crl: 'required' | 'if-given'
  /** 0 for a guest that is alone. Under a paravisor, which keeps 0 to itself, guests ask from a higher number. */
  readonly vmpl: number
  readonly debug: 'refuse' | 'allow'
  readonly migrationAgent: 'refuse' | 'allow'
  /** What the machine must state; SMT counts as a protection when it is off. Empty for none. */
  readonly platform: readonly SnpProtection[]
  /** Reported and committed TCB must reach it. A product that is not named is refused. */
  readonly minimumTcb: Readonly<Partial<Record<SnpProduct, SnpTcb>>> | null
  /** Hex, 48 bytes each. */
  readonly measurements: readonly string[] | null
  /** Hex, 32 bytes. */
  readonly hostData: string | null
  /** 64 bytes; for a TLS key, SHA-512 of it. */
  readonly reportData: Uint8Array | null
}

/** Bits of the platform information, as a demand. `alias-check`: no memory module lies about its size (BadRAM). */
export type SnpProtection = 'smt-off' | 'tsme' | 'ecc' | 'rapl-off' | 'ciphertext-hiding' | 'alias-check'

export type SnpTcbs = Readonly<Record<'current' | 'reported' | 'committed' | 'launch', SnpTcb>>

/** Adds the checks of the guest, in order. */
export function checkGuest(
  list: Checklist,
  report: SnpReport,
  product: SnpProduct,
  tcb: SnpTcbs,
  expected: SnpExpectations,
): void {
  const { policy } = report
  list.require(
    'snp-debug',
    !policy.debugAllowed || expected.debug === 'allow',
    'attestation.snp-debug',
    said(
      policy.debugAllowed ? 'Debugging is allowed here, and it is on.' : 'The guest cannot be debugged.',
      'snp-debug',
    ),
    { policy: `0x${policy.raw.toString(16).padStart(16, '0')}`, debugAllowed: policy.debugAllowed },
  )
  list.require(
    'snp-migration',
    !policy.migrationAgentAllowed || expected.migrationAgent === 'allow',
    'attestation.snp-migration',
    said('The policy on migration agents is met.', 'snp-migration'),
    { migrationAgentAllowed: policy.migrationAgentAllowed },
  )
  list.require(
    'snp-vmpl',
    report.vmpl === expected.vmpl,
    'attestation.snp-vmpl',
    said('The report was asked for at the expected privilege level.', 'snp-vmpl'),
    { vmpl: report.vmpl, expected: expected.vmpl },
  )
  checkPlatform(list, report, expected.platform)
  checkMinimumTcb(list, product, tcb, expected.minimumTcb)
  const measurement = toHex(report.measurement)
  orInfo(list, 'snp-measurement', expected.measurements, { measurement }, (allowed) =>
    allowed.some((one) => one.toLowerCase() === measurement),
  )
  const hostData = toHex(report.hostData)
  orInfo(list, 'snp-host-data', expected.hostData, { hostData }, (one) => one.toLowerCase() === hostData)
  const reportData = toHex(report.reportData)
  orInfo(list, 'snp-report-data', expected.reportData, { reportData }, (one) => equalBytes(one, report.reportData))
}

/** The protections that the machine states. */
export function protectionsOf(platform: SnpReport['platform']): SnpProtection[] {
  const states: Readonly<Record<SnpProtection, boolean>> = {
    'smt-off': !platform.smt,
    tsme: platform.tsme,
    ecc: platform.ecc,
    'rapl-off': platform.raplOff,
    'ciphertext-hiding': platform.ciphertextHiding,
    'alias-check': platform.aliasCheckComplete,
  }
  return (Object.keys(states) as SnpProtection[]).filter((name) => states[name])
}

function checkPlatform(list: Checklist, { platform }: SnpReport, demanded: readonly SnpProtection[]): void {
  const stated = protectionsOf(platform)
  list.require(
    'snp-platform',
    demanded.every((name) => stated.includes(name)),
    'attestation.snp-platform',
    said('The machine states every protection that is demanded.', 'snp-platform'),
    { stated: stated.join(' '), demanded: demanded.join(' ') },
  )
}

function checkMinimumTcb(
  list: Checklist,
  product: SnpProduct,
  { reported, committed }: SnpTcbs,
  minimums: SnpExpectations['minimumTcb'],
): void {
  const inputs = { reported: formatTcb(reported), committed: formatTcb(committed) }
  if (minimums === null) {
    list.info('snp-minimum-tcb', 'No minimum is asked for.', inputs)
    return
  }
  const minimum = minimums[product]
  list.require(
    'snp-minimum-tcb',
    minimum !== undefined && isTcbAtLeast(reported, minimum) && isTcbAtLeast(committed, minimum),
    'attestation.snp-tcb-too-old',
    said('Reported and committed TCB reach the minimum.', 'snp-tcb-too-old'),
    { ...inputs, minimum: minimum === undefined ? `none for ${product}` : formatTcb(minimum) },
  )
}

/** A check where something is asked for, a line of information where nothing is. */
function orInfo<T>(
  list: Checklist,
  id: 'snp-measurement' | 'snp-host-data' | 'snp-report-data',
  expected: T | null,
  inputs: CheckInputs,
  holds: (expected: T) => boolean,
): void {
  if (expected === null) list.info(id, 'Nothing in particular is asked for.', inputs)
  else list.require(id, holds(expected), `attestation.${id}`, said('It is what is asked for.', id), inputs)
}

/** The words of a check: `passed`, else the sentence of `attestation.<code>`. */
export const said = (passed: string, code: string): CheckWords => ({
  passed,
  failed: SNP_ERRORS[`attestation.${code}` as SnpErrorCode],
})
