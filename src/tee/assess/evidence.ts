/** Evidence by itself, from bytes to verdict: one call for quotes, reports, GPU evidence and logs. Browser-safe. */
import { toHex } from '../../util/index.ts'
import { NO_SURROUNDINGS } from '../policy/index.ts'
import { parseEventLog, replayEventLog } from '../quote/index.ts'
import { Checklist, type CheckInputs } from '../verify/checks.ts'
import { type AssessOptions, type Assessment, attempt, conclude, type Findings } from './assessment.ts'
import { assessCertificate } from './certificate.ts'
import type { DetectedEvidence } from './detect.ts'
import { ASSESS_ERRORS } from './errors.ts'
import { examineGpus } from './gpu.ts'
import { examineQuote } from './quote.ts'
import { parseSession } from './session.ts'
import { examineSnp } from './snp.ts'

/** Certificates are `assessCertificate`'s. Throws nothing that evidence or bundle could cause. */
export async function assessEvidence(
  detected: DetectedEvidence & { readonly form: Exclude<DetectedEvidence['form'], 'certificate'> },
  options: AssessOptions,
): Promise<Assessment> {
  if (detected.form === 'session') return assessSession(detected.bytes, options)
  return conclude(await examine(detected.form, detected.bytes, options), options)
}

async function assessSession(bytes: Uint8Array, options: AssessOptions): Promise<Assessment> {
  const list = new Checklist()
  const session = await attempt(list, 'session', () => parseSession(new TextDecoder().decode(bytes)))
  if (session !== null) return assessCertificate(session.certificate, 'unknown', options, session.claims)
  const nothing = { shown: {}, facts: null, validUntilMs: null, proven: [], notProven: [] }
  const groups = [{ title: 'Recorded session', checks: list.checks }]
  return conclude({ ...nothing, summary: 'recorded session', evidence: 'unknown', groups }, options)
}

function examine(
  form: Exclude<DetectedEvidence['form'], 'certificate' | 'session'>,
  bytes: Uint8Array,
  options: AssessOptions,
): Promise<Findings> {
  switch (form) {
    case 'dcap-quote':
      return examineQuote(bytes, NO_SURROUNDINGS, options)
    case 'snp-report':
      return examineSnp(bytes, null, NO_SURROUNDINGS, options)
    case 'gpu-evidence':
      return examineGpus(bytes, NO_SURROUNDINGS, options)
    case 'event-log':
      return examineLog(bytes, options)
  }
}

/** The registers it replays to, for comparing by eye; never more than refused. */
async function examineLog(bytes: Uint8Array, { crypto }: AssessOptions): Promise<Findings> {
  const list = new Checklist()
  const shown = await attempt(list, 'event-log', async (): Promise<CheckInputs> => {
    const log = parseEventLog(bytes)
    const registers = await replayEventLog((data) => crypto.sha384(data), log)
    list.info('event-log', 'The log is well formed.', { events: log.events.length, end: log.end })
    return Object.fromEntries(registers.map((register, i) => [`rtmr${i}`, toHex(register)]))
  })
  const code = 'attestation.event-log-alone'
  if (shown !== null) list.fail('event-log-quote', code, ASSESS_ERRORS[code])
  return {
    summary: `TCG event log, ${bytes.length} bytes`,
    evidence: 'unknown',
    groups: [{ title: 'Event log', checks: list.checks }],
    shown: shown ?? {},
    facts: null,
    validUntilMs: null,
    proven: [],
    notProven: [],
  }
}
