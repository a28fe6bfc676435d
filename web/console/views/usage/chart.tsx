/** Stacked bars by day. The picture has one sentence for those who cannot see it; its numbers stand in a table beneath. */
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { type Series, ticksUpTo } from './series.ts'

const HEIGHT = 220
/** Room for the words beside and beneath. */
const LEFT = 96
const BOTTOM = 24
const TOP = 10
const PLOT_HEIGHT = HEIGHT - BOTTOM - TOP
/** What the name of a day takes. */
const NAME_WIDTH = 56

export interface ChartProps {
  readonly series: Series
  readonly label: string
  readonly format: (value: bigint) => string
}

export function Chart({ series, label, format }: ChartProps) {
  const { days, layers, most } = series
  const ticks = ticksUpTo(most)
  const top = ticks.at(-1) ?? 1n
  // Per million of a bigint: exact enough for a picture.
  const y = (value: bigint): number => TOP + PLOT_HEIGHT * (1 - Number((value * 1_000_000n) / top) / 1_000_000)
  const figure = useRef<HTMLElement>(null)
  const width = useWidth(figure)
  const step = Math.max(0, width - LEFT) / days.length
  const every = Math.max(1, Math.ceil(NAME_WIDTH / Math.max(step, 1)))
  return (
    <figure class="chart" ref={figure}>
      <svg width={width} height={HEIGHT} role="img" aria-label={label}>
        {ticks.map((tick) => (
          <g key={String(tick)}>
            <line class="grid" x1={LEFT} x2={width} y1={y(tick)} y2={y(tick)} />
            <text x={LEFT - 8} y={y(tick) + 4} text-anchor="end">
              {format(tick)}
            </text>
          </g>
        ))}
        {days.map((day, i) => {
          const x = LEFT + i * step
          let base = 0n
          return (
            <g key={day}>
              {layers.map(({ name, values }, layer) => {
                const value = values[i] ?? 0n
                if (value === 0n) return null
                const [from, to] = [y(base), y(base + value)]
                base += value
                return (
                  <rect
                    key={name}
                    class={`layer-${layer}`}
                    x={x + step * 0.1}
                    width={step * 0.8}
                    y={to}
                    // What is there can be seen, however little it is.
                    height={Math.max(from - to, 1)}
                  >
                    <title>{`${day}, ${name}: ${format(value)}`}</title>
                  </rect>
                )
              })}
              {(days.length - 1 - i) % every === 0 && (
                <text x={x + step / 2} y={HEIGHT - 6} text-anchor="middle">
                  {day.slice(5)}
                </text>
              )}
            </g>
          )
        })}
      </svg>
      {layers.length > 1 && (
        <figcaption>
          <ul class="legend">
            {layers.map(({ name }, layer) => (
              <li key={name}>
                <svg width="12" height="12" aria-hidden="true">
                  <rect class={`layer-${layer}`} width="12" height="12" rx="2" />
                </svg>{' '}
                {name}
              </li>
            ))}
          </ul>
        </figcaption>
      )}
    </figure>
  )
}

/** Of an element, in px: words in the picture keep their size on every screen. */
function useWidth(element: { readonly current: HTMLElement | null }): number {
  const [width, setWidth] = useState(0)
  useLayoutEffect(() => {
    const { current } = element
    if (current === null) return
    setWidth(current.clientWidth)
    const watch = new ResizeObserver(() => setWidth(current.clientWidth))
    watch.observe(current)
    return () => watch.disconnect()
  }, [element])
  return width
}
