/** Elements with less writing. Text is always text: nothing that a server or a model says can become markup. */

/** @typedef {Node | string | null} Child */
/** @typedef {Readonly<Record<string, string | number | boolean | ((event: Event) => void) | undefined>>} Attributes */

/**
 * `onclick` and the like take functions; `true` is an attribute without a value.
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Attributes} [attributes]
 * @param {readonly Child[]} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue
    if (typeof value === 'function') made.addEventListener(key.slice(2), value)
    else made.setAttribute(key, value === true ? '' : String(value))
  }
  made.append(...children.filter((child) => child !== null))
  return made
}

/**
 * A table with a caption for those who cannot see it.
 * @param {string} caption
 * @param {readonly string[]} heads
 * @param {readonly (readonly Child[])[]} rows
 * @param {string} none what stands there without rows
 */
export function table(caption, heads, rows, none) {
  if (rows.length === 0) return element('p', { class: 'none' }, none)
  const head = element('tr', {}, ...heads.map((text) => element('th', { scope: 'col' }, text)))
  const body = rows.map((cells) => element('tr', {}, ...cells.map((cell) => element('td', {}, cell))))
  return element(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption },
    element('table', {}, element('caption', {}, caption), element('thead', {}, head), element('tbody', {}, ...body)),
  )
}

/**
 * @param {string} label
 * @param {HTMLElement} control
 * @param {string} [hint]
 */
export function field(label, control, hint) {
  return element(
    'label',
    { class: 'field' },
    element('span', {}, label),
    control,
    hint === undefined ? null : element('small', {}, hint),
  )
}

/**
 * A button whose work may fail: it cannot be pressed twice, and what went wrong is said.
 * @param {string} text
 * @param {() => Promise<unknown>} work
 * @param {(error: unknown) => void} complain
 */
export function action(text, work, complain) {
  const button = element('button', { type: 'button', onclick: () => void run() }, text)
  async function run() {
    button.disabled = true
    try {
      await work()
    } catch (error) {
      complain(error)
    } finally {
      button.disabled = false
    }
  }
  return button
}
