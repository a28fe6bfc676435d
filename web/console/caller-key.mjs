/** The API key with which this page asks models: without one it asks as the owner; kept in this tab. */
import { element, field } from './element.mjs'

const KEPT = 'cocoon-caller-key'

export function callerKey() {
  const input = element('input', { type: 'password', autocomplete: 'off', placeholder: 'ck_…' })
  input.value = sessionStorage.getItem(KEPT) ?? ''
  input.addEventListener('change', () => sessionStorage.setItem(KEPT, input.value.trim()))
  return {
    field: field('API key', input, 'Empty: as the owner of this node.'),
    value: () => input.value.trim(),
    /**
     * @param {() => Promise<void>} then
     * @param {(error: unknown) => void} complain
     */
    onChange: (then, complain) => input.addEventListener('change', () => void then().catch(complain)),
  }
}
