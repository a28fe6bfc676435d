/** What members of a project see and change over /admin, and what they do not. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Gateway, gatewayOptions, type MemberRole, meterInference, openGateway } from '../gateway/index.ts'
import { manualClock, noMetrics, Secret, silentLog, systemRandom } from '../util/index.ts'
import { type ApiUnderTest, apiUnderTest, CHAT, COMPLETION, HELLO } from './api-under-test.ts'
import { scriptedInference } from './scripted-inference.ts'

const NODE = 'an-admin-key-for-tests'
let folder: string
let gateway: Gateway
let api: ApiUnderTest
/** Credentials in the project `shop`, and one in `other`. */
let as: Readonly<Record<MemberRole | 'stranger', { readonly key: string; readonly id: string }>>

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'
const admin = (key: string, method: Method, url: string, payload?: object) =>
  api.app.inject({
    method,
    url: `/admin${url}`,
    headers: { authorization: `Bearer ${key}` },
    ...(payload === undefined ? {} : { payload }),
  })
const make = async (
  key: string,
  url: string,
  payload: object,
): Promise<{ readonly key: string; readonly id: string }> => (await admin(key, 'POST', url, payload)).json()

const clock = manualClock(Date.UTC(2026, 7, 12))
const open = (): Promise<Gateway> =>
  openGateway(
    { clock, random: systemRandom, log: silentLog, metrics: noMetrics, fetch },
    { ...gatewayOptions.parse({}), path: join(folder, 'gateway.sqlite') },
  )
const reopen = async (): Promise<void> => {
  await gateway.close()
  gateway = await open()
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cocoon-members-'))
  gateway = await open()
  const inference = scriptedInference((call) => {
    call.head()
    call.part(COMPLETION)
    call.end()
  })
  const metered = meterInference({ inference, gateway, clock })
  api = apiUnderTest({
    clock,
    deps: { inference: metered, gateway, admin: { key: new Secret(NODE), leave: () => Promise.resolve() } },
  })
  for (const id of ['shop', 'other']) await admin(NODE, 'POST', '/projects', { id })
  const member = (role: MemberRole, project = 'shop') => make(NODE, '/members', { name: role, role, project })
  as = {
    owner: await member('owner'),
    member: await member('member'),
    viewer: await member('viewer'),
    stranger: await member('owner', 'other'),
  }
})
afterEach(async () => {
  await api.close()
  await gateway.close()
  rmSync(folder, { recursive: true, force: true })
})

const ROLES = ['owner', 'member', 'viewer'] as const

test('a credential is shown once, says whose it is, and asks no model', async () => {
  const list = (await admin(NODE, 'GET', '/members')).json().data
  expect(list).toHaveLength(4)
  expect(JSON.stringify(list)).not.toContain(as.owner.key)
  expect((await admin(as.member.key, 'GET', '/self')).json()).toEqual({
    role: 'member',
    project: 'shop',
    member: as.member.id,
  })
  await make(NODE, '/keys', {})
  const headers = { authorization: `Bearer ${as.owner.key}` }
  expect((await api.app.inject({ method: 'POST', url: CHAT, payload: HELLO, headers })).statusCode).toBe(401)
  for (const wrong of ['cm_', `${as.owner.key}x`, as.owner.key.replace('cm_', 'ck_'), ''])
    expect((await admin(wrong, 'GET', '/keys')).statusCode).toBe(401)
})

describe('what is there', () => {
  test.each(ROLES)('a %s sees keys, members, budgets, usage and receipts of its project alone', async (role) => {
    const [mine, theirs] = [
      await make(as.owner.key, '/keys', { name: 'mine' }),
      await make(as.stranger.key, '/keys', { name: 'theirs' }),
    ]
    for (const { key } of [mine, theirs])
      await api.app.inject({ method: 'POST', url: CHAT, payload: HELLO, headers: { authorization: `Bearer ${key}` } })
    const day = { window: 'day', limit: '1 TON' }
    await admin(NODE, 'PUT', '/budgets', { scope: 'node', ...day })
    for (const id of ['shop', 'other']) await admin(NODE, 'PUT', '/budgets', { scope: 'project', id, ...day })
    for (const { id } of [mine, theirs]) await admin(NODE, 'PUT', '/budgets', { scope: 'key', id, ...day })
    const seen = async (url: string) => (await admin(as[role].key, 'GET', url)).json()
    expect((await seen('/keys')).data).toMatchObject([{ name: 'mine', made_by: as.owner.id }])
    expect((await seen('/projects')).data).toMatchObject([{ id: 'shop' }])
    expect((await seen('/members')).data).toHaveLength(3)
    expect((await seen('/budgets')).data.map((b: { id: string }) => b.id)).toEqual([mine.id, 'shop'])
    expect(await seen('/receipts')).toMatchObject({ count: 1, data: [{ project: 'shop' }] })
    expect((await seen('/usage?by=project')).data).toMatchObject([{ project: 'shop', requests: 1 }])
    expect((await seen('/usage?by=day')).data).toMatchObject([{ requests: 1 }])
    const csv = await admin(as[role].key, 'GET', '/receipts?format=csv')
    expect(csv.body).not.toContain('other')
    for (const url of ['/receipts?project=other', '/usage?project=other'])
      expect((await admin(as[role].key, 'GET', url)).json().error.code).toBe('request.not-allowed')
    expect(await seen(`/receipts?key=${theirs.id}`)).toMatchObject({ count: 0 })
  })
})

