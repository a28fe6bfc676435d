/** `cocoon evidence`: takes evidence of this machine once, to see that it works and to verify it elsewhere. */
import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { openOwnSource } from '../attest/index.ts'
import {
  createGpuCommandSource,
  type GpuEvidence,
  NVATTEST,
  parseDcapQuote,
  parseSnpReport,
  type SourcedEvidence,
} from '../tee/index.ts'
import { CocoonError, equalBytes, fromHex, systemClock, systemRandom, toBase64, toHex } from '../util/index.ts'
import type { Config } from './schema.ts'
import type { Terminal } from './terminal.ts'

export interface EvidenceFlags {
  readonly reportData?: string
  readonly gpu?: boolean
  readonly gpuCommand?: string
}

/** Hardware answers in seconds or not at all. */
const TIMEOUT_MS = 60_000
const REPORT_DATA_BYTES = 64
const NONCE_BYTES = 32

export const evidenceCommand = (cocoon: Command): Command =>
  cocoon
    .command('evidence')
    .description('take evidence of this machine, as a node does when it makes a certificate')
    .argument('<file>', 'where to write the quote or report, or with --gpu NVIDIA’s JSON')
    .option('--report-data <hex>', '64 bytes that the evidence is made over, 32 with --gpu (default: random)')
    .option('--gpu', 'of the NVIDIA GPUs, by the vendor’s tool')
    .option('--gpu-command <words>', 'another tool than nvattest, with its arguments; {nonce} stands for the nonce')

export async function takeEvidence(config: Config, file: string, flags: EvidenceFlags, t: Terminal): Promise<number> {
  const stop = new AbortController()
  const onInterrupt = (): void => stop.abort(new CocoonError('attestation.evidence-source', { message: 'stopped' }))
  process.once('SIGINT', onInterrupt)
  const late = systemClock.after(TIMEOUT_MS, () =>
    stop.abort(
      new CocoonError('attestation.evidence-source', { message: `no answer within ${TIMEOUT_MS / 1000} seconds` }),
    ),
  )
  try {
    const { bytes, words } = await (flags.gpu === true
      ? ofGpus(flags, stop.signal)
      : ofGuest(config, flags.reportData, stop.signal))
    writeFileSync(file, bytes)
    for (const [name, value] of words) t.line(`${name.padEnd(12)} ${value}`)
    t.line(`written to   ${file}; next: cocoon verify ${file} --bundle BUNDLE`)
    return 0
  } finally {
    late.cancel()
    process.off('SIGINT', onInterrupt)
  }
}

interface Taken {
  readonly bytes: Uint8Array | string
  readonly words: readonly (readonly [string, string])[]
}

async function ofGuest(config: Config, given: string | undefined, signal: AbortSignal): Promise<Taken> {
  const reportData = bytesOf(given, REPORT_DATA_BYTES)
  const source = await openOwnSource({ clock: systemClock, random: systemRandom }, config.attestation)
  if (source === null)
    throw new CocoonError('attestation.evidence-source', {
      message:
        'this machine has no source of evidence: run it in a TDX or SEV-SNP guest, or name a program with attestation.source; `cocoon doctor` says what this machine has',
    })
  const evidence = await source.quote(reportData, signal)
  if (!equalBytes(reportDataIn(evidence), reportData))
    throw new CocoonError('attestation.evidence-source', {
      message: `${source.description} gave evidence over other report data than it was asked for; no node would use it`,
    })
  const isTdx = evidence.kind === 'tdx'
  const bytes = isTdx ? evidence.quote : evidence.report
  return {
    bytes,
    words: [
      ['source', source.description],
      ['evidence', `${isTdx ? 'Intel TDX quote' : 'AMD SEV-SNP report'}, ${bytes.length} bytes`],
      ...(isTdx
        ? []
        : [['chip', evidence.chipCertificate === null ? 'no certificate given' : 'certificate given'] as const]),
      ['made over', toHex(reportData)],
    ],
  }
}

function reportDataIn(evidence: SourcedEvidence): Uint8Array {
  if (evidence.kind === 'sev-snp') return parseSnpReport(evidence.report).reportData
  const { body } = parseDcapQuote(evidence.quote)
  return body.tee === 'tdx' ? body.report.reportData : new Uint8Array()
}

async function ofGpus({ reportData, gpuCommand }: EvidenceFlags, signal: AbortSignal): Promise<Taken> {
  const nonce = bytesOf(reportData, NONCE_BYTES)
  const [program, ...args] = gpuCommand?.split(/\s+/).filter((word) => word !== '') ?? NVATTEST
  if (program === undefined) throw new CocoonError('config.value', { message: '--gpu-command names no program' })
  const found = await createGpuCommandSource([program, ...args]).collect(nonce, signal)
  return {
    bytes: `${JSON.stringify(found.map(asJson), null, 2)}\n`,
    words: [
      ['source', program],
      ['evidence', `${found.length} GPU(s), ${[...new Set(found.map(({ architecture }) => architecture))].join(', ')}`],
      ['made over', toHex(nonce)],
    ],
  }
}

/** The form of NVIDIA's tools, which `cocoon verify` reads. */
const asJson = ({ architecture, nonce, report, certificates }: GpuEvidence): object => ({
  arch: architecture,
  nonce: toHex(nonce),
  evidence: toBase64(report),
  certificate: toBase64(certificates),
})

function bytesOf(hex: string | undefined, count: number): Uint8Array {
  if (hex === undefined) return systemRandom.bytes(count)
  if (hex.length === 2 * count && /^[0-9a-fA-F]+$/.test(hex)) return fromHex(hex)
  throw new CocoonError('config.value', { message: `--report-data must be ${2 * count} hex digits` })
}
