/** The console of a client node: which view is shown, and what went wrong. */
import { showAccounts } from './accounts.mjs'
import { action, element, field } from './element.mjs'
import { showModels } from './models.mjs'
import { forgetKey, hasKey, keepKey, Refusal, takeKey } from './node-api.mjs'
import { showPlayground } from './playground.mjs'
import { showRequests } from './requests.mjs'
import { showUsage } from './usage.mjs'

/** @typedef {(view: HTMLElement, complain: (error: unknown) => void) => Promise<void>} View */

/** @type {readonly (readonly [name: string, show: View])[]} */
const VIEWS = [
  ['Playground', showPlayground],
  ['Models', showModels],
  ['Keys and budgets', showAccounts],
  ['Usage', showUsage],
  ['Requests', showRequests],
]

const view = /** @type {HTMLElement} */ (document.getElementById('view'))
const views = /** @type {HTMLElement} */ (document.getElementById('views'))
const complaint = /** @type {HTMLElement} */ (document.getElementById('complaint'))

/** @param {unknown} error */
function complain(error) {
  complaint.textContent = error instanceof Error ? error.message : String(error)
}

/** @param {number} which */
async function show(which) {
  const [name, fill] = /** @type {(typeof VIEWS)[number]} */ (VIEWS[which])
  for (const [i, button] of [...views.children].entries())
    if (i === which) button.setAttribute('aria-current', 'page')
    else button.removeAttribute('aria-current')
  complaint.textContent = ''
  document.title = `Cocoon · ${name}`
  if (!hasKey()) return askForKey()
  const place = element('div')
  view.replaceChildren(element('h2', {}, name), place)
  // What comes late belongs to a view that is no longer shown.
  const complainHere = (/** @type {unknown} */ error) => void (place.isConnected && complain(error))
  try {
    await fill(place, complainHere)
  } catch (error) {
    if (!place.isConnected) return
    if (error instanceof Refusal && error.isAboutAdminKey) {
      forgetKey()
      askForKey()
    }
    complain(error)
  }
}

function askForKey() {
  const key = element('input', { type: 'password', autocomplete: 'off', required: true })
  const open = async () => {
    if (key.value.trim() === '') return
    keepKey(key.value.trim())
    await show(0)
  }
  view.replaceChildren(
    element('h2', {}, 'The owner’s key'),
    element(
      'p',
      {},
      'Run ',
      element('code', {}, 'cocoon console'),
      ' and open the address it prints, or paste the key of ',
      element('code', {}, 'keys/admin.key'),
      '.',
    ),
    field('Admin key', key),
    action('Open', open, complain),
  )
  key.focus()
}

views.append(...VIEWS.map(([name], i) => element('button', { type: 'button', onclick: () => void show(i) }, name)))
takeKey()
await show(0)
