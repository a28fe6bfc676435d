/**
 * Evidence by a program of the operator's: for kernels without the report interface, where evidence is asked for by ioctl or over
 * vsock. It is given the report data as 128 hex digits on its standard input and prints one JSON object. Node only.
 * Source: docs/evidence.md, "A program of your own".
 */
import { z } from 'zod'
import { type CocoonError, fromBase64, toHex } from '../../util/index.ts'
import { teeError } from '../errors.ts'
import { parseDcapQuote, SNP_REPORT_BYTES } from '../quote/index.ts'
import { runCommand } from './run-command.ts'
import type { EvidenceSource, SourcedEvidence } from './source.ts'

export interface CommandSourceOptions {
  readonly kind: SourcedEvidence['kind']
  /** Program and arguments; no shell looks at them. */
  readonly command: readonly [string, ...string[]]
}

/** A quote of 32 KiB in Base64, a chip certificate, and room for spaces. */
const MAX_ANSWER_BYTES = 128 * 1024
const base64 = z.base64().transform((text) => fromBase64(text))
const answerSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('tdx'), quote: base64 }),
  z.strictObject({ kind: z.literal('sev-snp'), report: base64, chipCertificate: base64.nullable() }),
])

export function createCommandSource({ kind, command }: CommandSourceOptions): EvidenceSource {
  return {
    kind,
    description: `command (${command[0]})`,
    async quote(reportData, signal) {
      const text = await runCommand({ command, maxBytes: MAX_ANSWER_BYTES, signal }, `${toHex(reportData)}\n`)
      return readAnswer(command[0], kind, text)
    },
  }
}

function readAnswer(source: string, kind: SourcedEvidence['kind'], text: string): SourcedEvidence {
  const refused = (why: string): CocoonError => teeError('attestation.evidence-source', { source, why })
  let raw: unknown
  try {
    raw = JSON.parse(text)
  } catch {
    throw refused('it printed no JSON')
  }
  const parsed = answerSchema.safeParse(raw)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw refused(`its answer is wrong in ${issue?.path.join('.') || 'kind'}: ${issue?.message ?? ''}`)
  }
  const answer = parsed.data
  if (answer.kind !== kind) throw refused(`it answered with ${answer.kind}; configured is ${kind}`)
  if (answer.kind === 'tdx')
    return { kind: 'tdx', quote: answer.quote.slice(0, parseDcapQuote(answer.quote).quoteBytes) }
  if (answer.report.length !== SNP_REPORT_BYTES) throw refused(`its report has ${answer.report.length} bytes`)
  return answer
}
