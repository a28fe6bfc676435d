/**
 * The gateway of a client node: who may ask, how much they may spend, what they have spent. Decisions are made in memory;
 * changes by the owner are on the disk before they hold, receipts follow in groups and nobody waits for them.
 */
import { startStoreThread } from '../disk/index.ts'
import { createGroupCommit, type GroupCommit } from '../ledger/index.ts'
import { type Clock, type CocoonError, type Log, type Metrics, type Random } from '../util/index.ts'
import {
  type ApiKey,
  type Budget,
  type BudgetName,
  DEFAULT_PROJECT,
  type KeyScope,
  type Member,
  type MemberRole,
  type Project,
  type RateLimits,
  type Receipt,
  type Refused,
} from './accounts.ts'
import { hashCredential, isCredential, makeCredential } from './api-key.ts'
import { type Budgets, type BudgetState, createBudgets } from './budgets.ts'
import { gatewayError } from './errors.ts'
import { createMembers, type Members, type NewMember } from './members.ts'
import type { Fiat } from './fiat.ts'
import { createFiatRate } from './fiat-rate.ts'
import type { GatewayOptions } from './options.ts'
import type { ReasonFilter, ReasonRow, ReceiptFilter, ReceiptPage, UsageFilter, UsageRow } from './queries.ts'
import { createRateGate, type RateGate } from './rate-limits.ts'
import { createReceiptWriter, RECEIPTS_A_GROUP } from './receipt-writer.ts'
import { createSpending } from './spending.ts'
import type { Change } from './store.ts'
import type { Kept } from './select.ts'
import type { StoreAnswer, StoreJob } from './store-thread.ts'
import type { StoreOptions } from './open-store.ts'
import { createWebhook } from './webhook.ts'

export interface GatewayDeps {
  readonly clock: Clock
  /** Secure: keys are made from it. */
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
  readonly fetch: typeof globalThis.fetch
}

export interface NewKey {
  readonly project: string
  readonly name: string
  readonly scopes: readonly KeyScope[]
  readonly models: readonly string[]
  readonly limits: RateLimits
  readonly expiresMs: number | null
  /** Id of the member that makes it; absent: the owner of the node. */
  readonly madeBy?: string | null
}

export interface Gateway {
  /** From the first key on, every caller needs one; revoked keys count, so that revoking the last one opens nothing. */
  hasKeys(): boolean
  /** Throws `request.invalid-key`, `request.key-expired`, `request.key-revoked`. */
  identify(key: string): ApiKey
  /** The key as it is now, for a request that names it. Throws as `identify`. */
  keyById(id: string): ApiKey
  rates(keyId: string): RateGate
  readonly budgets: Pick<Budgets, 'reserve' | 'list'>
  /** Takes a receipt; it is on the disk a moment later. */
  record(receipt: Receipt): void
  /** Counts a request that this node refused, and keeps a receipt of it unless they are too many. */
  refused(refused: Refused): void
  /** Why no request can be taken. */
  trouble(): CocoonError | null

  projects(): readonly Project[]
  keys(): readonly ApiKey[]
  createProject(id: string, name: string): Promise<Project>
  /** The text of the key is in no other answer. */
  createKey(wanted: NewKey): Promise<{ readonly key: string; readonly made: ApiKey }>
  revokeKey(id: string): Promise<ApiKey>
  members(): readonly Member[]
  /** Throws `request.invalid-key`, `request.key-revoked`. */
  identifyMember(credential: string): Member
  /** The text of the credential is in no other answer. */
  createMember(wanted: NewMember): Promise<{ readonly key: string; readonly made: Member }>
  /** Holds for the next request. Throws `request.no-account`, `request.bad-account`. */
  setMemberRole(id: string, role: MemberRole): Promise<Member>
  /** Takes the credential back, and the API keys that the member made unless they are to be kept. */
  removeMember(id: string, options: { readonly keepKeys: boolean }): Promise<Member>
  setBudget(budget: Omit<Budget, 'warnedFromMs'>): Promise<BudgetState>
  dropBudget(name: BudgetName): Promise<void>
  receipts(filter: ReceiptFilter): Promise<ReceiptPage>
  usage(filter: UsageFilter): Promise<readonly UsageRow[]>
  /** Why requests failed or were refused. */
  reasons(filter: ReasonFilter): Promise<readonly ReasonRow[]>
  /** The currency and rate in which amounts are shown besides TON; undefined where there is none to trust. */
  fiat(): Fiat | undefined
  /** Resolves when every receipt so far is on the disk. */
  written(): Promise<void>
  close(): Promise<void>
}

