/** Members of projects: who may look after a project's keys over `/admin`, with a credential of their own. */
import type { Clock, CocoonError, Random } from '../util/index.ts'
import type { Member, MemberRole } from './accounts.ts'
import { hashCredential, isCredential, makeCredential } from './api-key.ts'
import { gatewayError } from './errors.ts'
import type { Change } from './store.ts'

export interface NewMember {
  readonly project: string
  readonly name: string
  readonly role: MemberRole
}

export interface Members {
  /** Those that were removed included. */
  list(): readonly Member[]
  /** Throws `request.invalid-key`, `request.key-revoked`. */
  identify(credential: string): Member
  /** The credential is in no other answer. */
  create(wanted: NewMember): Promise<{ readonly key: string; readonly made: Member }>
  /** Holds at once. Throws `request.no-account`, `request.bad-account` for one that was removed. */
  setRole(id: string, role: MemberRole): Promise<Member>
  /** Holds at once. Throws `request.no-account`. */
  remove(id: string): Promise<Member>
}

/** @param keep resolves when the change is on the disk */
export function createMembers(
  deps: { readonly clock: Clock; readonly random: Random; keep(change: Change): Promise<void> },
  kept: readonly Member[],
): Members {
  const byId = new Map(kept.map((m) => [m.id, m]))
  const byHash = new Map(kept.map((m) => [m.hash, m]))
  function put(member: Member): void {
    byId.set(member.id, member)
    byHash.set(member.hash, member)
  }
  function find(id: string): Member {
    const member = byId.get(id)
    if (member === undefined) throw unknownMember(id)
    return member
  }
  return {
    list: () => [...byId.values()],
    identify(credential) {
      const member = isCredential('cm', credential) ? byHash.get(hashCredential(credential)) : undefined
      if (member === undefined)
        throw gatewayError('request.invalid-key', 'There is no member with this credential: ask for a new one.')
      if (member.removedMs !== null)
        throw gatewayError('request.key-revoked', `The member ${member.id} was removed from its project.`)
      return member
    },
    async create(wanted) {
      const { id, key, hash } = makeCredential('cm', deps.random)
      const made: Member = { ...wanted, id, hash, createdMs: deps.clock.now(), removedMs: null }
      await deps.keep({ put: 'member', member: made })
      put(made)
      return { key, made }
    },
    async setRole(id, role) {
      const member = find(id)
      if (member.removedMs !== null)
        throw gatewayError('request.bad-account', `The member ${id} was removed: add them anew.`, { field: 'id' })
      if (member.role === role) return member
      const changed = { ...member, role }
      // In the order in which it is written, so that of two changes at once the same one holds here and on the disk.
      put(changed)
      try {
        await deps.keep({ put: 'member', member: changed })
      } catch (error) {
        if (byId.get(id) === changed) put(member)
        throw error
      }
      return changed
    },
    async remove(id) {
      const member = find(id)
      if (member.removedMs !== null) return member
      const removed = { ...member, removedMs: deps.clock.now() }
      // Before the disk has it: whoever removes somebody wants it done now.
      put(removed)
      await deps.keep({ put: 'member', member: removed })
      return removed
    },
  }
}

const unknownMember = (id: string): CocoonError =>
  gatewayError('request.no-account', `There is no member '${id.slice(0, 80)}': see \`cocoon member list\`.`, {
    field: 'id',
  })
