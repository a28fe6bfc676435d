/** The owner's key of this tab, and the node it opens. */
import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import type { NodeApi } from './node-api.ts'

const KEPT = 'cocoon-admin-key'

/**
 * The admin key: from the address, where it came behind `#`, which browsers keep to themselves; else what the tab has kept.
 * Takes it out of the address at once, where a look over the shoulder or a screenshot would show it. Views are behind `#/`.
 */
export function takeAdminKey(): string | null {
  const given = location.hash.slice(1)
  if (given === '' || given.startsWith('/')) return sessionStorage.getItem(KEPT)
  sessionStorage.setItem(KEPT, given)
  history.replaceState(null, '', location.pathname)
  return given
}

export const keepAdminKey = (key: string): void => sessionStorage.setItem(KEPT, key)
/** And every other key that the tab has. */
export const forgetKeys = (): void => sessionStorage.clear()

export const NodeContext = createContext<NodeApi | null>(null)

export function useNode(): NodeApi {
  const node = useContext(NodeContext)
  if (node === null) throw new Error('no node: the page has not been opened')
  return node
}