/** Changes in one transaction; a thousand receipts take milliseconds. */
const GROUP = { items: RECEIPTS_A_GROUP, groups: 2 }
const PROJECT_ID = /^[a-z0-9][a-z0-9-]{0,62}$/

/** Throws `config.gateway-…`. */
export async function openGateway(
  deps: GatewayDeps,
  options: GatewayOptions & { readonly path: string },
): Promise<Gateway> {
  const { clock, log, random } = deps
  const workerData: StoreOptions = {
    path: options.path,
    keepReceipts: options.keepReceipts,
    keepFreeReceipts: options.keepFreeReceipts,
    nowMs: clock.now(),
  }
  const ended = (why: unknown): CocoonError =>
    gatewayError('capacity.gateway-failed', `The gateway’s thread ended (${String(why)}): restart the client.`, {}, why)
  const thread = startStoreThread<Kept, StoreJob, StoreAnswer>({
    beside: import.meta.url,
    name: 'gateway',
    workerData,
    ended,
  })
  const kept = await thread.opened

  const projects = new Map(kept.projects.map((p) => [p.id, p]))
  const keyById = new Map(kept.keys.map((k) => [k.id, k]))
  const keyByHash = new Map(kept.keys.map((k) => [k.hash, k]))
  const rateGates = new Map<string, RateGate>()
  const spending = createSpending()
  for (const spent of kept.spent) spending.add(spent)
  const fiatRate = createFiatRate(deps, options.fiat)
  const webhook = options.webhook === undefined ? null : createWebhook(deps, options.webhook)
  const budgets = createBudgets(clock, spending, (state) => void warn(state))
  for (const budget of kept.budgets) budgets.set(budget)

  const commit: GroupCommit<Change> = createGroupCommit(GROUP, async (changes) => {
    await thread.do({ do: 'apply', changes })
  })
  const writer = createReceiptWriter(deps, commit, (id) => keyById.get(id))

  async function warn(state: BudgetState): Promise<void> {
    const { scope, id, model, window } = state.budget
    log.warn('a budget is nearly spent', {
      scope,
      id,
      model,
      window,
      spent: state.spentNano,
      limit: state.budget.limitNano,
    })
    // What was not delivered is told again after a restart.
    if (webhook !== null && !(await webhook.send(state))) return
    // The owner may have changed it meanwhile.
    const now = budgets.list().find(({ budget }) => isSame(budget, state.budget))?.budget
    if (now !== undefined) await writer.write({ put: 'budget', budget: { ...now, warnedFromMs: state.fromMs } })
  }

  function checked(key: ApiKey | undefined): ApiKey {
    if (key === undefined)
      throw gatewayError('request.invalid-key', 'There is no such API key: see `cocoon key list`, or make one.')
    if (key.revokedMs !== null)
      throw gatewayError('request.key-revoked', `The API key ${key.id} was revoked: ask for a new one.`)
    if (key.expiresMs !== null && key.expiresMs <= clock.now())
      throw gatewayError('request.key-expired', `The API key ${key.id} has expired: ask for a new one.`)
    return key
  }

  function keep(key: ApiKey): void {
    keyById.set(key.id, key)
    keyByHash.set(key.hash, key)
  }

  const members: Members = createMembers({ clock, random, keep: (change) => commit.add(change) }, kept.members)

  async function revoke(key: ApiKey): Promise<ApiKey> {
    if (key.revokedMs !== null) return key
    const revoked = { ...key, revokedMs: clock.now() }
    // Before the disk has it: whoever revokes a key wants it dead now.
    keep(revoked)
    await commit.add({ put: 'key', key: revoked })
    return revoked
  }

  async function expectProject(id: string): Promise<void> {
    if (projects.has(id)) return
    if (id !== DEFAULT_PROJECT) throw unknown('project', id)
    await makeProject(DEFAULT_PROJECT, 'Default')
  }

  async function makeProject(id: string, name: string): Promise<Project> {
    if (!PROJECT_ID.test(id))
      throw bad(
        'project',
        `A project is named with up to 63 of a-z, 0-9 and dashes, which '${id.slice(0, 80)}' is not.`,
      )
    const project = { id, name, createdMs: projects.get(id)?.createdMs ?? clock.now() }
    await commit.add({ put: 'project', project })
    projects.set(id, project)
    return project
  }

  function expectPlace({ scope, id }: BudgetName): void {
    if (scope === 'project' && !projects.has(id) && id !== DEFAULT_PROJECT) throw unknown('project', id)
    if (scope === 'key' && !keyById.has(id)) throw unknown('key', id)
    if (scope === 'node' && id !== '') throw bad('id', 'The budget of the node has no id: leave it out.')
  }

  return {
    hasKeys: () => keyById.size > 0,
    identify: (text) => checked(isCredential('ck', text) ? keyByHash.get(hashCredential(text)) : undefined),
    keyById: (id) => checked(keyById.get(id)),
    rates(keyId) {
      let gate = rateGates.get(keyId)
      if (gate === undefined) rateGates.set(keyId, (gate = createRateGate(clock)))
      return gate
    },
    budgets,
    record: writer.record,
    refused: writer.refused,
    trouble: writer.trouble,

    projects: () => [...projects.values()],
    keys: () => [...keyById.values()],
    createProject: makeProject,
    async createKey(wanted) {
      await expectProject(wanted.project)
      const { id, key, hash } = makeCredential('ck', random)
      const made: ApiKey = { madeBy: null, ...wanted, id, hash, createdMs: clock.now(), revokedMs: null }
      await commit.add({ put: 'key', key: made })
      keep(made)
      return { key, made }
    },
    async revokeKey(id) {
      const key = keyById.get(id)
      if (key === undefined) throw unknown('key', id)
      return revoke(key)
    },
    members: members.list,
    identifyMember: members.identify,
    async createMember(wanted) {
      await expectProject(wanted.project)
      return members.create(wanted)
    },
    setMemberRole: members.setRole,
    async removeMember(id, { keepKeys }) {
      const removed = await members.remove(id)
      const theirs = keepKeys ? [] : [...keyById.values()].filter((key) => key.madeBy === id)
      await Promise.all(theirs.map(revoke))
      return removed
    },
    async setBudget(wanted) {
      expectPlace(wanted)
      const budget: Budget = { ...wanted, warnedFromMs: null }
      await commit.add({ put: 'budget', budget })
      budgets.set(budget)
      return budgets.list().find(({ budget: b }) => isSame(b, budget)) as BudgetState
    },
    async dropBudget(name) {
      if (!budgets.list().some(({ budget }) => isSame(budget, name)))
        throw gatewayError('request.no-account', 'There is no such budget: see `cocoon budget show`.')
      await commit.add({ drop: 'budget', name })
      budgets.remove(name)
    },
    async receipts(filter) {
      await writer.written()
      return (await thread.do({ do: 'receipts', filter })).receipts as ReceiptPage
    },
    async usage(filter) {
      await writer.written()
      return (await thread.do({ do: 'usage', filter })).usage as readonly UsageRow[]
    },
    async reasons(filter) {
      await writer.written()
      return (await thread.do({ do: 'reasons', filter })).reasons as readonly ReasonRow[]
    },
    fiat: fiatRate.current,
    written: writer.written,
    async close() {
      webhook?.close()
      fiatRate.close()
      await writer.written()
      await thread.close()
    },
  }
}

const bad = (field: string, message: string): CocoonError => gatewayError('request.bad-account', message, { field })
const unknown = (what: 'project' | 'key', id: string): CocoonError =>
  gatewayError('request.no-account', `There is no ${what} '${id.slice(0, 80)}': see \`cocoon ${what} list\`.`, {
    field: what,
  })

const isSame = (a: BudgetName, b: BudgetName): boolean =>
  a.scope === b.scope && a.id === b.id && a.model === b.model && a.window === b.window
