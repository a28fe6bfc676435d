/** Line charts as SVG, without a library: readable in light and dark, the same bytes for the same figures. */

export interface Series {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

export interface Chart {
  readonly title: string
  readonly x: string
  readonly y: string
  readonly series: readonly Series[]
}

const [WIDTH, HEIGHT] = [720, 380]
const [LEFT, RIGHT, TOP, BOTTOM] = [64, 190, 48, 52]
const TICKS = 5
/** Told apart by dashes too, for those who see no difference in colour. */
const STROKES = [
  { color: '#2a78d6', dash: '' },
  { color: '#c2571a', dash: '7 4' },
  { color: '#6b8e23', dash: '2 4' },
]

export function drawChart({ title, x, y, series }: Chart): string {
  const all = series.flatMap((s) => s.points)
  const [xMax, yMax] = [niceAbove(Math.max(...all.map((p) => p[0]))), niceAbove(Math.max(...all.map((p) => p[1])))]
  const atX = (value: number): number => LEFT + (value / xMax) * (WIDTH - LEFT - RIGHT)
  const atY = (value: number): number => HEIGHT - BOTTOM - (value / yMax) * (HEIGHT - TOP - BOTTOM)
  const lines: string[] = []
  for (let i = 0; i <= TICKS; i++) {
    const [xValue, yValue] = [(xMax * i) / TICKS, (yMax * i) / TICKS]
    lines.push(`<path class="grid" d="M${LEFT} ${px(atY(yValue))}H${WIDTH - RIGHT}"/>`)
    lines.push(`<text x="${LEFT - 8}" y="${px(atY(yValue) + 4)}" text-anchor="end">${short(yValue)}</text>`)
    lines.push(`<text x="${px(atX(xValue))}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${short(xValue)}</text>`)
  }
  for (const [i, { name, points }] of series.entries()) {
    const { color, dash } = STROKES[i % STROKES.length] as (typeof STROKES)[number]
    const style = `stroke="${color}"${dash === '' ? '' : ` stroke-dasharray="${dash}"`}`
    const path = points.map(([px0, py0], n) => `${n === 0 ? 'M' : 'L'}${px(atX(px0))} ${px(atY(py0))}`).join('')
    const legendY = TOP + 10 + i * 22
    lines.push(`<path class="line" ${style} d="${path}"/>`)
    for (const [px0, py0] of points)
      lines.push(`<circle cx="${px(atX(px0))}" cy="${px(atY(py0))}" r="3" fill="${color}"/>`)
    lines.push(`<path class="line" ${style} d="M${WIDTH - RIGHT + 14} ${legendY}h24"/>`)
    lines.push(`<text x="${WIDTH - RIGHT + 44}" y="${legendY + 4}">${escaped(name)}</text>`)
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">
<style>
text { font: 12px system-ui, sans-serif; fill: #333 } .title { font-size: 15px; font-weight: 600 }
.grid { stroke: #8884; fill: none } .line { stroke-width: 2; fill: none } .page { fill: #fff }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .page { fill: #16181c } }
</style>
<rect class="page" width="${WIDTH}" height="${HEIGHT}"/>
<text class="title" x="${LEFT}" y="26">${escaped(title)}</text>
${lines.join('\n')}
<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 12}" text-anchor="middle">${escaped(x)}</text>
<text transform="translate(16 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">${escaped(y)}</text>
</svg>
`
}

const px = (value: number): string => value.toFixed(1)
const short = (value: number): string => String(Number(value.toPrecision(3)))
const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')

/** The next of 1, 1.5, 2, 3, 5 and their multiples by ten: the ticks are round numbers then. */
function niceAbove(value: number): number {
  if (value <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  return power * ([1, 1.5, 2, 3, 5, 10].find((n) => n * power >= value) ?? 10)
}
