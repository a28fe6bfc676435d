/** The times of a request as a line, to the scale of the longest one shown. */
import type { Receipt } from '../../node/shapes.ts'
import { formatMs } from '../../parts/format.ts'
import { stretchesOf, timesOf } from './timeline.ts'

const WIDTH = 120
const HEIGHT = 10

export function TimeBar({ receipt, longestMs }: { readonly receipt: Receipt; readonly longestMs: number }) {
  const { queuedMs, waitingMs, answeringMs } = stretchesOf(receipt)
  const scale = WIDTH / Math.max(longestMs, 1)
  const parts = [
    ['queued', 0, queuedMs],
    ['waiting', queuedMs, waitingMs],
    ['answering', queuedMs + waitingMs, answeringMs],
  ] as const
  return (
    <span class="times">
      <svg width={WIDTH} height={HEIGHT} role="img" aria-label={timesOf(receipt)}>
        <title>{timesOf(receipt)}</title>
        {parts.map(([name, from, length]) => (
          <rect key={name} class={name} x={from * scale} width={length * scale} height={HEIGHT} />
        ))}
      </svg>
      <small>{formatMs(receipt.duration_ms)}</small>
    </span>
  )
}