describe('what may be done', () => {
  const KEY_BUDGET = { scope: 'key', window: 'day', limit: '1 TON' } as const
  test.each([
    ['makes keys', 'POST', () => '/keys', () => ({}), [201, 201, 403]],
    ['makes projects', 'POST', () => '/projects', () => ({ id: 'new' }), [403, 403, 403]],
    ['adds members', 'POST', () => '/members', () => ({ name: 'x', role: 'owner' }), [201, 403, 403]],
    ['revokes the node’s keys', 'POST', (id: string) => `/keys/${id}/revoke`, () => ({}), [200, 403, 403]],
    [
      'changes what members may do',
      'POST',
      () => `/members/${as.viewer.id}/role`,
      () => ({ role: 'viewer' }),
      [200, 403, 403],
    ],
    ['removes members', 'POST', () => `/members/${as.viewer.id}/remove`, () => ({}), [200, 403, 403]],
    ['gives a key a budget', 'PUT', () => '/budgets', (id: string) => ({ ...KEY_BUDGET, id }), [200, 403, 403]],
    [
      'gives the project a budget',
      'PUT',
      () => '/budgets',
      () => ({ ...KEY_BUDGET, scope: 'project', id: 'shop' }),
      [403, 403, 403],
    ],
    ['closes accounts', 'POST', () => '/accounts/close', () => ({}), [403, 403, 403]],
    ['gives the node a budget', 'PUT', () => '/budgets', () => ({ ...KEY_BUDGET, scope: 'node' }), [403, 403, 403]],
  ] as const)('who %s', async (_, method, url, body, expected) => {
    const { id } = await make(NODE, '/keys', { project: 'shop' })
    const statuses: number[] = []
    for (const role of ROLES.toReversed())
      statuses.unshift((await admin(as[role].key, method, url(id), body(id))).statusCode)
    expect(statuses).toEqual(expected)
  })

  test('a member revokes the keys that it made, and a key of another project does not exist for anybody but the node', async () => {
    const [own, other] = [await make(as.member.key, '/keys', {}), await make(as.stranger.key, '/keys', {})]
    expect((await admin(as.member.key, 'POST', `/keys/${other.id}/revoke`)).statusCode).toBe(404)
    expect((await admin(as.owner.key, 'POST', `/keys/${other.id}/revoke`)).json().error.code).toBe('request.no-account')
    expect((await admin(as.owner.key, 'POST', `/members/${as.stranger.id}/remove`)).statusCode).toBe(404)
    const budget = { ...KEY_BUDGET, id: other.id }
    expect((await admin(as.owner.key, 'PUT', '/budgets', budget)).statusCode).toBe(404)
    expect((await admin(as.member.key, 'POST', `/keys/${own.id}/revoke`)).statusCode).toBe(200)
    expect(gateway.identify(other.key).id).toBe(other.id)
  })

  test('nothing can be made in another project, nor a member without a name or with a role that is none', async () => {
    for (const [url, body] of [
      ['/keys', { project: 'other' }],
      ['/members', { project: 'other', name: 'x', role: 'owner' }],
    ] as const)
      expect((await admin(as.owner.key, 'POST', url, body)).json().error).toMatchObject({
        code: 'request.not-allowed',
        param: 'project',
      })
    for (const [wrong, field] of [
      [{ name: '', role: 'owner' }, 'name'],
      [{ name: 'x', role: 'node' }, 'role'],
      [{ name: 'x', role: 'owner', id: 'ab' }, 'id'],
    ] as const)
      expect((await admin(NODE, 'POST', '/members', wrong)).json().error.param).toBe(field)
  })

  test('a role that was changed holds for the next request, up and down, and after a restart', async () => {
    const role = (id: string, name: string, by = as.owner.key) =>
      admin(by, 'POST', `/members/${id}/role`, { role: name })
    const makesKeys = async (key: string) => (await admin(key, 'POST', '/keys', {})).statusCode === 201
    expect(await makesKeys(as.viewer.key)).toBe(false)
    expect((await role(as.viewer.id, 'member')).json()).toMatchObject({ id: as.viewer.id, role: 'member' })
    expect(await makesKeys(as.viewer.key)).toBe(true)
    await role(as.member.id, 'viewer', NODE)
    expect(await makesKeys(as.member.key)).toBe(false)
    expect((await role(as.owner.id, 'member')).statusCode).toBe(200)
    expect((await role(as.owner.id, 'owner')).statusCode).toBe(403)
    await reopen()
    const roleById = new Map(gateway.members().map((m) => [m.id, m.role]))
    expect([as.owner, as.member, as.viewer].map(({ id }) => roleById.get(id))).toEqual(['member', 'viewer', 'member'])
  })

  test('a role is changed of members that are there, in the own project, to one that exists', async () => {
    const change = async (id: string, role: string, by = as.owner.key) =>
      (await admin(by, 'POST', `/members/${id}/role`, { role })).json().error
    expect(await change(as.stranger.id, 'viewer')).toMatchObject({ code: 'request.no-account' })
    expect(await change('nobody', 'viewer', NODE)).toMatchObject({ code: 'request.no-account', param: 'id' })
    expect(await change(as.member.id, 'king')).toMatchObject({ code: 'request.bad-field', param: 'role' })
    await admin(NODE, 'POST', `/members/${as.member.id}/remove`)
    expect(await change(as.member.id, 'owner')).toMatchObject({ code: 'request.bad-account', param: 'id' })
  })

  test('a member that was removed is out at once, with the keys that it made', async () => {
    const { key, id } = await make(as.member.key, '/keys', {})
    await admin(as.owner.key, 'POST', `/members/${as.member.id}/remove`)
    expect((await admin(as.member.key, 'GET', '/keys')).statusCode).toBe(401)
    expect(() => gateway.identify(key)).toThrow(expect.objectContaining({ code: 'request.key-revoked' }))
    expect((await admin(NODE, 'GET', '/keys')).json().data).toMatchObject([{ id, made_by: as.member.id }])
  })
})
