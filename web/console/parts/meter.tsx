/** How much of a whole is taken, with the words beside it: nobody has to measure, or to see it. */
export interface MeterProps {
  readonly value: number
  readonly max: number
  /** From here on it looks like too much. */
  readonly high?: number
  readonly text: string
}

export function Meter({ value, max, high, text }: MeterProps) {
  return (
    <span class="metered">
      <meter min={0} max={Math.max(max, 1)} value={value} high={high ?? max} optimum={0} aria-label={text} />
      <span>{text}</span>
    </span>
  )
}
