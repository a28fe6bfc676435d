/**
 * /admin/…: projects, members, keys and budgets; usage and receipts are in admin-reports.ts. For the owner of the node, and for
 * members as far as their project goes (admin-access.ts). Shapes: admin-contract.ts.
 */
import type { FastifyInstance } from 'fastify'
import {
  type ApiKey,
  type BudgetName,
  type BudgetState,
  DEFAULT_PROJECT,
  type Gateway,
  type Member,
} from '../gateway/index.ts'
import { CocoonError, type Secret } from '../util/index.ts'
import {
  type Actor,
  createActorCheck,
  expectMayRevoke,
  expectRole,
  projectFor,
  sees,
  seesBudget,
} from './admin-access.ts'
import { iso, parse } from './admin-body.ts'
import {
  budgetName,
  changedRole,
  closedAccount,
  newBudget,
  newKey,
  newMember,
  newProject,
  removeMember,
} from './admin-contract.ts'
import { addReports } from './admin-reports.ts'
import type { ConsolePage } from './console.ts'
import { apiError } from './errors.ts'
import { type FiatNow, moneyFields } from './money-fields.ts'

export interface AdminAccess {
  /** What the owner sends as `Authorization: Bearer KEY`. */
  readonly key: Secret<string>
  readonly fiat?: FiatNow | undefined
  /** Asks the proxy with this contract, or all of them, for what is left of the account, and closes it. Absent without a chain. */
  readonly leave?: (proxyContract: string | null) => Promise<void>
  /** The owner's page; without, there is none. */
  readonly console?: ConsolePage
}

export function addAdminRoutes(app: FastifyInstance, gateway: Gateway, { key, fiat, leave }: AdminAccess): void {
  const check = createActorCheck(key, gateway)
  void app.register(
    async (scope) => {
      scope.decorateRequest('actor')
      scope.addHook('onRequest', async (request, reply) => {
        request.actor = check(request.headers.authorization)
        reply.header('cache-control', 'no-store')
      })
      scope.removeAllContentTypeParsers()
      scope.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
        try {
          done(null, body === '' ? {} : JSON.parse(String(body)))
        } catch {
          done(apiError('request.bad-json'))
        }
      })
      addAccounts(scope, gateway)
      addMembers(scope, gateway)
      addBudgets(scope, gateway, fiat)
      addReports(scope, gateway, fiat)
      if (leave !== undefined)
        scope.post('/accounts/close', async (request, reply) => {
          expectRole(request.actor, 'node', 'close accounts')
          const { proxy_contract: proxyContract } = parse(closedAccount, request.body)
          await leave(proxyContract)
          return reply.code(202).send({ refund: 'submitted' })
        })
    },
    { prefix: '/admin' },
  )
}

function addAccounts(scope: FastifyInstance, gateway: Gateway): void {
  scope.get('/self', async ({ actor: { role, project, member } }) => ({ role, project, member }))
  scope.get('/projects', async ({ actor }) => ({
    data: gateway
      .projects()
      .filter(({ id }) => sees(actor, id))
      .map(({ id, name, createdMs }) => ({ id, name, created_at: iso(createdMs) })),
  }))
  scope.post('/projects', async (request, reply) => {
    expectRole(request.actor, 'node', 'make projects')
    const { id, name } = parse(newProject, request.body)
    const project = await gateway.createProject(id, name ?? id)
    return reply.code(201).send({ id: project.id, name: project.name, created_at: iso(project.createdMs) })
  })
  scope.get('/keys', async ({ actor }) => ({
    data: gateway
      .keys()
      .filter(({ project }) => sees(actor, project))
      .map(keyOf),
  }))
  scope.post('/keys', async (request, reply) => {
    const { actor } = request
    expectRole(actor, 'member', 'make keys')
    const { expires_at: expiresMs, limits, project, ...rest } = parse(newKey, request.body)
    const { key, made } = await gateway.createKey({
      ...rest,
      project: projectFor(actor, project) ?? DEFAULT_PROJECT,
      expiresMs,
      madeBy: actor.member,
      limits: {
        requestsPerMinute: limits.requests_per_minute,
        tokensPerMinute: limits.tokens_per_minute,
        maxConcurrent: limits.max_concurrent,
      },
    })
    return reply.code(201).send({ ...keyOf(made), key })
  })
  scope.post<{ Params: { id: string } }>('/keys/:id/revoke', async ({ actor, params: { id } }) => {
    const key = gateway.keys().find((one) => one.id === id)
    if (key !== undefined && sees(actor, key.project)) expectMayRevoke(actor, key)
    else if (actor.project !== null) throw noSuch('key', id)
    return keyOf(await gateway.revokeKey(id))
  })
}

