/** Who has opened the page, and what that one may do. The node decides; here it only spares people buttons that would be refused. */
import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import type { ApiKey, Budget } from './shapes.ts'

/** As `GET /admin/self` tells it. */
export interface Self {
  /** `node`: its owner. The others are of members of a project. */
  readonly role: 'node' | 'owner' | 'member' | 'viewer'
  readonly project: string | null
  /** Id of the member. */
  readonly member: string | null
}

export const SelfContext = createContext<Self>({ role: 'viewer', project: null, member: null })
export const useSelf = (): Self => useContext(SelfContext)

export const isNodeOwner = ({ role }: Self): boolean => role === 'node'
export const mayMakeKeys = ({ role }: Self): boolean => role !== 'viewer'
export const mayManageMembers = ({ role }: Self): boolean => role === 'node' || role === 'owner'
export const maySetBudgets = mayManageMembers

export const mayRevoke = ({ role, member }: Self, key: Pick<ApiKey, 'made_by'>): boolean =>
  role === 'node' || role === 'owner' || (role === 'member' && key.made_by === member)

/** A project's owner shares out among keys what the owner of the node gave to the project. */
export const mayChangeBudget = ({ role }: Self, { scope }: Pick<Budget, 'scope'>): boolean =>
  role === 'node' || (role === 'owner' && scope === 'key')
