/**
 * Evidence through the Linux kernel's report interface (configfs-tsm, from 6.7 on): the same files for Intel TDX and AMD
 * SEV-SNP. One entry per quote, made and removed; if somebody else wrote to it meanwhile, the answer is thrown away. Node only.
 * Source: docs/evidence.md; the kernel's Documentation/ABI/testing/configfs-tsm-report.
 */
import { join } from 'node:path'
import { type Clock, CocoonError, type Random, toHex } from '../../util/index.ts'
import { teeError } from '../errors.ts'
import { parseDcapQuote } from '../quote/index.ts'
import { chipCertificateIn } from './snp-certificates.ts'
import type { EvidenceSource, SourcedEvidence } from './source.ts'
import type { TsmFiles } from './tsm-files.ts'

export const TSM_ROOT = '/sys/kernel/config/tsm/report'

export interface TsmSourceOptions {
  readonly files: TsmFiles
  readonly clock: Clock
  readonly random: Random
  /** Default: where the kernel has it. */
  readonly root?: string
  /** SEV-SNP only, 0 to 3: as which privilege level to ask. Default: the kernel's. */
  readonly privilegeLevel?: number
}

const KINDS: Readonly<Record<string, SourcedEvidence['kind']>> = { tdx_guest: 'tdx', sev_guest: 'sev-snp' }
const MAX_OUT_BYTES = 32 * 1024
/** The host may give a table of certificates of this size. */
const MAX_AUX_BYTES = 64 * 1024
const MAX_TEXT_BYTES = 4096
const MAX_ATTEMPTS = 6
const FIRST_PAUSE_MS = 100
/** The hardware or the kernel is busy, or a signal came: asking again is right. */
const PASSING: readonly string[] = ['EBUSY', 'EAGAIN', 'EINTR', 'ETIMEDOUT']
const REPORT_DATA_BYTES = 64

/** Rejects with `attestation.evidence-source` when the kernel has no such interface, or of hardware that is not known here. */
export async function openTsmSource(options: TsmSourceOptions): Promise<EvidenceSource> {
  const { files, root = TSM_ROOT } = options
  const provider = await withEntry(options, async (entry) =>
    textOf(await files.read(join(entry, 'provider'), MAX_TEXT_BYTES)),
  )
  const kind = KINDS[provider]
  if (kind === undefined) throw failed(root, 'provider', `hardware "${provider}" is not known here`)
  // Hardware and kernel answer one at a time; waiting here keeps the order and spares conflicts.
  let queue: Promise<unknown> = Promise.resolve()
  return {
    kind,
    description: `configfs-tsm (${provider})`,
    quote(reportData, signal) {
      if (reportData.length !== REPORT_DATA_BYTES)
        throw new CocoonError('bug.report-data', { bytes: reportData.length })
      const turn = queue.then(() => quoteWithRetries(options, kind, reportData, signal))
      queue = turn.catch(() => undefined)
      return orAborted(turn, signal)
    },
  }
}

async function quoteWithRetries(
  options: TsmSourceOptions,
  kind: SourcedEvidence['kind'],
  reportData: Uint8Array,
  signal: AbortSignal,
): Promise<SourcedEvidence> {
  let pauseMs = FIRST_PAUSE_MS
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted()
    const answer = await quoteOnce(options, kind, reportData)
    if ('evidence' in answer) return answer.evidence
    if (attempt === MAX_ATTEMPTS) throw failed(options.root ?? TSM_ROOT, 'outblob', `${answer.busy}, ${attempt} times`)
    await pause(options.clock, pauseMs, signal)
    pauseMs *= 2
  }
}

type Answer = { readonly evidence: SourcedEvidence } | { readonly busy: string }

