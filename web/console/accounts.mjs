/** Projects, keys and budgets: what there is, and how more are made. */
import { action, element, field, table } from './element.mjs'
import { admin } from './node-api.mjs'

/** @typedef {{ reload: () => Promise<void>, complain: (error: unknown) => void }} Page */

/**
 * @param {HTMLElement} view
 * @param {(error: unknown) => void} complain
 */
export async function showAccounts(view, complain) {
  const place = element('div')
  const made = element('output', { class: 'made' })
  view.append(place, made)
  const load = async () => {
    const [keys, budgets, projects] = await Promise.all(['/keys', '/budgets', '/projects'].map((path) => admin(path)))
    const page = { reload: load, complain }
    place.replaceChildren(
      element('h3', {}, 'Keys'),
      keyTable(keys.data, page),
      keyForm(projects.data, made, page),
      element('h3', {}, 'Budgets'),
      budgetTable(budgets.data, page),
      budgetForm(keys.data, projects.data, page),
    )
  }
  await load()
}

/**
 * @param {any[]} keys
 * @param {Page} page
 */
function keyTable(keys, { reload, complain }) {
  const rows = keys.map((key) => {
    const revoke = async () => {
      await admin(`/keys/${key.id}/revoke`, 'POST', {})
      await reload()
    }
    const end = key.revoked_at === null ? action(`Revoke ${key.id}`, revoke, complain) : 'revoked'
    return [
      key.id,
      key.name,
      key.project,
      key.models.join(', ') || 'all',
      limitsOf(key.limits),
      day(key.expires_at),
      end,
    ]
  })
  const heads = ['Id', 'Name', 'Project', 'Models', 'Limits', 'Expires', '']
  return table('API keys', heads, rows, 'No keys: everybody who reaches this node is its owner.')
}

/** @param {Record<string, number | null>} limits */
function limitsOf(limits) {
  const given = Object.entries(limits).filter(([, value]) => value !== null)
  return given.map(([name, value]) => `${value} ${name.replaceAll('_', ' ')}`).join(', ') || 'none'
}

/**
 * @param {any[]} projects
 * @param {HTMLElement} made
 * @param {Page} page
 */
function keyForm(projects, made, { reload, complain }) {
  const name = element('input', { maxlength: 200 })
  const project = select([...new Set(['default', ...projects.map((one) => one.id)])])
  const perMinute = element('input', { type: 'number', min: 1 })
  const create = async () => {
    const limits = perMinute.value === '' ? {} : { requests_per_minute: Number(perMinute.value) }
    const { key } = await admin('/keys', 'POST', { name: name.value, project: project.value, limits })
    await reload()
    made.replaceChildren('The new key, shown this once: ', element('code', {}, key))
  }
  return element(
    'details',
    {},
    element('summary', {}, 'Make a key'),
    element(
      'div',
      { class: 'row' },
      field('Name', name),
      field('Project', project),
      field('Requests a minute', perMinute),
    ),
    action('Make the key', create, complain),
  )
}

/**
 * @param {any[]} budgets
 * @param {Page} page
 */
function budgetTable(budgets, { reload, complain }) {
  const rows = budgets.map((budget) => {
    const { scope, id, model, window } = budget
    const share = Number(budget.limit_nano) === 0 ? 1 : Number(budget.spent_nano) / Number(budget.limit_nano)
    const text = `${budget.spent_ton} of ${budget.limit_ton} TON`
    const spent = element(
      'span',
      {},
      element('meter', { min: 0, max: 1, high: budget.warn_at_percent / 100, value: share, title: text }),
      ` ${text}`,
    )
    const drop = async () => {
      await admin('/budgets', 'DELETE', { scope, id, model, window })
      await reload()
    }
    const whose = scope === 'node' ? 'the node' : `${scope} ${id}`
    return [
      whose,
      model || 'all',
      window,
      spent,
      day(budget.window_ends),
      action(`Drop the ${window} budget of ${whose}`, drop, complain),
    ]
  })
  const heads = ['Of', 'Model', 'Window', 'Spent', 'Until', '']
  return table('Budgets', heads, rows, 'No budgets: requests are bound by the balance alone.')
}

/**
 * @param {any[]} keys
 * @param {any[]} projects
 * @param {Page} page
 */
function budgetForm(keys, projects, { reload, complain }) {
  const whose = select([
    'node',
    ...projects.map((one) => `project ${one.id}`),
    ...keys.filter((one) => one.revoked_at === null).map((one) => `key ${one.id}`),
  ])
  const window = select(['day', 'week', 'month', 'total'])
  const limit = element('input', { inputmode: 'decimal', placeholder: '2.5' })
  const set = async () => {
    const [scope, id = ''] = whose.value.split(' ')
    await admin('/budgets', 'PUT', { scope, id, window: window.value, limit: `${limit.value.trim()} TON` })
    await reload()
  }
  return element(
    'details',
    {},
    element('summary', {}, 'Set a budget'),
    element('div', { class: 'row' }, field('Of', whose), field('Window', window), field('Limit in TON', limit)),
    action('Set the budget', set, complain),
  )
}

/** @param {readonly string[]} values */
const select = (values) => element('select', {}, ...values.map((value) => element('option', { value }, value)))

/** @param {string | null} time */
const day = (time) => (time === null ? '' : time.slice(0, 10))