function addMembers(scope: FastifyInstance, gateway: Gateway): void {
  scope.get('/members', async ({ actor }) => ({
    data: gateway
      .members()
      .filter(({ project }) => sees(actor, project))
      .map(memberOf),
  }))
  scope.post('/members', async (request, reply) => {
    const { actor } = request
    expectRole(actor, 'owner', 'add members')
    const { project, ...wanted } = parse(newMember, request.body)
    const { key, made } = await gateway.createMember({
      ...wanted,
      project: projectFor(actor, project) ?? DEFAULT_PROJECT,
    })
    return reply.code(201).send({ ...memberOf(made), key })
  })
  function expectThere(actor: Actor, id: string): void {
    const member = gateway.members().find((one) => one.id === id)
    if (actor.project !== null && !sees(actor, member?.project)) throw noSuch('member', id)
  }
  scope.post<{ Params: { id: string } }>('/members/:id/role', async ({ actor, params: { id }, body }) => {
    expectRole(actor, 'owner', 'change what members may do')
    const { role } = parse(changedRole, body)
    expectThere(actor, id)
    return memberOf(await gateway.setMemberRole(id, role))
  })
  scope.post<{ Params: { id: string } }>('/members/:id/remove', async ({ actor, params: { id }, body }) => {
    expectRole(actor, 'owner', 'remove members')
    const { keep_keys: keepKeys } = parse(removeMember, body)
    expectThere(actor, id)
    return memberOf(await gateway.removeMember(id, { keepKeys }))
  })
}

function addBudgets(scope: FastifyInstance, gateway: Gateway, fiat: FiatNow | undefined): void {
  const keyById = (id: string): ApiKey | undefined => gateway.keys().find((key) => key.id === id)
  /** A project's owner shares out what the project has; how much that is, is for the owner of the node to say. */
  function expectMayChange(actor: Actor, name: BudgetName): void {
    expectRole(actor, name.scope === 'key' ? 'owner' : 'node', `change the budget of a ${name.scope}`)
    if (!seesBudget(actor, name, keyById)) throw noSuch('key', name.id)
  }
  scope.get('/budgets', async ({ actor }) => ({
    data: gateway.budgets
      .list()
      .filter(({ budget }) => seesBudget(actor, budget, keyById))
      .map((state) => budgetOf(state, fiat)),
  }))
  scope.put('/budgets', async (request) => {
    const { limit: limitNano, warn_at_percent: warnAtPercent, ...name } = parse(newBudget, request.body)
    expectMayChange(request.actor, name)
    return budgetOf(await gateway.setBudget({ ...name, limitNano, warnAtPercent }), fiat)
  })
  scope.delete('/budgets', async (request, reply) => {
    const name = parse(budgetName, request.body)
    expectMayChange(request.actor, name)
    await gateway.dropBudget(name)
    return reply.code(204).send()
  })
}

const noSuch = (what: 'key' | 'member', id: string): CocoonError =>
  new CocoonError('request.no-account', {
    field: 'id',
    message: `There is no ${what} '${id.slice(0, 80)}' in this project.`,
  })

function keyOf({ id, project, name, scopes, models, limits, createdMs, expiresMs, revokedMs, madeBy }: ApiKey) {
  return {
    id,
    project,
    name,
    scopes,
    models,
    limits: {
      requests_per_minute: limits.requestsPerMinute ?? null,
      tokens_per_minute: limits.tokensPerMinute ?? null,
      max_concurrent: limits.maxConcurrent ?? null,
    },
    created_at: iso(createdMs),
    expires_at: expiresMs === null ? null : iso(expiresMs),
    revoked_at: revokedMs === null ? null : iso(revokedMs),
    made_by: madeBy,
  }
}

function memberOf({ id, project, name, role, createdMs, removedMs }: Member): object {
  return {
    id,
    project,
    name,
    role,
    created_at: iso(createdMs),
    removed_at: removedMs === null ? null : iso(removedMs),
  }
}

function budgetOf(
  { budget, fromMs, untilMs, spentNano, reservedNano }: BudgetState,
  fiat: FiatNow | undefined,
): object {
  const { scope, id, model, window, limitNano, warnAtPercent } = budget
  return {
    scope,
    id,
    model,
    window,
    ...moneyFields('limit', limitNano, fiat),
    ...moneyFields('spent', spentNano, fiat),
    reserved_nano: String(reservedNano),
    warn_at_percent: warnAtPercent,
    window_begins: window === 'total' ? null : iso(fromMs),
    window_ends: window === 'total' ? null : iso(untilMs),
  }
}