function quoteOnce(options: TsmSourceOptions, kind: SourcedEvidence['kind'], reportData: Uint8Array): Promise<Answer> {
  const { files, privilegeLevel } = options
  return withEntry(options, async (entry): Promise<Answer> => {
    const attribute = (name: string): string => join(entry, name)
    const generation = async (): Promise<number> =>
      Number(textOf(await files.read(attribute('generation'), MAX_TEXT_BYTES)))
    try {
      const before = await generation()
      if (privilegeLevel !== undefined)
        await files.write(attribute('privlevel'), new TextEncoder().encode(String(privilegeLevel)))
      await files.write(attribute('inblob'), reportData)
      const out = await files.read(attribute('outblob'), MAX_OUT_BYTES)
      const aux = kind === 'sev-snp' ? await optional(files.read(attribute('auxblob'), MAX_AUX_BYTES)) : null
      // Every write counts one. More than ours: the answer may be over somebody else's report data.
      const writes = privilegeLevel === undefined ? 1 : 2
      if ((await generation()) !== before + writes) return { busy: 'another program wrote to our entry' }
      return { evidence: evidenceOf(kind, out, aux) }
    } catch (error) {
      const code = codeOf(error)
      if (PASSING.includes(code)) return { busy: code }
      throw error
    }
  })
}

function evidenceOf(kind: SourcedEvidence['kind'], out: Uint8Array, aux: Uint8Array | null): SourcedEvidence {
  if (kind === 'sev-snp') return { kind, report: out, chipCertificate: aux === null ? null : chipCertificateIn(aux) }
  // Kernels pad to the size of their buffer.
  return { kind, quote: out.slice(0, parseDcapQuote(out).quoteBytes) }
}

/** Of firmware and kernels that have no such attribute. */
async function optional(read: Promise<Uint8Array>): Promise<Uint8Array | null> {
  try {
    return await read
  } catch (error) {
    if (PASSING.includes(codeOf(error))) throw error
    return null
  }
}

/** An entry of our own, removed afterwards whatever happens. */
async function withEntry<T>(
  { files, random, root = TSM_ROOT }: TsmSourceOptions,
  use: (entry: string) => Promise<T>,
): Promise<T> {
  const entry = join(root, `cocoon-${toHex(random.bytes(8))}`)
  try {
    await files.create(entry)
  } catch (error) {
    throw failed(root, 'entry', MENDS[codeOf(error)] ?? (error as Error).message, error)
  }
  try {
    return await use(entry)
  } catch (error) {
    if (error instanceof CocoonError) throw error
    throw failed(root, 'report', MENDS[codeOf(error)] ?? (error as Error).message, error)
  } finally {
    // What is left behind holds a public report and goes with the guest; the evidence is good all the same.
    await files.remove(entry).catch(() => undefined)
  }
}

const MENDS: Readonly<Record<string, string>> = {
  ENOENT:
    'the kernel has no report interface here: mount configfs (mount -t configfs none /sys/kernel/config), Linux 6.7 or newer with CONFIG_TSM_REPORTS',
  ENXIO: 'no driver answers: load tdx_guest or sev-guest, in a guest that was started as one',
  EACCES: 'not allowed: run as root, or give this user write access to the folder',
  EPERM: 'not allowed: run as root, or give this user write access to the folder',
  EFBIG: 'the answer is larger than any evidence known here',
  EIO: 'the hardware or the host gave an error; for TDX check that the host runs a quote generation service (QEMU: quote-generation-socket)',
}

function failed(source: string, step: string, why: string, cause?: unknown): CocoonError {
  const { code, info, message } = teeError('attestation.evidence-source', { source, step, why })
  return new CocoonError(code, { ...info, message }, { cause })
}

const codeOf = (error: unknown): string => String((error as NodeJS.ErrnoException | undefined)?.code ?? '')
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes).trim()

function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      timer.cancel()
      reject(signal.reason as Error)
    }
    const timer = clock.after(delayMs, () => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    })
    signal.addEventListener('abort', onAbort, { once: true })
  })
}

/** A read in the kernel cannot be called back; whoever gave up is told at once, and the entry is removed when it ends. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) return Promise.reject(signal.reason as Error)
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
