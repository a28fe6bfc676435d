/** Who asks `/admin`, and what that one may see and change: the owner of the node everything, a member what is in its project. */
import type { ApiKey, Budget, Gateway, MemberRole } from '../gateway/index.ts'
import { CocoonError, type Secret } from '../util/index.ts'
import { createKeyMatch } from './auth.ts'
import { apiError } from './errors.ts'

export interface Actor {
  /** `node`: the owner of the node. */
  readonly role: 'node' | MemberRole
  /** Null for the owner of the node: all of them. */
  readonly project: string | null
  /** Of the member; null for the owner of the node. */
  readonly member: string | null
}

declare module 'fastify' {
  interface FastifyRequest {
    actor: Actor
  }
}

const OWNER_OF_NODE: Actor = { role: 'node', project: null, member: null }

/** Throws `request.unauthorized`, `request.invalid-key`, `request.key-revoked`. */
export function createActorCheck(
  key: Secret<string>,
  gateway: Pick<Gateway, 'identifyMember'>,
): (authorization: string | undefined) => Actor {
  const isOwner = createKeyMatch(key)
  return (authorization) => {
    if (isOwner(authorization)) return OWNER_OF_NODE
    const given = /^Bearer +(cm_[\x21-\x7e]+)$/i.exec(authorization ?? '')?.[1]
    if (given === undefined) throw apiError('request.unauthorized')
    const { id, project, role } = gateway.identifyMember(given)
    return { role, project, member: id }
  }
}

const RANK: Readonly<Record<Actor['role'], number>> = { node: 3, owner: 2, member: 1, viewer: 0 }

/** Throws `request.not-allowed` for a role below. */
export function expectRole(actor: Actor, least: Actor['role'], what: string): void {
  if (RANK[actor.role] >= RANK[least]) return
  const who = least === 'node' ? 'the owner of the node' : `${least === 'owner' ? 'an' : 'a'} ${least} of the project`
  throw notAllowed(`Only ${who} may ${what}; this credential is of a ${actor.role} of ${actor.project}.`)
}

/** The project to look at: the actor's own where it has one. Throws `request.not-allowed` for another's. */
export function projectFor(actor: Actor, wanted: string | undefined): string | undefined {
  if (actor.project === null) return wanted
  if (wanted !== undefined && wanted !== actor.project)
    throw notAllowed(`This credential is for the project ${actor.project} alone.`, 'project')
  return actor.project
}

/** Whether something of this project is there for the actor at all: what is not, is answered like what does not exist. */
export const sees = (actor: Actor, project: string | undefined): boolean =>
  actor.project === null || actor.project === project

/** A member revokes the keys that it made, an owner of the project all of them. Throws `request.not-allowed`. */
export function expectMayRevoke(actor: Actor, key: ApiKey): void {
  if (actor.role === 'member' && key.madeBy === actor.member) return
  expectRole(actor, 'owner', 'revoke a key that somebody else made')
}

/** Budgets of the node and of whole projects are the node owner's word to the project. */
export function seesBudget(
  actor: Actor,
  { scope, id }: Pick<Budget, 'scope' | 'id'>,
  keyById: (id: string) => ApiKey | undefined,
): boolean {
  if (actor.project === null) return true
  if (scope === 'project') return id === actor.project
  return scope === 'key' && keyById(id)?.project === actor.project
}

const notAllowed = (message: string, field?: string): CocoonError =>
  new CocoonError('request.not-allowed', { message, ...(field === undefined ? {} : { field }) })
