/** Progress of a download, as one line of text and as something that draws it. */

export interface PullProgress {
  readonly phase: 'downloading' | 'unpacking' | 'verifying'
  readonly receivedBytes: number
  /** Absent while the source has not told. */
  readonly totalBytes?: number
}

export interface ProgressScreen {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  write(text: string): unknown
}

const PHASES = { downloading: 'pulling', unpacking: 'unpacking', verifying: 'checking' } as const
const BAR_WIDTH = 24
/** Redraws more often than this only cost; a person sees no difference. */
const REDRAW_MS = 100
/** A screen without cursor gets a line per step. */
const PLAIN_STEP_PERCENT = 10

/** `pulling tinyllama  ████████░░░░░░░░  33 %  106 of 323 MB  41 MB/s  5 s left`, cut to `columns`. */
export function progressLine(
  name: string,
  progress: PullProgress,
  elapsedMs: number,
  startBytes = 0,
  columns = 100,
): string {
  const { phase, receivedBytes: got, totalBytes: total } = progress
  const perSecond = elapsedMs > 0 ? Math.max(0, got - startBytes) / (elapsedMs / 1000) : 0
  const parts = [`${PHASES[phase]} ${name}`]
  if (total !== undefined && total > 0) {
    const part = Math.min(1, got / total)
    const full = Math.floor(part * BAR_WIDTH)
    parts.push(
      '█'.repeat(full) + '░'.repeat(BAR_WIDTH - full),
      `${Math.floor(part * 100)} %`,
      `${megabytes(got)} of ${megabytes(total)} MB`,
    )
  } else {
    parts.push(`${megabytes(got)} MB`)
  }
  if (perSecond > 0) parts.push(`${megabytes(perSecond)} MB/s`)
  if (perSecond > 0 && total !== undefined && got < total) parts.push(`${duration((total - got) / perSecond)} left`)
  return parts.join('  ').slice(0, Math.max(1, columns))
}

/** Draws in place on a terminal, otherwise a line every 10 %. `now` is in milliseconds. */
export function drawProgress(
  screen: ProgressScreen,
  name: string,
  now: () => number,
): { update(progress: PullProgress): void; done(): void } {
  let startMs = now()
  let startBytes = 0
  let phase: PullProgress['phase'] | undefined
  let drawnMs = Number.NEGATIVE_INFINITY
  let step = -1
  let open = false
  return {
    update(progress) {
      const nowMs = now()
      const changed = progress.phase !== phase
      if (changed) {
        phase = progress.phase
        startMs = nowMs
        startBytes = progress.receivedBytes
        step = -1
      }
      const complete = progress.receivedBytes === progress.totalBytes
      if (screen.isTTY === true) {
        if (!changed && !complete && nowMs - drawnMs < REDRAW_MS) return
        drawnMs = nowMs
        open = true
        screen.write(
          `\r\u001B[2K${progressLine(name, progress, nowMs - startMs, startBytes, (screen.columns ?? 80) - 1)}`,
        )
        return
      }
      const percent = progress.totalBytes ? (progress.receivedBytes / progress.totalBytes) * 100 : 0
      const nextStep = Math.floor(percent / PLAIN_STEP_PERCENT)
      if (nextStep <= step) return
      step = nextStep
      screen.write(`${progressLine(name, progress, nowMs - startMs, startBytes)}\n`)
    },
    done() {
      if (open) screen.write('\n')
      open = false
    },
  }
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(bytes < 10e6 ? 1 : 0)

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`
  if (seconds < 5400) return `${Math.ceil(seconds / 60)} min`
  return `${(seconds / 3600).toFixed(1)} h`
}
