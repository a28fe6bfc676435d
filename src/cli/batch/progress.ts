/** How far a batch is, on one line: drawn over itself on a terminal, a new line for each change elsewhere. */
import { amount, type Row } from '../gateway/show.ts'
import type { Terminal } from '../terminal.ts'

const BAR_CHARS = 24

/** `in_progress  ████░░ 40 %  12 of 30, 1 failed  0.01 TON  waits for: price`. */
export function progressText(batch: Row): string {
  const { total, completed, failed } = batch['request_counts'] as { total: number; completed: number; failed: number }
  const done = total === 0 ? 0 : (completed + failed) / total
  const full = Math.floor(done * BAR_CHARS)
  const parts = [
    String(batch['status']),
    total === 0 ? '' : `${'█'.repeat(full)}${'░'.repeat(BAR_CHARS - full)} ${Math.floor(done * 100)} %`,
    total === 0 ? '' : `${completed} of ${total}${failed === 0 ? '' : `, ${failed} failed`}`,
    amount(batch, 'cost'),
    batch['waiting_for'] === null ? '' : `waits for: ${String(batch['waiting_for'])}`,
  ]
  return parts.filter(Boolean).join('  ')
}

export interface ProgressLine {
  show(batch: Row): void
  end(): void
}

export function createProgressLine(t: Terminal): ProgressLine {
  let last = ''
  return {
    show(batch) {
      const text = progressText(batch)
      if (text === last) return
      last = text
      if (t.isTTY) t.write(`\r${text.slice(0, t.columns - 1)}\u001b[K`)
      else t.line(text)
    },
    end() {
      if (t.isTTY) t.line()
    },
  }
}
