/** Models on offer: price for a million tokens of each class, workers, load. */
import { element, table } from './element.mjs'
import { api } from './node-api.mjs'
import { callerKey } from './caller-key.mjs'

/**
 * @param {HTMLElement} view
 * @param {(error: unknown) => void} complain
 */
export async function showModels(view, complain) {
  const key = callerKey()
  view.append(key.field)
  const place = element('div', { 'aria-live': 'polite' })
  view.append(place)
  const load = async () => {
    const [prices, models] = await Promise.all(
      ['/v1/prices', '/v1/models'].map(async (path) => (await api(path, { key: key.value() })).json()),
    )
    place.replaceChildren(tableOf(prices.data, models.data))
  }
  key.onChange(load, complain)
  await load()
}

/**
 * @param {any[]} prices
 * @param {any[]} models
 */
function tableOf(prices, models) {
  const rows = prices.map((price) => {
    const workers = models.find((model) => model.id === price.id)?.workers ?? []
    /** @type {(name: 'running_requests' | 'max_running_requests') => number} */
    const sum = (name) =>
      workers.reduce((/** @type {number} */ total, /** @type {any} */ worker) => total + worker[name], 0)
    const [running, room] = [sum('running_requests'), sum('max_running_requests')]
    const load = element('meter', { min: 0, max: Math.max(1, room), value: running, title: `${running} of ${room}` })
    const busy = element('span', {}, load, ` ${running} of ${room}`)
    return [
      price.id,
      String(price.workers),
      busy,
      ...['prompt', 'cached', 'completion', 'reasoning'].map((name) => amountOf(price.cheapest, name)),
    ]
  })
  return table(
    'Prices at the cheapest worker, for a million tokens',
    ['Model', 'Workers', 'Busy', 'Prompt', 'Cached', 'Completion', 'Reasoning'],
    rows,
    'No worker offers a model.',
  )
}

/**
 * @param {any} prices
 * @param {string} name
 */
const amountOf = (prices, name) =>
  prices === null ? '' : (prices[`${name}_per_million_fiat`] ?? `${prices[`${name}_per_million_ton`]} TON`)
