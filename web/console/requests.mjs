/** The newest requests, each with its times as a line, its cost and the reason if it failed. */
import { action, element, table } from './element.mjs'
import { admin } from './node-api.mjs'

/**
 * @param {HTMLElement} view
 * @param {(error: unknown) => void} complain
 */
export async function showRequests(view, complain) {
  const place = element('div', { 'aria-live': 'polite' })
  const load = async () => place.replaceChildren(tableOf(await admin('/receipts?limit=100')))
  view.append(action('Look again', load, complain), place)
  await load()
}

/** @param {any} page */
function tableOf({ count, cost_ton: cost, data }) {
  const longest = Math.max(1, ...data.map((/** @type {any} */ one) => one.duration_ms))
  const rows = data.map((/** @type {any} */ one) => [
    one.ended_at.slice(0, 19).replace('T', ' '),
    element('code', { title: one.request }, one.request.slice(0, 8)),
    one.key,
    one.model,
    element('span', { class: one.result }, one.code ?? one.result),
    timeline(one, longest),
    one.total_tokens,
    `${one.cost_nano} nanoTON${one.unsettled_nano === '0' ? '' : ` (+${one.unsettled_nano} unsettled)`}`,
    one.evidence ?? '',
  ])
  const heads = ['Ended (UTC)', 'Request', 'Key', 'Model', 'Result', 'Times', 'Tokens', 'Cost', 'Evidence']
  return element(
    'div',
    {},
    table('Newest requests', heads, rows, 'No requests yet.'),
    element('p', {}, `${count} requests, ${cost} TON in all.`),
  )
}

const WIDTH = 160

/**
 * Waiting until the first byte, then the answer; drawn to the scale of the longest request shown.
 * @param {{ first_byte_ms: number | null, duration_ms: number }} request
 * @param {number} longest in ms
 */
function timeline({ first_byte_ms: first, duration_ms: all }, longest) {
  const text = `${first === null ? 'no answer' : `first byte after ${first} ms`}, ended after ${all} ms`
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  const set = (/** @type {Element} */ to, /** @type {Record<string, string | number>} */ values) => {
    for (const [name, value] of Object.entries(values)) to.setAttribute(name, String(value))
  }
  set(svg, { width: WIDTH, height: 10, role: 'img', 'aria-label': text })
  const scale = WIDTH / longest
  const parts = /** @type {const} */ ([
    ['waiting', 0, first ?? all],
    ['answering', first ?? all, all],
  ])
  for (const [name, from, to] of parts) {
    const part = document.createElementNS('http://www.w3.org/2000/svg', 'rect')
    set(part, { class: name, x: from * scale, width: Math.max(0, to - from) * scale, height: 10 })
    svg.append(part)
  }
  return element('span', { title: text }, svg, element('small', {}, ` ${first ?? '–'} / ${all} ms`))
}
