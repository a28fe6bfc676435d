/** What was used: a bar for each day, and the sums by key and model. */
import { element, table } from './element.mjs'
import { admin } from './node-api.mjs'

const SHOWN_DAYS = 31

/** @param {HTMLElement} view */
export async function showUsage(view) {
  const [days, keys, models] = await Promise.all(['day', 'key', 'model'].map((by) => admin(`/usage?by=${by}`)))
  view.append(
    element('h3', {}, 'By day'),
    bars(days.data.slice(-SHOWN_DAYS)),
    element('h3', {}, 'By key'),
    sums('key', keys.data),
    element('h3', {}, 'By model'),
    sums('model', models.data),
  )
}

/**
 * Numbers stand beside the bars: nobody has to measure, or to see them.
 * @param {any[]} days
 */
function bars(days) {
  const most = Math.max(1, ...days.map((day) => Number(day.cost_nano)))
  const rows = days.map((day) => {
    const share = (100 * Number(day.cost_nano)) / most
    const bar = element('progress', { max: 100, value: share, 'aria-label': `${day.day}: ${day.cost_ton} TON` })
    return [day.day, bar, amount(day), String(day.requests), String(day.failed)]
  })
  return table('Cost by day', ['Day', '', 'Cost', 'Requests', 'Failed'], rows, 'Nothing was used yet.')
}

/**
 * @param {string} by
 * @param {any[]} list
 */
function sums(by, list) {
  const rows = list.map((one) => [
    one[by],
    String(one.requests),
    String(one.failed),
    one.prompt_tokens,
    one.completion_tokens,
    amount(one),
  ])
  return table(
    `Usage by ${by}`,
    [by, 'Requests', 'Failed', 'Prompt tokens', 'Completion tokens', 'Cost'],
    rows,
    'Nothing was used yet.',
  )
}

/** @param {{ cost_ton: string, cost_fiat?: string }} of */
const amount = ({ cost_ton: ton, cost_fiat: fiat }) => `${ton} TON${fiat === undefined ? '' : ` (${fiat})`}`
